/**
 * How much earlier than the server we stop using a connection.
 *
 * The server's timer starts when it has sent its response and we count from what we received; a request needs half a
 * round trip to get there, and our own event loop may be late. RTT + 4 x RTT variance is the bound that TCP itself uses
 * for "an answer should have been here by now" (RFC 6298 2.3).
 */

/** Smallest automatic margin, in milliseconds: a timer tick of a server that counts coarsely. */
export const SMALLEST_MARGIN = 50

/**
 * The round-trip variance that was observed on a connection. The kernel begins with a guess of half a round trip, of which
 * each sample leaves three quarters (RFC 6298 2.2, 2.3): on a young connection that is nearly all of its value.
 *
 * @param samples round trips that were measured since the first one
 */
export function observedVariance(rtt: number, rttVariance: number, samples: number): number {
  return Math.max(0, rttVariance - (rtt / 2) * 0.75 ** samples)
}

/** All in milliseconds; `rtt` and `rttVariance` are 0 where the kernel cannot be asked. */
export function automaticMargin(rtt: number, rttVariance: number, loopLag: number): number {
  return Math.max(SMALLEST_MARGIN, rtt + 4 * rttVariance + loopLag)
}
