/** Attributes of metrics have closed lists of values: what is not in them has one name. */
import { errors } from 'undici'
import { describe, expect, it } from 'vitest'
import { errorTypeOf, errorTypes } from '../../src/telemetry/error-type.js'
import { methodNames } from '../../src/telemetry/methods.js'
import { MOST_OUTCOMES, ServerAttributes } from '../../src/telemetry/server-attributes.js'
import { aliasStrings } from '../docs/source.js'
import { codedError } from '../support/fake-links.js'

describe('error.type', () => {
  it.each([
    ['a code that is known', codedError('ECONNREFUSED'), 'ECONNREFUSED'],
    ['a code that is not', codedError('EMYOWN'), '_OTHER'],
    ['of an error without one, its name', new DOMException('', 'AbortError'), 'AbortError'],
    ['of a timeout of AbortSignal, its name', new DOMException('', 'TimeoutError'), 'TimeoutError'],
    [
      'of one that says nothing, that of its cause',
      new TypeError('fetch failed', { cause: codedError('EPIPE') }),
      'EPIPE',
    ],
    ['any of the codes of the parser', codedError('HPE_INVALID_HEADER_TOKEN'), 'HTTPParserError'],
    ['nothing of what is no error', 'enough', '_OTHER'],
    ['nothing of null', null, '_OTHER'],
  ])('is %s', (_, error, expected) => {
    expect(errorTypeOf(error)).toBe(expected)
  })

  it('knows all codes of ours, and those of undici that a pool can come to', () => {
    const ours = aliasStrings('errors.ts', 'KeepwiseErrorCode').filter((code) => code !== 'ERR_KEEPWISE_OPTION')
    expect([...errorTypes.keepwise]).toEqual(ours)
    const { UndiciError: _, HTTPParserError: __, RequestRetryError: ___, ResponseError: ____, ...classes } = errors
    const codes = Object.values(classes).map(
      (Class) => new (Class as new (message: string) => NodeJS.ErrnoException)('').code,
    )
    // Of other dispatchers, of proxies, of WebSockets.
    const elsewhere = /BPL|PRX|SOCKS|MAX_ORIGINS|WS_|INVALID_RETURN/
    for (const code of codes.filter((each) => !elsewhere.test(String(each)))) expect(errorTypes.undici).toContain(code)
  })

  it('has every word once', () => {
    const all = Object.values(errorTypes).flat()
    expect(all).toEqual([...new Set(all)])
  })
})

describe('http.request.method', () => {
  it('is one of the known ones, case-sensitive', () => {
    const nameOf = methodNames({})
    expect(['GET', 'QUERY', 'get', 'PROPFIND', ''].map(nameOf)).toEqual(['GET', 'QUERY', '_OTHER', '_OTHER', '_OTHER'])
  })

  it('is one of the list that the user has in the environment', () => {
    const nameOf = methodNames({ OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS: 'PROPFIND, GET' })
    expect(['GET', 'PROPFIND', 'POST'].map(nameOf)).toEqual(['GET', 'PROPFIND', '_OTHER'])
  })
})

describe('the outcomes of requests', () => {
  it('are one object each, whoever asks', () => {
    const get = new ServerAttributes('a', 'http://b').method('GET')
    expect(get.outcome(200, undefined)).toBe(get.outcome(200, undefined))
    expect(get.outcome(undefined, 'EPIPE')).toBe(get.outcome(undefined, 'EPIPE'))
    expect(get.outcome(200, 'EPIPE')).not.toBe(get.outcome(undefined, 'EPIPE'))
    expect(get.outcome(200, 'EPIPE')).toMatchObject({ 'http.response.status_code': 200, 'error.type': 'EPIPE' })
    expect(get.outcome(399, undefined)).not.toHaveProperty(['error.type'])
    expect(get.outcome(400, undefined)).toMatchObject({ 'error.type': '400' })
    expect(get.outcome(undefined, 'EPIPE')).not.toHaveProperty(['network.protocol.version'])
  })

  it(`are ${MOST_OUTCOMES} for one server, and two more for all the rest`, () => {
    const server = new ServerAttributes('a', 'http://b')
    const seen = new Set<object>()
    for (const method of ['GET', 'POST'])
      for (let status = 200; status < 599; status++) seen.add(server.method(method).outcome(status, undefined))
    expect(seen.size).toBe(MOST_OUTCOMES + 2)
    const plain = { 'keepwise.pool.name': 'a', 'server.address': 'b', 'server.port': 80, 'url.scheme': 'http' }
    expect([...seen].slice(MOST_OUTCOMES)).toEqual([{ ...plain, 'error.type': '_OTHER' }, plain])
    // All of them can be taken back.
    expect(new Set(server.recorded.requestDuration)).toEqual(seen)
  })
})
