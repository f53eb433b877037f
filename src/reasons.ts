/**
 * Why a connection was closed: one closed union. The same words stand in events, stats, logs and the documentation.
 */
export const closeReasons = [
  /** Idle for `keepAliveTimeout`; the server had advertised nothing. */
  'idle-timeout',
  /** Idle for as long as the server's `Keep-Alive: timeout=` allows, less the margin. */
  'advertised-timeout',
  /** The server's `Keep-Alive: max=` requests are used up. */
  'advertised-max',
  /** Idle for as long as this server was seen to allow, less the margin. */
  'learned-timeout',
  /** Served `maxRequests` requests. */
  'max-requests',
  /** Older than `maxLifetime`. */
  'max-lifetime',
  /** The response or the request said `Connection: close`, or it was HTTP/1.0 without keep-alive. */
  'server-close',
  /** The server closed its end (FIN). */
  'server-fin',
  /** The connection was reset (RST, or a write to a closed socket). */
  'reset',
  /** Found unusable when the kernel was asked before reuse: the server's FIN was already there, or probes were out. */
  'stale',
  /** Bytes arrived on an idle connection: nobody asked for them, and the next response could be mistaken for them. */
  'poisoned',
  /** The peer was found dead: it has not answered for Ti + Td x Nm, was restarted, or cannot be reached. */
  'dead',
  /**
   * An idle connection that did not answer when it was asked out of turn, because another one to its address was found dead,
   * or the process had slept; or its address is gone from DNS.
   */
  'evicted',
  /** One idle connection too many, or it made room for another origin. */
  'surplus',
  /** Handed over to its caller by CONNECT or an upgrade. */
  'upgrade',
  /** The exchange on it was cut short by its caller, or answered before it was sent. */
  'aborted',
  /** Anything else that broke it: a malformed response, a response that took too long, an error of the socket. */
  'error',
  /** The pool was closed or destroyed. */
  'pool-closed',
] as const

/** One of `closeReasons`. */
export type CloseReason = (typeof closeReasons)[number]
