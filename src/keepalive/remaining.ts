/**
 * How many more requests a server allows on a connection, after a response that named `max`.
 *
 * `max` has two dialects. Apache sends what remains after this response (99, 98, … 1, and then `Connection: close`).
 * Node's server sends its constant total (100, 100, …). Read as a remainder, a constant total would allow one request
 * too many, so a server that repeats itself is taken at its total.
 */

export interface RequestFacts {
  /** Requests answered on the connection, this one included. */
  readonly answered: number
  /** What the count stood at before this response; Infinity when nothing was ever said. */
  readonly remaining: number
  /** `max` of this response, if it had one. */
  readonly max: number | undefined
  /** Whether this server is known to send a constant total. */
  readonly constant: boolean
}

/** Requests that may still be sent. Only ever falls: each response uses one up, and `max` can only lower it. */
export function remainingRequests({ answered, remaining, max, constant }: RequestFacts): number {
  const left = remaining - 1
  if (max === undefined) return left
  return Math.max(0, Math.min(left, constant ? max - answered : max))
}

/**
 * What two successive `max` values on one connection say of the server's dialect: true for a constant total, false for
 * a count-down, undefined when they say nothing.
 */
export function dialectSeen(previous: number | undefined, max: number | undefined): boolean | undefined {
  if (previous === undefined || max === undefined) return undefined
  if (max === previous) return true
  return max < previous ? false : undefined
}
