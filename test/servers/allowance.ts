/**
 * Judges an access log: was a connection used after its server had said, or was configured to say, that it should not be?
 */
import { type AccessLogEntry, byConnection, idleTimes } from '../support/servers/access-log.js'
import type { ApacheLogEntry } from '../support/servers/apache.js'

/** What a server allows on a connection after one of its responses. */
export interface Allowance {
  /** Milliseconds until the next request at the latest. */
  idle: number
  /** Requests that may follow. */
  requests: number
}

/** Every request that came when its connection was used up, in words. */
export function overuse<Entry extends AccessLogEntry>(
  log: readonly Entry[],
  allowanceAfter: (entry: Entry) => Allowance,
): string[] {
  return byConnection(log).flatMap((entries) =>
    idleTimes(entries).flatMap((idled, index) => {
      const allowed = allowanceAfter(entries[index]!)
      const name = `request ${index + 2} of connection ${entries[index]!.connection}`
      return [
        ...(allowed.requests < 1 ? [`${name} came though no more were allowed`] : []),
        ...(idled > allowed.idle ? [`${name} came after ${idled.toFixed(1)} ms, allowed were ${allowed.idle}`] : []),
      ]
    }),
  )
}

/** What Apache's own headers said, as it has logged them. */
export function allowanceInHeaders({ connectionHeader, keepAliveHeader }: ApacheLogEntry): Allowance {
  if (connectionHeader?.toLowerCase() === 'close') return { idle: 0, requests: 0 }
  const hints = /^timeout=(\d+), max=(\d+)$/.exec(keepAliveHeader ?? '')
  if (hints === null) throw new Error(`Apache kept the connection, and its hints are "${keepAliveHeader}"`)
  return { idle: Number(hints[1]) * 1000, requests: Number(hints[2]) }
}

/** For servers that are configured to always allow the same. */
export const fixedAllowance =
  ({ idle, requests }: Allowance) =>
  ({ nth }: AccessLogEntry): Allowance => ({ idle, requests: requests - nth })

/** The longest time that a connection idled and was then used again. */
export function longestReusedIdle(log: readonly AccessLogEntry[]): number {
  return Math.max(0, ...byConnection(log).flatMap(idleTimes))
}

/** How many requests each connection of the log has served. */
export function requestsPerConnection(log: readonly AccessLogEntry[]): number[] {
  return byConnection(log).map((entries) => entries.length)
}
