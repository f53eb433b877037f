/**
 * The events of a kept server, typed; otherwise as those of a pool.
 */
import type { PeerEvidence } from '../liveness/evidence.js'
import type { ClientSnapshot, During } from './snapshot.js'

/** The events of a kept server: the name of each, and the type of its listeners. */
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

/** The name of an event of a kept server. */
export type ServerEvent = keyof ServerEvents
