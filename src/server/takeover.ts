/**
 * Stands between a server and its listeners: is told of what Node tells the server, and may keep a request from them.
 *
 * By the server's own `emit`, not by a listener: a listener cannot keep an event from the others, and is not the first if
 * another was put before it.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { Settings } from './announce.js'

export type AnyServer = http.Server | https.Server

export interface Watcher {
  /** A TCP connection was made, on which TLS may come first. */
  connected(socket: Socket): void
  /** A connection is ready for requests. */
  accepted(socket: Socket): void
  /** A request has arrived. Returns whether the server may have it. */
  requested(request: IncomingMessage, response: ServerResponse): boolean
  /** A request has arrived that turns the connection into something else. Returns whether the server may have it. */
  upgraded(request: IncomingMessage): boolean
}

export const isServer = (value: unknown): value is AnyServer =>
  value instanceof http.Server || value instanceof https.Server

type Emit = AnyServer['emit']

/** Returns what puts everything back. */
export function takeOver(server: AnyServer, settings: Settings, watcher: Watcher): () => void {
  const { keepAliveTimeout, maxRequestsPerSocket } = server
  const before = Object.getOwnPropertyDescriptor(server, 'emit')
  const emit = server.emit
  const ready = server instanceof https.Server ? 'secureConnection' : 'connection'
  let isWatching = true

  function watchedEmit(this: AnyServer, event: string, first?: unknown, second?: unknown): boolean {
    if (isWatching && !tell(event, first, second)) return true
    // biome-ignore lint/complexity/noArguments: an array for them would be one more for each event
    return Reflect.apply(emit, this, arguments)
  }

  function tell(event: string, first: unknown, second: unknown): boolean {
    switch (event) {
      case 'request':
      case 'checkContinue':
      case 'checkExpectation':
        return watcher.requested(first as IncomingMessage, second as ServerResponse)
      case 'upgrade':
      case 'connect':
        return watcher.upgraded(first as IncomingMessage)
    }
    if (event === 'connection') watcher.connected(first as Socket)
    if (event === ready) watcher.accepted(first as Socket)
    return true
  }

  server.emit = watchedEmit as Emit
  Object.assign(server, settings)

  return () => {
    isWatching = false
    Object.assign(server, { keepAliveTimeout, maxRequestsPerSocket })
    // Where somebody has put one of their own over it, it stays below that and passes everything on.
    if (server.emit !== watchedEmit) return
    if (before === undefined) delete (server as Partial<AnyServer>).emit
    else Object.defineProperty(server, 'emit', before)
  }
}

/** Has a server take no more connections, and leaves those that it has alone: its own `close` ends the idle ones. */
export function stopListening(server: AnyServer): void {
  const before = Object.getOwnPropertyDescriptor(server, 'closeIdleConnections')
  server.closeIdleConnections = () => {}
  try {
    server.close()
  } finally {
    if (before === undefined) delete (server as Partial<AnyServer>).closeIdleConnections
    else Object.defineProperty(server, 'closeIdleConnections', before)
  }
}
