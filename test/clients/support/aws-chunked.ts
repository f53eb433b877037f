/**
 * The body of an upload as AWS clients send it when a checksum follows it: `content-encoding: aws-chunked`. Chunks of
 * `<hex size>[;chunk-signature=…]`, then trailers, inside of the body that HTTP carries.
 */
import type { IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'

export interface Upload {
  readonly content: Buffer
  /** What followed the content, by lower-case name: `x-amz-checksum-crc32` and the like. */
  readonly trailers: Readonly<Record<string, string>>
}

const LINE_END = '\r\n'

/** The content of an upload, whichever way it came. Throws if it is not what it says, in form or in length. */
export async function readUpload(request: IncomingMessage): Promise<Upload> {
  const body = await buffer(request)
  if (!isAwsChunked(request)) return { content: body, trailers: {} }
  const upload = decode(body)
  const promised = Number(request.headers['x-amz-decoded-content-length'])
  if (upload.content.length !== promised)
    throw new Error(`${upload.content.length} bytes came where ${promised} were promised`)
  return upload
}

export function isAwsChunked({ headers }: IncomingMessage): boolean {
  return (headers['content-encoding'] ?? '').split(/\s*,\s*/).includes('aws-chunked')
}

function decode(body: Buffer): Upload {
  let at = 0
  const line = (): string => {
    const end = body.indexOf(LINE_END, at)
    if (end < 0) throw new Error('A line of an aws-chunked body does not end')
    const text = body.toString('latin1', at, end)
    at = end + LINE_END.length
    return text
  }
  const chunks: Buffer[] = []
  for (let size = sizeOf(line()); size > 0; size = sizeOf(line())) {
    chunks.push(body.subarray(at, at + size))
    at += size
    if (line() !== '') throw new Error('A chunk of an aws-chunked body is longer than it says')
  }
  const trailers: Record<string, string> = {}
  for (let text = line(); text !== ''; text = line()) {
    const [, name = '', value = ''] = /^([^:]+):\s*(.*)$/.exec(text) ?? []
    trailers[name.toLowerCase()] = value
  }
  return { content: Buffer.concat(chunks), trailers }
}

function sizeOf(line: string): number {
  const [, hex] = /^([0-9a-f]+)(?:;|$)/i.exec(line) ?? []
  if (hex === undefined) throw new Error(`Not the size of a chunk: ${line}`)
  return Number.parseInt(hex, 16)
}
