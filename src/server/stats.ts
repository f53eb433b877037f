/**
 * What a kept server counts.
 */

/** Since `keepAlive` was called. */
export class ServerCounters {
  accepted = 0
  requests = 0
  reused = 0
  refused = 0
  timedOut = 0
  exhausted = 0
  suspected = 0
  dead = 0
}

/** What `stats()` of a kept server returns: plain data. */
export interface ServerStats extends Readonly<ServerCounters> {
  /** Connections with a request on them, now. */
  readonly active: number
  /** Connections without one, now. */
  readonly idle: number
  /** Connections that speak something else by now: WebSockets, tunnels. */
  readonly upgraded: number
  /** Connections that were accepted. */
  readonly accepted: number
  /** Requests that were given to the server's handlers. */
  readonly requests: number
  /** Of these, those that came on a connection that had served one before. */
  readonly reused: number
  /** Requests that came behind one whose response was to be the last. No handler sees them (RFC 9112 9.6). */
  readonly refused: number
  /** Connections that were closed because they had idled for `timeout`, or for the `grace` of `close`. */
  readonly timedOut: number
  /** Connections whose last response said so because of `max`. */
  readonly exhausted: number
  /** Clients that were suspected to be dead. */
  readonly suspected: number
  /** Clients that were dead. */
  readonly dead: number
  /** `close` was called. */
  readonly closing: boolean
}

/** What `close` had to end because its `limit` was over. */
export interface Left {
  /** Connections that were still open, upgraded ones included. */
  readonly connections: number
  /** Of these, those with a request that was not answered in full. */
  readonly requests: number
}
