import { Agent, Client, type Dispatcher } from 'undici'
import { describe, expect, it } from 'vitest'
import { books, get, legacyHandler, quietBooks, testPool, testServer, until } from './support.js'

/** Options that undici refuses, apart from the origin. */
const invalid: [string, Record<string, unknown>][] = [
  ['path, a number', { path: 5 }],
  ['path, missing', { path: undefined }],
  ['path, relative', { path: 'here' }],
  ['path, with a space', { path: '/a b' }],
  ['path, with a line break', { path: '/a\r\nx: y' }],
  ['method, missing', { method: undefined }],
  ['method, no token', { method: 'GE T' }],
  ['headers, a string', { headers: 'host: x' }],
  ['headers, odd in number', { headers: ['x-one'] }],
  ['headers, pairs of three', { headers: [['a', 'b', 'c']] }],
  ['header, a name that is no token', { headers: { 'x y': '1' } }],
  ['header, a value with a line break', { headers: { 'x-y': '1\r\nz: 2' } }],
  ['header, an object', { headers: { 'x-y': {} } }],
  ['header, transfer-encoding', { headers: { 'transfer-encoding': 'chunked' } }],
  ['header, keep-alive', { headers: { 'keep-alive': 'timeout=5' } }],
  ['header, upgrade', { headers: { upgrade: 'websocket' } }],
  ['header, expect', { headers: { expect: '100-continue' } }],
  ['header, host twice', { headers: ['host', 'a', 'host', 'b'] }],
  ['header, a length that is no number', { headers: { 'content-length': 'some' } }],
  ['header, a connection that is no token', { headers: { connection: 'a b' } }],
  ['body, a number', { method: 'POST', body: 5 }],
  ['body, an object', { method: 'POST', body: {} }],
  ['upgrade, a number', { upgrade: 5 }],
  ['headersTimeout, negative', { headersTimeout: -1 }],
  ['bodyTimeout, no number', { bodyTimeout: 'long' }],
  ['reset, no boolean', { reset: 'yes' }],
  ['expectContinue, no boolean', { expectContinue: 'yes' }],
  ['typeOfService, too large', { typeOfService: 300 }],
  ['throwOnError', { throwOnError: true }],
  ['maxRedirections', { maxRedirections: 3 }],
]

const invalidOrigins: [string, unknown][] = [
  ['missing', undefined],
  ['null', null],
  ['empty', ''],
  ['a number', 5],
  ['an object', {}],
]

interface Failure {
  name: string | undefined
  message: string | undefined
  code: string | undefined
}

/** Dispatches, and returns what the handler was told until it ended. */
async function failureOf(dispatcher: Dispatcher, options: Record<string, unknown>): Promise<Failure> {
  const { handler, told } = legacyHandler()
  dispatcher.dispatch(options as never, handler)
  await told.ended
  const { name, message, code } = told.error ?? ({} as Partial<Failure>)
  return { name, message, code }
}

describe('an invalid request', () => {
  it.each(invalid)('%s: fails as in undici, and the connection stays', async (_, options) => {
    const { origin, requestCount } = await testServer()
    const pool = testPool()
    await get(pool, origin)
    const request = { origin, path: '/', method: 'GET', ...options }
    const client = new Client(origin)
    const expected = await failureOf(client, request)
    await client.destroy()
    expect(expected.code).toMatch(/^UND_ERR_/)
    expect(await failureOf(pool.dispatcher, request)).toEqual(expected)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
    await get(pool, origin)
    expect(requestCount()).toBe(2)
  })

  it('by its path or method opens no connection', async () => {
    const { origin, connections } = await testServer()
    const opened: string[] = []
    const early = ['path, a number', 'path, missing', 'path, relative', 'method, missing']
    for (const [name, options] of invalid.filter(([name]) => early.includes(name))) {
      const pool = testPool()
      await failureOf(pool.dispatcher, { origin, path: '/', method: 'GET', ...options })
      if (pool.stats().opened + pool.stats().dialing > 0) opened.push(name)
    }
    expect(opened).toEqual([])
    expect(connections).toHaveLength(0)
  })

  it.each<[string, Record<string, unknown>]>([
    ['to be the last of its connection', { reset: true }],
    ['to be an upgrade', { upgrade: 'websocket' }],
    ['to be a tunnel', { method: 'CONNECT' }],
  ])('that was %s costs none', async (_, options) => {
    const { origin } = await testServer()
    const pool = testPool()
    await get(pool, origin)
    const { handler, told } = legacyHandler()
    pool.dispatcher.dispatch(
      { origin, path: '/', method: 'GET', headers: { 'x y': 'z' }, ...options } as never,
      handler,
    )
    await told.ended
    expect(told.error).toMatchObject({ code: 'UND_ERR_INVALID_ARG' })
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('fails at once, before a connection could be opened or refused, as in undici', async () => {
    const { origin, close } = await testServer()
    await close()
    const pool = testPool()
    const client = new Client(origin)
    for (const dispatcher of [client, pool.dispatcher]) {
      const { handler, told } = legacyHandler()
      expect(dispatcher.dispatch({ origin, path: 'here', method: 'GET' }, handler)).toBe(false)
      expect(told.calls).toEqual(['onError'])
      expect(told.error).toMatchObject({ code: 'UND_ERR_INVALID_ARG' })
    }
    await client.destroy()
  })

  it('does not wait in line behind others', async () => {
    const { origin } = await testServer(() => {})
    const pool = testPool({ maxConnections: 1 })
    const hanging = legacyHandler()
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, hanging.handler)
    await until(() => pool.stats().active === 1)
    const { handler, told } = legacyHandler()
    pool.dispatcher.dispatch({ origin, path: 'here', method: 'GET' }, handler)
    expect(told.error).toMatchObject({ code: 'UND_ERR_INVALID_ARG' })
    expect(books(pool)).toMatchObject({ active: 1, waiting: 0, pending: 1 })
  })

  it('that nobody checked before, among valid ones, harms none of them', async () => {
    const { origin } = await testServer()
    const pool = testPool({ maxConnections: 1 })
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) =>
        n % 2 === 0
          ? get(pool, origin)
          : pool.dispatcher.request({ origin, path: '/', method: 'GET', headers: { 'x y': 'z' } }),
      ),
    )
    expect(outcomes.map(({ status }) => status)).toEqual(Array(5).fill(['fulfilled', 'rejected']).flat())
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 5 }))
  })
})

describe('an invalid origin', () => {
  it.each(invalidOrigins)('%s: fails as in undici', async (_, origin) => {
    const pool = testPool()
    const agent = new Agent()
    const request = { origin, path: '/', method: 'GET' }
    expect(await failureOf(pool.dispatcher, request)).toEqual(await failureOf(agent, request))
    await agent.destroy()
    expect(books(pool)).toEqual(quietBooks({}))
    expect(pool.stats().origins).toEqual({})
  })

  it.each(['no-scheme.test', 'http//x', 'ftp://there.test', 'file:///etc/passwd', 'ws://there.test'])(
    '%s: is an invalid argument',
    async (origin) => {
      const pool = testPool()
      const failure = await failureOf(pool.dispatcher, { origin, path: '/', method: 'GET' })
      expect(failure).toMatchObject({ name: 'InvalidArgumentError', code: 'UND_ERR_INVALID_ARG' })
      expect(pool.stats().origins).toEqual({})
    },
  )

  it('may be a URL, whose path counts for nothing', async () => {
    const { origin } = await testServer((request, response) => void response.end(request.url))
    const pool = testPool()
    for (const given of [origin, `${origin}/`, new URL(`${origin}/elsewhere`)]) {
      const { body } = await pool.dispatcher.request({ origin: given, path: '/here', method: 'GET' })
      expect(await body.text()).toBe('/here')
    }
    expect(Object.keys(pool.stats().origins)).toEqual([origin])
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 3 }))
  })

  it.each([null, undefined, 'options', 5])('options that are no object (%s) fail as in undici', async (options) => {
    const pool = testPool()
    const agent = new Agent()
    expect(await failureOf(pool.dispatcher, options as never)).toEqual(await failureOf(agent, options as never))
    await agent.destroy()
  })
})
