/**
 * What is told of a peer that is suspected to be dead, or was found so.
 */
import type { Signs } from './vital-signs.js'

/**
 * How it is known that a peer is gone:
 *
 * - `unanswered`: it has answered nothing for Ti + Td x Nm.
 * - `reset`: its host has answered, after a silence of Ti, that it knows nothing of the connection: it was restarted, or
 *   something on the way has forgotten the connection (RFC 9293 3.5.1).
 * - `unreachable`: a router, or this host, says that there is no way to it.
 */
export const deathCauses = ['unanswered', 'reset', 'unreachable'] as const

export type DeathCause = (typeof deathCauses)[number]

/** Numbers are undefined where the kernel cannot be asked. */
export interface PeerEvidence {
  /**
   * What the connection was doing: nothing, waiting for (the rest of) a response, or sending what was not acknowledged.
   */
  readonly doing: 'idle' | 'waiting' | 'sending'
  readonly cause: DeathCause
  /** Milliseconds since anything was heard of the peer, be it a bare acknowledgement. */
  readonly lastHeard: number | undefined
  /** Probes in a row that it has not answered. */
  readonly probes: number | undefined
  /** Retransmissions in a row that it has not acknowledged. */
  readonly retransmits: number | undefined
  /** Segments that it has not acknowledged. */
  readonly unacknowledged: number | undefined
  /** Smoothed round-trip time in milliseconds. */
  readonly rtt: number | undefined
}

/** @param asked whether a request was under way */
export function evidenceOf(signs: Signs | undefined, asked: boolean, cause: DeathCause = 'unanswered'): PeerEvidence {
  const isSending = signs !== undefined && (signs.unacknowledged > 0 || signs.retransmits > 0)
  return {
    doing: !asked ? 'idle' : isSending ? 'sending' : 'waiting',
    cause,
    lastHeard: signs?.silence,
    probes: signs?.probes,
    retransmits: signs?.retransmits,
    unacknowledged: signs?.unacknowledged,
    rtt: signs?.rtt,
  }
}
