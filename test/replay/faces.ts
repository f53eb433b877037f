/** The faces of a pool towards its callers, as far as a race looks the same through each: for tests of both. */
import { send as sendByUndici } from '../dispatcher/support.js'
import { type Answer, sendByHttp } from './caller.js'
import type { TrackPool } from './race-track.js'

export interface Face {
  readonly name: string
  /** What callers see where the server has closed the connection. */
  readonly closedCode: string
  readonly closedMessage: string
  /** One request, its response read to the end. */
  send(pool: TrackPool, origin: string, options?: FaceRequest): Promise<Answer>
}

export interface FaceRequest {
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: string | null
}

export const throughDispatcher: Face = {
  name: 'through the dispatcher',
  closedCode: 'UND_ERR_SOCKET',
  closedMessage: 'other side closed',
  send: (pool, origin, options = {}) => sendByUndici(pool, origin, options as Parameters<typeof sendByUndici>[2]),
}

export const throughAgents: Face = {
  name: 'through the agents',
  closedCode: 'ECONNRESET',
  closedMessage: 'socket hang up',
  send: (pool, origin, options) => sendByHttp(pool, origin, options),
}
