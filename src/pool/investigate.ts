/**
 * Finds out what became of a request whose connection died under it, and whether it may be sent again.
 */
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
