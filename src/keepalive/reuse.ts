/**
 * May this idle connection carry a request now? Asked by the pool before each reuse; pure.
 */
import type { KernelView } from '../liveness/tcp-info.js'
import type { CloseReason } from '../reasons.js'
import { expired, type IdleFacts } from './expiry.js'

export interface ReuseFacts extends IdleFacts {
  /** When it was last known to be good: at the end of a quick exchange, or when the kernel said so. */
  readonly trustedAt: number
}

/** In milliseconds. Servers count their idle timers in seconds; none is shorter than half of one. */
const SHORTEST_IDLE_TIMER = 500

/**
 * Whether an exchange was so quick that its connection can be trusted at its end. After a long one the response may have
 * waited for a blocked event loop, with the server's FIN behind it.
 */
export function wasQuick(grantedAt: number, now: number): boolean {
  return now - grantedAt < SHORTEST_IDLE_TIMER
}

/** Whether the connection has to be looked at before it is used again: not if it was good in this very millisecond. */
export function mustAsk({ trustedAt }: ReuseFacts, now: number): boolean {
  return now > trustedAt
}

/** In milliseconds. What was in use so lately is not worth a second look. */
const A_MOMENT = 100

/**
 * Whether to look once more just before the request is written: a turn of the event loop lies between, and it can be
 * long. Not for a connection that was in use until a moment ago.
 */
export function mustAskAgain({ idleSince, trustedAt }: ReuseFacts, now: number): boolean {
  return now > trustedAt && now - idleSince >= A_MOMENT
}

/** What a connection's age is to be compared with, beside the facts that close it. */
export interface DoubtFacts extends ReuseFacts {
  /** After what idle time the server has closed connections, though not often enough to be sure; undefined for never. */
  readonly suspectedTimeout: number | undefined
}

/**
 * Whether a request that must not be repeated had better go out on another connection: the server may be about to close
 * this one.
 *
 * @param provable whether it could be proven then that the request was not processed
 */
export function isDoubtful(
  { idleSince, suspectedTimeout, margin }: DoubtFacts,
  provable: boolean,
  now: number,
): boolean {
  const age = now - idleSince
  if (age < SHORTEST_IDLE_TIMER) return false
  return !provable || (suspectedTimeout !== undefined && age >= suspectedTimeout - margin)
}

/** Whether the peer owes an answer to a probe, or acknowledgements: not the one to trust with a request. */
export function owesAnswer(kernel: KernelView | undefined): boolean {
  return kernel !== undefined && (kernel.probes > 0 || kernel.retransmits > 0)
}

/**
 * What the facts, and the kernel where it could be asked, say of an idle connection: the reason to close it, or
 * undefined when it is fit for use.
 */
export function unfit(facts: ReuseFacts, kernel: KernelView | undefined, now: number): CloseReason | undefined {
  if (kernel === undefined) return expired(facts, now)
  // FIN or RST are in, though JavaScript has not read them.
  if (!kernel.established) return 'stale'
  if (kernel.unread > 0) return 'poisoned'
  return expired(facts, now, kernel.sinceLastData)
}
