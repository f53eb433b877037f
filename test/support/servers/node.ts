/**
 * A real node:http or node:https server for a test, with a record of every connection it accepted and every request it
 * served on each. Always closes everything, connections included.
 */
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { testCertificates } from '../tls.js'

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void | Promise<void>

/** What node's server takes, and what the test wants of it. Times are milliseconds. */
export interface ServerOptions extends Omit<https.ServerOptions, 'keepAliveTimeout'> {
  /** @default answers 200 'ok' once the request's body has been read */
  handler?: Handler
  /** Serve https, with the localhost certificate unless the options name another. @default false */
  tls?: boolean
  /** @default '127.0.0.1' */
  host?: string
  /** Listen on a unix socket instead of a port. */
  socketPath?: string
  /**
   * Idle time that node's server advertises, in whole seconds, and after which it closes; 0 = advertises nothing and
   * never closes. It closes up to 1000 ms later than it says. @default 5000, or 0 with `closeIdleAfter`
   */
  keepAliveTimeout?: number
  /** Close a connection exactly this long after its last response, whatever was advertised. @default undefined: never */
  closeIdleAfter?: number
  /** Requests on one connection; the last answer says `Connection: close`. 0 = no limit. @default 0 */
  maxRequestsPerSocket?: number
}

/** One request as the server saw it. Times as from `performance.now()`. */
export interface ServedRequest {
  method: string
  path: string
  receivedAt: number
  /** When its response was complete or its connection gone; undefined while it runs. */
  finishedAt?: number
}

/** One accepted connection and what it served. */
export interface ServedConnection {
  /** 1 for the first that the server accepted. */
  id: number
  clientPort: number | undefined
  openedAt: number
  /** Undefined while it is open. */
  closedAt?: number
  requests: ServedRequest[]
  /** Whether TLS resumed an earlier session; undefined for plain connections. */
  resumed?: boolean
  socket: Socket
}

export interface RunningServer extends AsyncDisposable {
  /** `http://127.0.0.1:41234`; for a unix socket `http://localhost`. */
  origin: string
  port: number
  server: http.Server | https.Server
  /** Every connection ever accepted, in order. */
  connections: ServedConnection[]
  /** How many connections are open now. */
  openConnections(): number
  /** How many requests have arrived, on all connections. */
  requestCount(): number
  close(): Promise<void>
}

/** Runs `body` with a server, and closes the server whatever happens. */
export async function withServer<T>(
  options: ServerOptions | Handler,
  body: (running: RunningServer) => T | Promise<T>,
): Promise<T> {
  const running = await startServer(options)
  try {
    return await body(running)
  } finally {
    await running.close()
  }
}

export async function startServer(options: ServerOptions | Handler = {}): Promise<RunningServer> {
  const {
    handler = answerOk,
    tls = false,
    host = '127.0.0.1',
    socketPath,
    closeIdleAfter,
    keepAliveTimeout = closeIdleAfter === undefined ? undefined : 0,
    maxRequestsPerSocket,
    ...nodeOptions
  }: ServerOptions = typeof options === 'function' ? { handler: options } : options

  const connections: ServedConnection[] = []
  const bySocket = new WeakMap<Socket, ServedConnection>()
  const idleTimers = new WeakMap<Socket, NodeJS.Timeout>()

  const listener: http.RequestListener = (request, response) => {
    const connection = bySocket.get(request.socket)!
    const served: ServedRequest = {
      method: request.method ?? '',
      path: request.url ?? '',
      receivedAt: performance.now(),
    }
    connection.requests.push(served)
    response.once('close', () => {
      served.finishedAt = performance.now()
    })
    if (closeIdleAfter !== undefined) {
      clearTimeout(idleTimers.get(request.socket))
      response.once('finish', () => {
        idleTimers.set(request.socket, setTimeout(() => request.socket.destroy(), closeIdleAfter).unref())
      })
    }
    Promise.resolve(handler(request, response)).catch((error) => response.destroy(error))
  }

  const server = tls
    ? https.createServer({ ...testCertificates().localhost, ...nodeOptions }, listener)
    : http.createServer(nodeOptions, listener)
  if (keepAliveTimeout !== undefined) server.keepAliveTimeout = keepAliveTimeout
  if (maxRequestsPerSocket !== undefined) server.maxRequestsPerSocket = maxRequestsPerSocket

  const sockets = new Set<Socket>()
  // Plain sockets too where TLS is spoken: a connection that never finishes its handshake must be closed as well.
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket | TLSSocket) => {
    const connection: ServedConnection = {
      id: connections.length + 1,
      clientPort: socket.remotePort,
      openedAt: performance.now(),
      requests: [],
      socket,
      ...(tls && { resumed: (socket as TLSSocket).isSessionReused() }),
    }
    connections.push(connection)
    bySocket.set(socket, connection)
    socket.once('close', () => {
      connection.closedAt = performance.now()
    })
  })

  await listen(server, socketPath === undefined ? { host, port: 0 } : { path: socketPath })
  const port = socketPath === undefined ? (server.address() as AddressInfo).port : 0
  const close = () => closeAll(server, sockets)
  return {
    origin: `${tls ? 'https' : 'http'}://${socketPath === undefined ? hostAndPort(host, port) : 'localhost'}`,
    port,
    server,
    connections,
    openConnections: () => connections.filter((connection) => connection.closedAt === undefined).length,
    requestCount: () => connections.reduce((sum, connection) => sum + connection.requests.length, 0),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function answerOk(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  for await (const _ of request) {
    // Read to the end: an unread body would make the server close the connection.
  }
  response.end('ok')
}

function listen(server: http.Server, where: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function closeAll(server: http.Server, sockets: Set<Socket>): Promise<void> {
  const closed = [server, ...sockets].map((one) => new Promise((resolve) => one.once('close', resolve)))
  if (server.listening) server.close()
  else closed.shift()
  // By hand: closeAllConnections() does not know upgraded connections and unfinished handshakes.
  for (const socket of sockets) socket.destroy()
  await Promise.all(closed)
}

function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
