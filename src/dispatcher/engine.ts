/**
 * undici's Client as the HTTP engine of one connection: it writes the request and parses the response on the socket that
 * it is given. When to open, keep, reuse and close is not its business: it connects once, never gives up an idle socket
 * by itself, and never has more than one request.
 */
import type { Socket } from 'node:net'
import { type buildConnector, Client } from 'undici'
import type { Connection } from '../pool/connection.js'
import type { Engine } from '../pool/engine.js'
import type { OriginPool } from '../pool/origin-pool.js'
import type { SocketLink } from '../wire/socket-link.js'

export interface EngineOptions {
  readonly headersTimeout: number
  readonly bodyTimeout: number
}

/** Longest delay of Node's timers: for undici's own idle timer, which is to have no say. */
const NEVER = 2 ** 31 - 1

/** What a request is failed with, inside, when its connection is gone before it was written. Callers never see it. */
const gone = Object.assign(new Error('the connection is gone'), { code: 'KEEPWISE_GONE' })

/** The connection's client, made when it carries its first request for the dispatcher. */
export function engineOf(connection: Connection, options: EngineOptions): Client {
  const { engine } = connection
  if (engine instanceof ConnectionClient) return engine
  return connection.use(ConnectionClient, () => new ConnectionClient(connection, options))
}

/** What undici listens to, beside the close of its socket. */
const heard = ['readable', 'end', 'error'] as const

class ConnectionClient extends Client implements Engine {
  readonly #socket: Socket
  /** How many listeners to each of `heard` the socket had before undici's. */
  readonly #before: readonly number[]
  /** undici's, while another engine has the socket. */
  #shelved: readonly (readonly Listener[])[] = []

  constructor({ link, origin }: Connection, { headersTimeout, bodyTimeout }: EngineOptions) {
    const { socket } = link as SocketLink
    let unused: Socket | undefined = socket
    super(urlOf(origin), {
      // Called back in a microtask: undici's client does not go on by itself after a connect that ends at once.
      connect: (_options: buildConnector.Options, callback: buildConnector.Callback) =>
        queueMicrotask(() => {
          const mine = unused
          unused = undefined
          if (mine === undefined || mine.destroyed) callback(gone, null)
          else callback(null, mine)
        }),
      pipelining: 1,
      keepAliveTimeout: NEVER,
      keepAliveMaxTimeout: NEVER,
      keepAliveTimeoutThreshold: -NEVER,
      headersTimeout: Math.ceil(headersTimeout), // whole milliseconds only
      bodyTimeout: Math.ceil(bodyTimeout),
    })
    this.#socket = socket
    this.#before = heard.map((event) => socket.listenerCount(event))
  }

  attach(): void {
    // Another engine may have left it so that it does not keep the process alive; undici knows of its own doings only.
    this.#socket.ref()
    for (const [index, listeners] of this.#shelved.entries())
      for (const listener of listeners) this.#socket.on(heard[index] as string, listener)
    this.#shelved = []
  }

  detach(): void {
    this.#shelved = heard.map((event, index) => this.#socket.listeners(event).slice(this.#before[index]) as Listener[])
    for (const [index, listeners] of this.#shelved.entries())
      for (const listener of listeners) this.#socket.off(heard[index] as string, listener)
  }
}

type Listener = (...args: unknown[]) => void

const urls = new WeakMap<OriginPool, URL>()

/**
 * One URL for all clients of an origin. undici reads its parts with every request, and each read of a URL's part builds
 * a string anew; here they are plain values.
 */
function urlOf(origin: OriginPool): URL {
  let url = urls.get(origin)
  if (url === undefined) {
    url = new URL(origin.target.origin)
    for (const part of ['origin', 'protocol', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'] as const)
      Object.defineProperty(url, part, { value: url[part] })
    urls.set(origin, url)
  }
  return url
}
