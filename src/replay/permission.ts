/**
 * May a request that died with its connection be sent again? From the level that was chosen, the way it died and the
 * verdict on it: pure.
 */
import type { Verdict } from './verdict.js'

/**
 * Which requests may be sent again when a reused connection died under them, each level with those before it:
 *
 * - `off`: none.
 * - `idempotent`: those whose repetition does no harm, and those of which nothing was sent.
 * - `proven`: those that the peer provably refused.
 * - `closing`: those of which the peer has acknowledged nothing, though it might still read them.
 */
export const replayLevels = ['off', 'idempotent', 'proven', 'closing'] as const

/**
 * Which requests may be sent again when a reused connection died under them, each level with those before it: `off`, none;
 * `idempotent`, those whose repetition does no harm; `proven`, those that the peer provably refused; `closing`, those of which
 * the peer has acknowledged nothing.
 */
export type ReplayLevel = (typeof replayLevels)[number]

/** Replays of one request. The last one goes out on a new connection, which no keep-alive race can meet. */
export const MOST_REPLAYS = 2

/** RFC 9110 9.2.2. */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** By which a client tells the server to recognise a repetition (draft-ietf-httpapi-idempotency-key-header). */
export const IDEMPOTENCY_KEY = 'idempotency-key'

export function isIdempotent(method: string): boolean {
  return idempotentMethods.has(method)
}

/**
 * What ended a request:
 *
 * - `peer`: the peer's FIN or RST.
 * - `death`: the peer was found dead.
 * - `other`: a timeout, an abort, a response that made no sense.
 */
export type RequestEnd = 'peer' | 'death' | 'other'

/** How a request died. */
export interface Death {
  /** The connection had served before, or idled. */
  readonly reused: boolean
  readonly end: RequestEnd
  /** Part of the response had arrived. */
  readonly answered: boolean
  /** How often it had been sent again before. */
  readonly replays: number
  /** Its body can be sent again. */
  readonly repeatable: boolean
}

/**
 * Why a request that died was not sent again:
 *
 * - `new-connection`: it died on a new connection, which is no keep-alive race: the next one would hardly do better.
 * - `not-the-peer`: it was neither the peer's FIN or RST that ended the connection nor its death, but a timeout, or a response
 *   that made no sense.
 * - `response-begun`: part of the response had arrived.
 * - `off`: replay is switched off.
 * - `too-many`: it has been sent again often enough.
 * - `body-gone`: its body was a stream, or too long to be remembered, and cannot be sent again.
 * - `unknown-node`: it was sent through an agent, and this Node's requests are not known well enough to send one again.
 * - `not-proven`: it may have been processed, and must not be twice.
 * - `unreachable`: its peer was found dead, and no new connection could be opened to send it again.
 */
export type ReplayRefusal =
  | 'new-connection'
  | 'not-the-peer'
  | 'response-begun'
  | 'off'
  | 'too-many'
  | 'body-gone'
  | 'unknown-node'
  | 'not-proven'
  | 'unreachable'

/** What speaks against sending it again whatever the evidence may be; undefined for nothing. */
export function refusalWithoutTrial(level: ReplayLevel, death: Death): ReplayRefusal | undefined {
  // A peer's death has nothing to do with how long the connection was open.
  if (!death.reused && death.end !== 'death') return 'new-connection'
  if (death.end === 'other') return 'not-the-peer'
  if (death.answered) return 'response-begun'
  if (level === 'off') return 'off'
  if (death.replays >= MOST_REPLAYS) return 'too-many'
  return death.repeatable ? undefined : 'body-gone'
}

/**
 * Whether the verdict allows it.
 *
 * @param harmless whether a repetition does no harm: an idempotent method, or an `Idempotency-Key`
 */
export function permits(level: ReplayLevel, verdict: Verdict, harmless: boolean): boolean {
  if (level === 'off') return false
  if (harmless || verdict === 'unsent') return true
  if (verdict === 'refused') return level === 'proven' || level === 'closing'
  return verdict === 'closing' && level === 'closing'
}

/** Whether it is worth waiting for evidence that is still on its way. */
export function needsProof(level: ReplayLevel, harmless: boolean): boolean {
  return !harmless && (level === 'proven' || level === 'closing')
}
