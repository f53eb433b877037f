/**
 * The handler shape that undici 7 speaks inside: what its own API hands to `dispatch`, and the built-in fetch of Node 20
 * to 24. Public but barely typed there.
 */
import type { Duplex } from 'node:stream'
import { errors } from 'undici'

export type Abort = (reason?: Error) => void

export interface LegacyHandler {
  onConnect(abort: Abort): void
  onError(error: Error): void
  /** Only of requests that upgrade; the next three only of those that do not. */
  onUpgrade(statusCode: number, rawHeaders: Buffer[], socket: Duplex): void
  onHeaders(statusCode: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean
  onData(chunk: Buffer): boolean
  onComplete(trailers: Buffer[]): void
  onResponseStarted?(): void
  onBodySent?(chunk: never): void
  onRequestSent?(): void
}

/**
 * Throws for the mistakes that people make in a request, in undici's words, before a connection is spent on it. The rest
 * undici finds when it has one.
 */
export function assertRequest({ path, method }: { path?: unknown; method?: unknown }): void {
  if (typeof path !== 'string') throw new errors.InvalidArgumentError('path must be a string')
  if (path[0] !== '/' && !/^https?:\/\//.test(path) && method !== 'CONNECT')
    throw new errors.InvalidArgumentError('path must be an absolute URL or start with a slash')
  if (typeof method !== 'string') throw new errors.InvalidArgumentError('method must be a string')
}

/** Throws for a handler without the methods its request will call, before a connection is spent on it. */
export function assertLegacyHandler(
  handler: Partial<LegacyHandler>,
  upgrades: boolean,
): asserts handler is LegacyHandler {
  const needed = upgrades ? forUpgrade : forResponse
  for (const method of needed)
    if (typeof handler[method] !== 'function') throw new errors.InvalidArgumentError(`invalid ${method} method`)
}

const forUpgrade = ['onConnect', 'onError', 'onUpgrade'] as const
const forResponse = ['onConnect', 'onError', 'onHeaders', 'onData', 'onComplete'] as const
