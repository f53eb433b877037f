/**
 * The server that all clients call in these tests. What it does is told by the last part of a path, so that an S3 client,
 * which puts a bucket in front, calls the same.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { testServer } from '../../dispatcher/support.js'
import type { RunningServer, ServerOptions } from '../../support/servers/node.js'
import { readUpload } from './aws-chunked.js'

export const MEGABYTE = 2 ** 20

/** What `/large` sends. */
export const LARGE = Buffer.alloc(5 * MEGABYTE, 'what is downloaded, ')
/** What `/bottomless` has to give: more than all buffers on the way take. */
export const BOTTOMLESS = 64 * MEGABYTE

export interface Service extends RunningServer {
  /** Bytes of `/bottomless` that were wanted so far. */
  readonly offered: number
  /** Lets those go on that wait at `/held` and at `/gated`, and those that come later. */
  release(): void
}

/** A service that ends with its test. */
export async function testService(options: Omit<ServerOptions, 'handler'> = {}): Promise<Service> {
  let release!: () => void
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let offered = 0

  const actions: Record<string, (request: IncomingMessage, response: ServerResponse) => unknown> = {
    ok: (_, response) => response.end('ok'),
    /** Answers a little later, so that requests at once are at once. */
    slow: (_, response) => setTimeout(() => response.end('ok'), 5),
    silent: () => {},
    busy: (_, response) => response.writeHead(503).end(),
    endless: (_, response) => response.write('beginning'),
    crash: ({ socket }) => socket.resetAndDestroy(),
    held: async (_, response) => {
      await released
      response.end('ok')
    },
    large: (_, response) => response.writeHead(200, { 'content-length': LARGE.length }).end(LARGE),
    bottomless: async (_, response) => {
      const piece = Buffer.alloc(MEGABYTE / 4)
      response.writeHead(200, { 'content-length': BOTTOMLESS })
      while (offered < BOTTOMLESS && !response.destroyed) {
        offered += piece.length
        if (!response.write(piece)) await Promise.race([once(response, 'drain'), once(response, 'close')])
      }
      response.end()
    },
    gzip: (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('unpacked '.repeat(10_000)))
    },
    redirect: ({ url }, response) => {
      const to = new URL(url!, 'http://here').searchParams.get('to')
      response.writeHead(302, { location: to ?? '/ok' }).end('Elsewhere.')
    },
    digest: async (request, response) => answerDigest((await readUpload(request)).content, request, response),
    /** Reads nothing until it is told to. */
    gated: async (request, response) => {
      await released
      answerDigest((await readUpload(request)).content, request, response)
    },
  }

  const running = await testServer({
    ...options,
    handler(request, response) {
      const { pathname } = new URL(request.url!, 'http://here')
      const action = actions[pathname.split('/').at(-1)!]
      if (action === undefined) response.writeHead(404).end()
      // One that was aborted fails, and nobody is left to be told.
      else Promise.resolve(action(request, response)).catch(() => response.destroy())
    },
  })
  return {
    ...running,
    release,
    get offered() {
      return offered
    },
  }
}

export const digestOf = (content: Buffer | string): string => createHash('md5').update(content).digest('hex')

/** Says what it got: in the body, and as S3 does, in a header or in XML. */
function answerDigest(content: Buffer, request: IncomingMessage, response: ServerResponse): void {
  const digest = digestOf(content)
  const isXml = request.headers['content-type'] === 'application/xml'
  const xml = `<CompleteMultipartUploadResult><ETag>"${digest}"</ETag></CompleteMultipartUploadResult>`
  response.writeHead(200, { etag: `"${digest}"` }).end(isXml ? xml : digest)
}
