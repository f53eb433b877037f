/**
 * A client's connection as it was at one moment: plain data for events and logs.
 */
import type { AppliedLiveness } from '../liveness/settings.js'

/** A client's connection as it was at one moment. */
export interface ClientSnapshot {
  /** Counts up within one server, from 1. */
  readonly id: number
  /** IP address of the client; undefined for a Unix domain socket. */
  readonly remoteAddress: string | undefined
  /** Port of the client; undefined for a Unix domain socket. */
  readonly remotePort: number | undefined
  /** Port of the server; undefined for a Unix domain socket. */
  readonly localPort: number | undefined
  /** Milliseconds since it was accepted. */
  readonly age: number
  /** Milliseconds since its last response was sent; 0 while there is a request on it. */
  readonly idle: number
  /** Requests that it has brought so far. */
  readonly requests: number
  /** Requests that it may still bring; Infinity where there is no `max`. */
  readonly remaining: number
  /** Smoothed round-trip time in milliseconds; undefined where the kernel cannot be asked. */
  readonly rtt: number | undefined
  /** TCP keepalive as it stands on the socket. */
  readonly liveness: AppliedLiveness
}

/**
 * What was going on: nothing; part of a request had arrived; or a request had arrived, and its response was awaited or
 * under way.
 */
export type During = 'idle' | 'request' | 'response'
