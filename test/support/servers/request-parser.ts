/**
 * Parses HTTP/1.x requests for the scripted server. Strict where it matters to a test: what it does not understand it
 * throws at, so that a client that writes something odd is found out.
 */

export interface ReceivedRequest {
  method: string
  target: string
  version: string
  /** Names in lower case; several lines of one name are joined by ', '. */
  headers: Record<string, string>
  /** Names and values as they were sent, alternating. */
  rawHeaders: string[]
  /** Without the chunk framing. */
  body: Buffer
  /** Of a chunked body. */
  trailers: Record<string, string>
  /** When it was complete, as from `performance.now()`. */
  at: number
}

/** The first request in `bytes` and how many bytes it takes, or undefined while it is incomplete. */
export function parseRequest(bytes: Buffer): { request: ReceivedRequest; length: number } | undefined {
  const head = parseRequestHead(bytes)
  if (!head) return undefined
  const body = parseBody(bytes, head)
  if (!body) return undefined
  const { method, target, version, headers, rawHeaders } = head
  const { content, trailers, length } = body
  return {
    request: { method, target, version, headers, rawHeaders, body: content, trailers, at: performance.now() },
    length,
  }
}

interface RequestHead {
  method: string
  target: string
  version: string
  headers: Record<string, string>
  rawHeaders: string[]
  length: number
}

function parseRequestHead(bytes: Buffer): RequestHead | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [requestLine, ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const [, method, target, version] = /^([A-Z]+) (\S+) HTTP\/(1\.[01])$/.exec(requestLine!) ?? []
  if (!method || !target || !version) throw new Error(`Not a request line: ${JSON.stringify(requestLine)}`)
  return { method, target, version, ...parseFields(lines), length: end + 4 }
}

function parseFields(lines: string[]): { headers: Record<string, string>; rawHeaders: string[] } {
  const headers: Record<string, string> = {}
  const rawHeaders: string[] = []
  for (const line of lines) {
    const [, name, value] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
    if (name === undefined || value === undefined) throw new Error(`Not a header line: ${JSON.stringify(line)}`)
    rawHeaders.push(name, value)
    const key = name.toLowerCase()
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value
  }
  return { headers, rawHeaders }
}

interface RequestBody {
  content: Buffer
  trailers: Record<string, string>
  /** Of head and body together. */
  length: number
}

function parseBody(bytes: Buffer, head: RequestHead): RequestBody | undefined {
  const encoding = head.headers['transfer-encoding']
  if (encoding === undefined) {
    const size = Number(head.headers['content-length'] ?? 0)
    const end = head.length + size
    if (!Number.isInteger(size)) throw new Error(`Not a content-length: ${head.headers['content-length']}`)
    return bytes.length < end ? undefined : { content: bytes.subarray(head.length, end), trailers: {}, length: end }
  }
  if (encoding.toLowerCase() !== 'chunked') throw new Error(`Not a transfer-encoding of a request: ${encoding}`)
  return parseChunks(bytes, head.length)
}

function parseChunks(bytes: Buffer, start: number): RequestBody | undefined {
  const chunks: Buffer[] = []
  let at = start
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const line = bytes.toString('latin1', at, lineEnd)
    if (!/^[\da-f]+(;.*)?$/i.test(line)) throw new Error(`Not a chunk size: ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    at = lineEnd + 2
    if (size === 0) return parseTrailers(bytes, at, Buffer.concat(chunks))
    if (bytes.length < at + size + 2) return undefined
    chunks.push(bytes.subarray(at, at + size))
    at += size + 2
  }
}

function parseTrailers(bytes: Buffer, start: number, content: Buffer): RequestBody | undefined {
  if (bytes.toString('latin1', start, start + 2) === '\r\n') return { content, trailers: {}, length: start + 2 }
  const end = bytes.indexOf('\r\n\r\n', start)
  if (end === -1) return undefined
  const { headers } = parseFields(bytes.toString('latin1', start, end).split('\r\n'))
  return { content, trailers: headers, length: end + 4 }
}
