/**
 * What is told of a peer that is suspected to be dead, or was found so.
 */
import type { Patience, Signs } from './vital-signs.js'

/**
 * How it is known that a peer is gone:
 *
 * - `unanswered`: it has answered nothing for Ti + Td x Nm.
 * - `reset`: its host has answered, after a silence of Ti, that it knows nothing of the connection: it was restarted, or
 *   something on the way has forgotten the connection (RFC 9293 3.5.1).
 * - `unreachable`: a router, or this host, says that there is no way to it.
 */
export const deathCauses = ['unanswered', 'reset', 'unreachable'] as const

/** One of `deathCauses`. */
export type DeathCause = (typeof deathCauses)[number]

/** How a peer stands that is suspected to be dead, or was found so. Numbers are undefined where the kernel cannot be asked. */
export interface PeerEvidence {
  /**
   * What the connection was doing: nothing, waiting for (the rest of) a response, or sending what was not acknowledged.
   */
  readonly doing: 'idle' | 'waiting' | 'sending'
  /** How it is known that it is gone; of a suspicion, `unanswered`. */
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

/**
 * How an error of a socket shows that the peer is dead; undefined if it does not.
 *
 * @param silence how long nothing was heard of the peer before
 */
export function deathCause(
  code: string | undefined,
  silence: number | undefined,
  patience: Patience | undefined,
): DeathCause | undefined {
  switch (code) {
    case 'ETIMEDOUT':
      return 'unanswered'
    // Where an ICMP error came in the meantime, the kernel gives up with that instead (tcp_write_err).
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'unreachable'
    // A server that resets an idle connection by itself was heard when it was last asked: this is the answer to a question.
    case 'ECONNRESET':
      return silence !== undefined && patience !== undefined && silence >= patience.idle ? 'reset' : undefined
  }
  return undefined
}

export const codeOf = (error: Error | undefined): string | undefined =>
  (error as NodeJS.ErrnoException | undefined)?.code
