/**
 * The endpoint of `watch()`: a plain node:http server on a loopback address that shows what the pools of this process do. It
 * has no hand on the pools, keeps no process alive, and what it holds is bounded.
 */
import { randomBytes } from 'node:crypto'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Recorder, wallTime } from '../timeline/recorder.js'
import { admit, type Refusal } from './admission.js'
import { History } from './history.js'
import { resolveWatch, type WatchOptions } from './options.js'
import { pageHtml, pagePolicy } from './page/html.js'
import { Readers } from './readers.js'
import { stateOf } from './state.js'

/** Connections at a time: a browser opens up to six for one page. */
export const MAX_CONNECTIONS = 64

/** Milliseconds that a reader may take to accept the next piece of what it asked for. */
export const MAX_STALL = 10_000

/** An endpoint that is open. */
export interface Watch {
  /** Its address, for a browser or `keepwise watch`. Whoever has it can look: it has the token in it. */
  readonly url: string
  /** Closes it and cuts off those who look; resolves when it is closed. To call it again does nothing. */
  close(): Promise<void>
}

/**
 * Opens an endpoint on a loopback address that shows the pools of this process live: in a browser, or with `keepwise watch`.
 *
 * @returns a promise of the endpoint; it rejects with an `OptionError` for an unknown option or a value it cannot take, and with
 * what the system says against the port (EADDRINUSE, EACCES)
 */
export async function watch(options?: WatchOptions): Promise<Watch> {
  const { port, host, token = randomBytes(16).toString('base64url') } = resolveWatch(options)
  return new Endpoint(token).open(port, host)
}

const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const

class Endpoint {
  readonly #token: string
  readonly #history = new History()
  readonly #readers = new Readers()
  readonly #recorder = new Recorder((record) => this.#readers.tell(this.#history.add(record), record))
  readonly #server = http.createServer((request, response) => this.#answer(request, response))
  #closed: Promise<void> | undefined

  constructor(token: string) {
    this.#token = token
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.on('connection', (socket) => socket.unref())
    // One that cannot be accepted (EMFILE) is not the end of the process. That it cannot listen is told by `open`.
    this.#server.on('error', () => {})
  }

  async open(port: number, host: string): Promise<Watch> {
    const server = this.#server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen({ port, host }, resolve)
    })
    server.unref()
    this.#recorder.start()
    const { port: actual } = server.address() as AddressInfo
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${actual}/${this.#token}/`
    return { url, close: () => this.#close() }
  }

  #close(): Promise<void> {
    this.#recorder.stop()
    this.#closed ??= new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
    return this.#closed
  }

  #answer({ method, url, headers }: IncomingMessage, response: ServerResponse): void {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
    const admission = admit({ method, url, host: headers.host }, this.#token)
    switch (admission.what) {
      case 'refused':
        refuse(response, admission)
        break
      case 'page': {
        const nonce = randomBytes(16).toString('base64')
        const type = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': pagePolicy(nonce) }
        response.writeHead(200, type).end(pageHtml(nonce))
        break
      }
      case 'events':
        this.#readers.add(response, method === 'HEAD')
        break
      case 'state':
        void this.#tellState(admission.after, response)
    }
  }

  async #tellState(after: number | undefined, response: ServerResponse): Promise<void> {
    response.setTimeout(MAX_STALL, () => response.destroy())
    try {
      const state = stateOf(this.#history, wallTime(), after)
      response.setHeader('content-type', 'application/json; charset=utf-8')
      await pipeline(Readable.from(state), response)
    } catch {
      response.destroy() // whoever asked has gone, or a pool of another version does not say how it stands
    }
  }
}

function refuse(response: ServerResponse, { status, text }: Refusal): void {
  if (status === 405) response.setHeader('allow', 'GET, HEAD')
  // What comes with such a request is not read.
  response.setHeader('connection', 'close')
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
}
