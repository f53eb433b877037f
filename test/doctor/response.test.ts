/** Where responses end, byte by byte, and what is refused. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { headerOf, type Response, ResponseError, ResponseReader } from '../../src/doctor/response.js'

const LIMIT = 1_000

/** Reads a text in pieces of `size`; how many bytes it took, and what came out. */
function read(
  text: string,
  { method = 'GET', size = 1, end = false } = {},
): { response: Response | undefined; took: number } {
  const reader = new ResponseReader(method, LIMIT)
  const bytes = Buffer.from(text, 'latin1')
  for (let at = 0; at < bytes.length; at += size) {
    const response = reader.push(bytes.subarray(at, at + size))
    if (response !== undefined) return { response, took: Math.min(bytes.length, at + size) }
  }
  return { response: end ? reader.end() : undefined, took: bytes.length }
}

const OK = 'HTTP/1.1 200 OK\r\n'

describe('a response', () => {
  it.each([
    ['with a length', `${OK}content-length: 5\r\n\r\nhello`, 'GET', { bodyBytes: 5, persists: true }],
    ['without a body', `${OK}Content-Length: 0\r\n\r\n`, 'GET', { bodyBytes: 0, persists: true }],
    ['to HEAD, with the length of what GET would give', `${OK}content-length: 5\r\n\r\n`, 'HEAD', { bodyBytes: 0 }],
    ['to HEAD, without any length', `${OK}\r\n`, 'HEAD', { bodyBytes: 0, persists: true }],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', 'GET', { status: 204, persists: true }],
    ['304', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n', 'GET', { status: 304, bodyBytes: 0 }],
    [
      'in chunks',
      `${OK}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n`,
      'GET',
      { bodyBytes: 13 },
    ],
    [
      'with trailers',
      `${OK}transfer-encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\nz: w\r\n\r\n`,
      'GET',
      { bodyBytes: 1 },
    ],
    [
      'after 100 and 103',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\n${OK}content-length: 1\r\n\r\na`,
      'GET',
      { status: 200 },
    ],
    ['with bare line ends', 'HTTP/1.1 200 OK\ncontent-length: 1\n\na', 'GET', { bodyBytes: 1 }],
    ['without a reason', 'HTTP/1.1 200\r\ncontent-length: 1\r\n\r\na', 'GET', { status: 200 }],
    ['that closes', `${OK}connection: Close\r\ncontent-length: 1\r\n\r\na`, 'GET', { persists: false }],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na', 'GET', { version: '1.0', persists: false }],
    [
      'of HTTP/1.0, kept',
      'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na',
      'GET',
      { persists: true },
    ],
    ['101', 'HTTP/1.1 101 Switching\r\ncontent-length: 0\r\n\r\n', 'GET', { status: 101, persists: false }],
  ])('%s, ends with its last byte, in pieces of any size', (_what, text, method, expected) => {
    for (const size of [1, 2, 3, 7, 1_000]) {
      const { response, took } = read(text, { method, size })
      expect(response, `pieces of ${size}`).toMatchObject(expected)
      expect(took).toBe(text.length)
    }
  })

  it('without a length ends with its connection, and no sooner', () => {
    expect(read(`${OK}\r\nhello`).response).toBe(undefined)
    expect(read(`${OK}\r\nhello`, { end: true }).response).toMatchObject({ bodyBytes: 5, persists: false })
  })

  it('that is cut off is none', () => {
    for (const text of [
      '',
      'HTTP/1.1 2',
      `${OK}content-length: 5\r\n\r\nhell`,
      `${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello`,
    ])
      expect(read(text, { end: true }).response).toBe(undefined)
  })
})

describe('what cannot be read', () => {
  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH\r\n', /begins with "SSH-/],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n', /not HTTP\/1/],
    ['a length that is none', `${OK}content-length: -1\r\n\r\n`, /a length that is none/],
    ['two lengths', `${OK}content-length: 1\r\ncontent-length: 2\r\n\r\n`, /a length that is none/],
    ['a chunk without a size', `${OK}transfer-encoding: chunked\r\n\r\nxyz\r\n`, /no size of a chunk/],
    ['a chunk without an end', `${OK}transfer-encoding: chunked\r\n\r\n${'1'.repeat(5_000)}`, /without an end of line/],
    ['a body beyond the limit', `${OK}content-length: 2000\r\n\r\n${'x'.repeat(1_001)}`, /more than 1000 bytes/],
    ['a body without end beyond the limit', `${OK}\r\n${'x'.repeat(1_001)}`, /more than 1000 bytes/],
    ['headers without end', `${OK}${'a: b\r\n'.repeat(12_000)}`, /headers of more than 65536 bytes/],
  ])('%s', (_what, text, why) => {
    expect(() => read(text, { size: 500 })).toThrow(ResponseError)
    expect(() => read(text, { size: 500 })).toThrow(why)
  })

  it('throws nothing but that, whatever comes', () => {
    const pieces = fc.constantFrom(
      OK,
      '\r\n',
      '\n',
      'content-length: 3',
      'transfer-encoding: chunked',
      ': x',
      'ff',
      '0',
      'HTTP/1.',
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 12 }), (parts) => {
        try {
          read(parts.join(''), { size: 5, end: true })
        } catch (error) {
          expect(error).toBeInstanceOf(ResponseError)
        }
      }),
    )
  })
})

describe('a header', () => {
  it('is found in any case, its lines joined', () => {
    const raw = ['Keep-Alive', 'timeout=5', 'x', 'y', 'keep-alive', 'max=3']
    expect(headerOf(raw, 'keep-alive')).toBe('timeout=5, max=3')
    expect(headerOf(raw, 'timeout=5')).toBe(undefined)
  })
})
