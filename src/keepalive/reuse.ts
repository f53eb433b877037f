/**
 * May this idle connection carry a request now? Asked by the pool before each reuse; pure.
 */
import type { KernelView } from '../liveness/tcp-info.js'
import type { CloseReason } from '../reasons.js'
import { expired, type IdleFacts } from './expiry.js'

export interface ReuseFacts extends IdleFacts {
  /** When its last request was handed over: the server certainly spoke to us after that. */
  readonly grantedAt: number
}

/**
 * Whether the connection's state has to be looked at before it is used again.
 *
 * Not if it went idle in this very millisecond, unless its last exchange took so long that the response may have waited
 * for a blocked event loop, with the server's FIN behind it: no server's idle timer is shorter than a tenth of a second.
 */
export function mustAsk({ idleSince, grantedAt }: ReuseFacts, now: number): boolean {
  return now - idleSince >= 1 || now - grantedAt >= 100
}

/**
 * Whether to look once more just before the request is written: a turn of the event loop lies between, and a turn can be
 * long. Not for a connection that was in use until a moment ago.
 */
export function mustAskAgain({ idleSince, grantedAt }: ReuseFacts, now: number): boolean {
  return now - grantedAt >= 1 && now - idleSince >= 100
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
  // The peer owes an answer to a probe, or acknowledgements: not the one to trust with a request.
  if (kernel.probes > 0 || kernel.retransmits > 0) return 'stale'
  return expired(facts, now, kernel.sinceLastData)
}
