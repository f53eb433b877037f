/**
 * Looks at a connection on which no request is under way, and writes down on it what the kernel has measured. Finds reasons
 * against lending it; closes nothing.
 */
import { unfit } from '../keepalive/reuse.js'
import type { KernelView } from '../liveness/tcp-info.js'
import type { CloseReason } from '../reasons.js'
import type { Connection } from './connection.js'
import { endingReason } from './ending.js'

/**
 * The reason why a connection cannot be lent, or undefined.
 *
 * @param kernel what it says now; undefined where it cannot be asked
 */
export function reasonNotToLend(
  connection: Connection,
  kernel: KernelView | undefined,
  now: number,
): CloseReason | undefined {
  const { link, patience } = connection
  if (link.destroyed) return endingReason(link.ending, false, patience)
  if (kernel !== undefined) {
    connection.measured(kernel)
    connection.trustedAt = now
  }
  return unfit(connection, kernel, now)
}

/**
 * After a long exchange: the response may have waited for a blocked event loop. The server's idle timer then started
 * when the kernel received it, and its FIN may be behind it.
 */
export function lookBack(connection: Connection, now: number): KernelView | undefined {
  const kernel = connection.link.inspect()
  if (kernel === undefined) connection.trustedAt = connection.grantedAt
  else {
    connection.measured(kernel)
    connection.idleSince = now - kernel.sinceLastData
  }
  return kernel
}
