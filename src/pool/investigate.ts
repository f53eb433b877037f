/**
 * Finds out what became of a request whose connection died under it, and whether it may be sent again; and tells its
 * caller, where it may not.
 */
import { addCause, ConnectionError, KeepwiseError, PeerDeadError, type ReplayVerdict } from '../errors.js'
import {
  type Death,
  needsProof,
  permits,
  type ReplayLevel,
  type ReplayRefusal,
  refusalWithoutTrial,
} from '../replay/permission.js'
import { type Evidence, type Verdict, verdictOf } from '../replay/verdict.js'
import type { Connection } from './connection.js'

/** A request that died. */
export interface Casualty extends Death {
  /** A repetition of it does no harm. */
  readonly harmless: boolean
  /** The server's last word was a 408 that cannot have been meant for it. */
  readonly requestTimeout: boolean
}

export interface Finding {
  readonly verdict: Verdict
  readonly evidence: Evidence
  /** Why it must not be sent again; undefined if it may. */
  readonly refusal: ReplayRefusal | undefined
}

/**
 * Calls back once, at once or when the evidence is in. What is found about a server's idle timeout is remembered.
 *
 * @param diedAt when its connection ended
 */
export function investigate(
  connection: Connection,
  level: ReplayLevel,
  casualty: Casualty,
  diedAt: number,
  done: (finding: Finding) => void,
): void {
  const { harmless, requestTimeout } = casualty
  const refusal = refusalWithoutTrial(level, casualty)
  connection.link.inquire(refusal === undefined && needsProof(level, harmless), (seen) => {
    const evidence = requestTimeout ? { ...seen, requestTimeout } : seen
    const verdict = verdictOf(evidence)
    if (verdict !== 'unknown') connection.origin.raced(connection, diedAt)
    const unproven = permits(level, verdict, harmless) ? undefined : 'not-proven'
    done({ verdict, evidence, refusal: refusal ?? unproven })
  })
}

/**
 * Whether a 408 after which the server closes may be no answer to the request. Some servers say so to a connection that has
 * idled for too long before they close it: if that crosses a request on its way, they have acknowledged nothing of it.
 *
 * @param mayRepeat a request that does no harm, and has no body that can have been too slow, is repeated after any 408
 *   (RFC 9110 15.5.9)
 */
export function isPerhapsUnasked({ link }: Connection, mayRepeat: boolean): boolean {
  if (mayRepeat) return true
  let acknowledged: number | undefined
  link.inquire(false, (evidence) => {
    acknowledged = evidence.acknowledged
  })
  return acknowledged === 0
}

type Untimed = Omit<ReplayVerdict, 'idleBefore'>

/** Adds to an error what is known of the connection it happened on, and why the request was not sent again. */
export function explainDeath(error: Error, connection: Connection, now: number, replay: Untimed): Error {
  if (error instanceof KeepwiseError) return error
  addCause(
    error,
    () =>
      peerDeath(undefined, connection, now, replay) ??
      new ConnectionError(connection.snapshot(now), error.message, timed(connection, replay)),
  )
  return error
}

/** The error for a request whose peer is dead; undefined if its connection has died of something else. */
export function peerDeath(
  error: Error | undefined,
  connection: Connection,
  now: number,
  replay: Untimed,
): PeerDeadError | undefined {
  const { death } = connection
  return death && new PeerDeadError(connection.snapshot(now), death, timed(connection, replay), error)
}

function timed({ grantedAt, idleSince }: Connection, replay: Untimed): ReplayVerdict {
  return { ...replay, idleBefore: Math.max(0, grantedAt - idleSince) }
}
