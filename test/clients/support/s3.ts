/**
 * A server that speaks the part of S3 which the tests use: objects in one bucket, listed, in ranges, uploaded in parts.
 * Checksums that clients send are held against what arrived.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { testServer } from '../../dispatcher/support.js'
import type { RunningServer } from '../../support/servers/node.js'
import { isAwsChunked, readUpload } from './aws-chunked.js'

interface Stored {
  readonly content: Buffer
  readonly etag: string
}

export interface S3Server extends RunningServer {
  readonly objects: ReadonlyMap<string, Stored>
  /** How uploads came, in order. */
  readonly uploads: readonly UploadRecord[]
}

interface UploadRecord {
  readonly chunked: boolean
  /** The header or trailer that a checksum came in. */
  readonly checksum: string | undefined
  readonly expectedContinue: boolean
}

/** An error that the client is told of as S3 tells it. */
class S3Error extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
  ) {
    super(code)
  }
}

/** One call: what it is about, taken from its URL. */
interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly key: string
  readonly query: URLSearchParams
}

/** An S3 server that ends with its test. */
export async function testS3({ tls = false } = {}): Promise<S3Server> {
  const objects = new Map<string, Stored>()
  const multipart = new Map<string, Map<number, Stored>>()
  const uploads: UploadRecord[] = []

  const partsOf = ({ query }: Call): Map<number, Stored> => {
    const parts = multipart.get(query.get('uploadId')!)
    if (parts === undefined) throw new S3Error(404, 'NoSuchUpload')
    return parts
  }
  const find = ({ key }: Call): Stored => {
    const stored = objects.get(key)
    if (stored === undefined) throw new S3Error(404, 'NoSuchKey')
    return stored
  }
  const receive = async ({ request }: Call): Promise<Stored> => {
    const { content, trailers } = await readUpload(request)
    const checksum = checkSum(content, { ...request.headers, ...trailers })
    const expectedContinue = request.headers.expect === '100-continue'
    uploads.push({ chunked: isAwsChunked(request), checksum, expectedContinue })
    return store(content)
  }

  const operations: Record<string, (call: Call) => unknown> = {
    async PutObject(call) {
      const stored = await receive(call)
      objects.set(call.key, stored)
      call.response.writeHead(200, { etag: stored.etag }).end()
    },
    GetObject: (call) => sendObject(call, find(call)),
    HeadObject: (call) => sendObject(call, find(call)),
    DeleteObject({ key, response }) {
      objects.delete(key)
      response.writeHead(204).end()
    },
    ListObjectsV2({ query, response }) {
      const prefix = query.get('prefix') ?? ''
      const after = query.get('continuation-token') ?? ''
      const most = Number(query.get('max-keys') ?? 1000)
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
      const page = keys.slice(0, most)
      sendXml(response, 'ListBucketResult', {
        KeyCount: page.length,
        IsTruncated: keys.length > most,
        NextContinuationToken: keys.length > most ? page.at(-1) : undefined,
        Contents: page.map((Key) => ({ Key, ETag: objects.get(Key)!.etag, Size: objects.get(Key)!.content.length })),
      })
    },
    CreateMultipartUpload({ key, response }) {
      const id = `upload-${multipart.size + 1}`
      multipart.set(id, new Map())
      sendXml(response, 'InitiateMultipartUploadResult', { Bucket: 'bucket', Key: key, UploadId: id })
    },
    async UploadPart(call) {
      const part = await receive(call)
      partsOf(call).set(Number(call.query.get('partNumber')), part)
      call.response.writeHead(200, { etag: part.etag }).end()
    },
    async CompleteMultipartUpload(call) {
      const numbers = [...(await text(call.request)).matchAll(/<PartNumber>(\d+)</g)].map(([, number]) =>
        Number(number),
      )
      const parts = partsOf(call)
      const pieces = numbers.map((number) => parts.get(number))
      if (pieces.length === 0 || pieces.includes(undefined)) throw new S3Error(400, 'InvalidPart')
      const stored = store(Buffer.concat((pieces as Stored[]).map(({ content }) => content)))
      objects.set(call.key, stored)
      multipart.delete(call.query.get('uploadId')!)
      sendXml(call.response, 'CompleteMultipartUploadResult', { Key: call.key, ETag: stored.etag })
    },
    AbortMultipartUpload(call) {
      partsOf(call)
      multipart.delete(call.query.get('uploadId')!)
      call.response.writeHead(204).end()
    },
  }

  const running = await testServer({
    tls,
    async handler(request, response) {
      const { pathname, searchParams: query } = new URL(request.url!, 'http://here')
      const key = decodeURIComponent(pathname.split('/').slice(2).join('/'))
      try {
        if (!request.headers.authorization?.startsWith('AWS4-HMAC-SHA256')) throw new S3Error(403, 'AccessDenied')
        await operations[operationOf(request.method!, key, query)]!({ request, response, key, query })
      } catch (error) {
        request.resume()
        const { status, code } = error instanceof S3Error ? error : new S3Error(400, 'InvalidRequest')
        if (request.method === 'HEAD') response.writeHead(status).end()
        else sendXml(response, 'Error', { Code: code, Message: String(error), Key: key }, status)
      }
    },
  })
  return { ...running, objects, uploads }
}

function operationOf(method: string, key: string, query: URLSearchParams): string {
  const isUpload = query.has('uploadId')
  const operations: Record<string, string> = {
    GET: key === '' ? 'ListObjectsV2' : 'GetObject',
    HEAD: 'HeadObject',
    PUT: isUpload ? 'UploadPart' : 'PutObject',
    POST: isUpload ? 'CompleteMultipartUpload' : 'CreateMultipartUpload',
    DELETE: isUpload ? 'AbortMultipartUpload' : 'DeleteObject',
  }
  return operations[method]!
}

const store = (content: Buffer): Stored => ({
  content,
  etag: `"${createHash('md5').update(content).digest('hex')}"`,
})

/** Holds a CRC32 against the content. Throws if it is wrong, or if a checksum came that is not looked at. */
function checkSum(content: Buffer, fields: Readonly<Record<string, unknown>>): string | undefined {
  const name = Object.keys(fields).find((field) => /^x-amz-checksum-(?!mode|type|algorithm)/.test(field))
  if (name === undefined) return undefined
  const expected = Buffer.alloc(4)
  expected.writeUInt32BE(crc32(content))
  if (name !== 'x-amz-checksum-crc32' || fields[name] !== expected.toString('base64'))
    throw new S3Error(400, 'BadDigest')
  return name
}

function sendObject({ request, response }: Call, { content, etag }: Stored): void {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  const part = from === undefined ? content : content.subarray(Number(from), Number(to) + 1)
  const range = from === undefined ? {} : { 'content-range': `bytes ${from}-${to}/${content.length}` }
  response.writeHead(from === undefined ? 200 : 206, { etag, 'content-length': part.length, ...range })
  response.end(request.method === 'HEAD' ? undefined : part)
}

type Xml = string | number | boolean | undefined | { readonly [name: string]: Xml | readonly Xml[] }

function sendXml(response: ServerResponse, name: string, fields: Xml, status = 200): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n${element(name, fields)}`
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) }).end(body)
}

function element(name: string, value: Xml | readonly Xml[]): string {
  if (value === undefined) return ''
  if (Array.isArray(value)) return value.map((each) => element(name, each)).join('')
  const inside =
    typeof value === 'object'
      ? Object.entries(value)
          .map(([key, each]) => element(key, each))
          .join('')
      : String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
  return `<${name}>${inside}</${name}>`
}
