/**
 * How long a connection may idle, and why no longer: pure functions of the facts. Called at release (to set the
 * deadline), by the pool's timer, and before reuse.
 */
import type { CloseReason } from '../reasons.js'

/** All times in milliseconds. A `Connection` has these fields itself, so that nothing is copied on the hot path. */
export interface IdleFacts {
  /** When it became idle, on the pool's clock. */
  readonly idleSince: number
  /** From `Keep-Alive: timeout=` of this connection, or of its origin until its first response. */
  readonly advertisedTimeout: number | undefined
  /** After what time this server was seen to close idle connections. */
  readonly learnedTimeout: number | undefined
  /** The option, which holds when the server said nothing. */
  readonly keepAliveTimeout: number
  /**
   * After what time something in between is known to end an idle connection, or the server to close it, if it advertises
   * nothing; undefined where nothing is known to.
   */
  readonly throughTimeout?: number | undefined
  /** The option: the cap on what was advertised or learned. */
  readonly keepAliveMaxTimeout: number
  /** Taken off what was advertised or learned, or is known of what is in between. */
  readonly margin: number
  /** When `maxLifetime` is over; Infinity without one. */
  readonly lifetimeEndsAt: number
}

/** Idle time allowed. At or below 0: not to be kept at all. */
export function idleAllowance(facts: IdleFacts): number {
  const { learnedTimeout, keepAliveMaxTimeout } = facts
  const untaught = untaughtAllowance(facts)
  return learnedTimeout === undefined
    ? untaught
    : Math.min(untaught, Math.min(learnedTimeout, keepAliveMaxTimeout) - facts.margin)
}

/** Idle time that would be allowed if nothing had been learned. */
export function untaughtAllowance(facts: IdleFacts): number {
  const { advertisedTimeout, keepAliveTimeout, throughTimeout } = facts
  if (advertisedTimeout === undefined)
    return throughTimeout === undefined ? keepAliveTimeout : Math.min(keepAliveTimeout, throughTimeout - facts.margin)
  return Math.min(advertisedTimeout, facts.keepAliveMaxTimeout) - facts.margin
}

/** The reason to give when `idleAllowance` is over: what was learned counts only where it is shorter. */
export function idleReason(facts: IdleFacts): CloseReason {
  if (idleAllowance(facts) < untaughtAllowance(facts)) return 'learned-timeout'
  return facts.advertisedTimeout === undefined ? 'idle-timeout' : 'advertised-timeout'
}

/** When an idle connection is to be closed at the latest. */
export function idleDeadline(facts: IdleFacts): number {
  return Math.min(facts.idleSince + idleAllowance(facts), facts.lifetimeEndsAt)
}

/**
 * The reason to close an idle connection now, or undefined while it may be used.
 *
 * @param silent how long the kernel has received no data on it: the server's timer started before we came to read, so
 *   the longer of the two ages counts
 */
export function expired(facts: IdleFacts, now: number, silent = 0): CloseReason | undefined {
  if (now >= facts.lifetimeEndsAt) return 'max-lifetime'
  const age = Math.max(now - facts.idleSince, silent)
  return age >= idleAllowance(facts) ? idleReason(facts) : undefined
}
