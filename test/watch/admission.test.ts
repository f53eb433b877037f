/** Who may look at the endpoint, and at what. */
import { describe, expect, it } from 'vitest'
import { admit } from '../../src/watch/admission.js'

const TOKEN = 'x8Zk3-Tq_0aB7cD9eF1gHw'

const asked = (change: { method?: string; url?: string; host?: string | undefined } = {}) =>
  admit({ method: 'GET', url: `/${TOKEN}/`, host: '127.0.0.1:4000', ...change }, TOKEN)

const refused = (status: number) =>
  expect.objectContaining({ what: 'refused', status, text: expect.stringMatching(/\.$|\?$/) })

describe('admission', () => {
  it.each([
    ['', { what: 'page' }],
    ['events', { what: 'events' }],
    ['state', { what: 'state', after: undefined }],
    ['state?after=0', { what: 'state', after: 0 }],
    ['state?after=12', { what: 'state', after: 12 }],
    [`state?after=${Number.MAX_SAFE_INTEGER}`, { what: 'state', after: Number.MAX_SAFE_INTEGER }],
    ['?theme=dark', { what: 'page' }],
  ])('lets one see "%s"', (path, admission) => {
    expect(asked({ url: `/${TOKEN}/${path}` })).toEqual(admission)
    expect(asked({ url: `/${TOKEN}/${path}`, method: 'HEAD' })).toEqual(admission)
  })

  it.each(['', 'x', '-1', '1.5', '1e3', '99999999999999999', '1;2'])(
    'takes no "%s" for the number of a record',
    (after) => {
      expect(asked({ url: `/${TOKEN}/state?after=${after}` })).toEqual(refused(400))
    },
  )

  it.each([...['127.0.0.1', '127.0.0.1:80', '127.1.2.3:4000', 'localhost', 'LocalHost:9', '[::1]', '[::1]:4000']])(
    'may be asked for by the name %s',
    (host) => {
      expect(asked({ host })).toEqual({ what: 'page' })
    },
  )

  it.each([
    ...['evil.example', 'evil.example:4000', '10.0.0.1:4000', '0.0.0.0:4000', '[::]:4000', '[::ffff:10.0.0.1]', ''],
    ...[
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'evil-localhost',
      'localhost@evil.example',
      '127.0.0.1:4000:1',
    ],
    ...['127.0.0.1 evil.example', 'localhost\n', '128.0.0.1'],
  ])('may not be asked for by the name "%s"', (host) => {
    expect(asked({ host })).toEqual(refused(403))
  })

  it('may not be asked for without a name', () => {
    expect(asked({ host: undefined })).toEqual(refused(403))
  })

  it.each([
    ...['/', '', '*', '/state', '/events', '/favicon.ico', `/${TOKEN}`, `//${TOKEN}/`, `/x/${TOKEN}/`, '/../'],
    ...[`/${TOKEN.slice(0, -1)}/`, `/${TOKEN}x/`, `/${TOKEN.toLowerCase()}/`, '//', '/%2F/'],
    ...[`http://127.0.0.1:4000/${TOKEN}/`, `/${TOKEN}/page`, `/${TOKEN}/state/`, `/${TOKEN}/../${TOKEN}/`],
  ])('has nothing at %s', (url) => {
    expect(asked({ url })).toEqual(refused(404))
  })

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'get', undefined])('takes no %s', (method) => {
    expect(admit({ method, url: `/${TOKEN}/`, host: 'localhost' }, TOKEN)).toEqual(refused(405))
  })

  it('says nothing of what there is to one without the token', () => {
    expect(asked({ url: '/x/state', method: 'POST' })).toEqual(refused(404))
    expect(asked({ url: '/x/state', host: 'evil.example' })).toEqual(refused(403))
  })
})
