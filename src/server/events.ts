/**
 * The events of a kept server, typed; otherwise as those of a pool.
 */
import { Events } from '../events.js'
import type { PeerEvidence } from '../liveness/evidence.js'
import type { ClientSnapshot, During } from './snapshot.js'

export interface ServerEvents {
  /** A client has been silent for Ti, and has not answered since. It may still recover. */
  suspect: (event: {
    readonly client: ClientSnapshot
    readonly evidence: PeerEvidence
    readonly during: During
  }) => void
  /** A client is dead. Its socket is destroyed, so that whoever handles its request learns of it. */
  dead: (event: { readonly client: ClientSnapshot; readonly evidence: PeerEvidence; readonly during: During }) => void
}

export type ServerEvent = keyof ServerEvents

/** What `Events` is for these events: it looks at no name itself. */
export interface ServerEmitter {
  heard(event: ServerEvent): boolean
  emit<Name extends ServerEvent>(event: Name, payload: Parameters<ServerEvents[Name]>[0]): void
  on<Name extends ServerEvent>(event: Name, listener: ServerEvents[Name]): void
  once<Name extends ServerEvent>(event: Name, listener: ServerEvents[Name]): void
  off<Name extends ServerEvent>(event: Name, listener: ServerEvents[Name]): void
}

export const createEmitter = (): ServerEmitter => new Events() as unknown as ServerEmitter
