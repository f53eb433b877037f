/**
 * A connection as it was at one moment: plain data for events, errors and logs.
 */
import type { AppliedLiveness } from './liveness/settings.js'

/** A connection as it was at one moment. */
export interface ConnectionSnapshot {
  /** Counts up within one pool, from 1. */
  readonly id: number
  /** `https://example.com` */
  readonly origin: string
  /** Port of this end; undefined for a Unix domain socket. */
  readonly localPort: number | undefined
  /** IP address of the other end; undefined for a Unix domain socket. */
  readonly remoteAddress: string | undefined
  /** Port of the other end; undefined for a Unix domain socket. */
  readonly remotePort: number | undefined
  /** Milliseconds since it was opened. */
  readonly age: number
  /** Milliseconds since it last became idle; 0 while a request is on it. */
  readonly idle: number
  /** Requests it was given so far. */
  readonly requests: number
  /** Idle time the server advertised, in milliseconds. */
  readonly advertisedTimeout: number | undefined
  /** Requests the server still allows on it; undefined when it named no `max`. */
  readonly remaining: number | undefined
  /** Smoothed round-trip time in milliseconds, as the kernel measured it last; undefined where it cannot be asked. */
  readonly rtt: number | undefined
  /** TCP keepalive as it stands on the socket. */
  readonly liveness: AppliedLiveness
}
