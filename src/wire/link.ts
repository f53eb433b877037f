/**
 * What the pool knows of the thing it pools: a `Link` is one connected socket, seen from above. The pool drives links
 * and dialers only; tests give it some that have no socket.
 */

import type { AppliedLiveness } from '../liveness/settings.js'
import type { KernelView } from '../liveness/tcp-info.js'
import type { Signs } from '../liveness/vital-signs.js'
import type { Evidence } from '../replay/verdict.js'

export interface Link {
  readonly localPort: number | undefined
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly liveness: AppliedLiveness
  /** Destroyed, by whomever; its close is then reported, or about to be. */
  readonly destroyed: boolean
  /** Asks the kernel; undefined where it cannot be asked, or where its answer would need a second look. The view is valid until the next call on any link. */
  inspect(): KernelView | undefined
  /** Asks the kernel whether the peer is still there; undefined where it cannot be asked. */
  signs(): Signs | undefined
  /** Has the kernel ask the peer at once whether it is there; returns false where that cannot be done. */
  ask(): boolean
  /** Has it ask as it is set up to, again. */
  askAsUsual(): void
  /** What is known of its end so far. */
  readonly ending: LinkEnding
  /** Whether the end of a request on it can be proven: the kernel can be asked. */
  readonly provable: boolean
  /** A request is about to be written: should the link end under it, the evidence is about the bytes from here on. */
  beginRequest(): void
  /** The peer has begun to answer, or nothing was written after all: how the link ends says nothing of a request any more. */
  endRequest(): void
  /**
   * What became of the request that was begun last. Called back once; with no evidence where nobody can be asked.
   *
   * @param patiently whether to give acknowledgements and RST two round trips to arrive; else the answer is what is known now
   */
  inquire(patiently: boolean, done: (evidence: Evidence) => void): void
  /** Nobody reads it from now on: it does not keep the process alive, and watches itself for FIN and stray bytes. */
  park(): void
  /** Somebody is about to use it. */
  unpark(): void
  /** Closes it at once: what was not sent is not sent. */
  destroy(error?: Error): void
  /** Lets the socket go: it belongs to somebody else now, and none of its events concern us any more. */
  letGo(): void
  /** Told once when it is closed, if not through `destroy` here. Set by the connection that takes the link. */
  owner: LinkOwner | undefined
}

export interface LinkOwner {
  linkEnded(ending: LinkEnding): void
}

/** How a link came to its end when the pool did not end it. */
export interface LinkEnding {
  /** What it was destroyed with; undefined for none. */
  readonly error: Error | undefined
  /** The peer had closed its end. */
  readonly fin: boolean
  /** Milliseconds since the peer's FIN arrived, and from its last data to its FIN, where the kernel could tell. */
  readonly finAge: number | undefined
  readonly silence: number | undefined
  /** How the peer stood at the end, where the kernel could tell. */
  readonly signs: Signs | undefined
}

/** Whom to connect to. */
export interface Target {
  /** `http://host:port` as URL.origin gives it. */
  readonly origin: string
  readonly protocol: 'http:' | 'https:'
  /** As in a URL: an IPv6 address in brackets. */
  readonly hostname: string
  /** Empty for the protocol's own. */
  readonly port: string
  /** TLS server name (SNI) and the name certificates are checked against; null for none (plain, or an IP address). */
  readonly servername: string | null
}

/** An attempt that is under way. */
export interface Dialing {
  /** Gives it up; `done` is then called with the error. */
  cancel(error: Error): void
}

/** Opens a link and calls `done` exactly once, never before it returned. */
export type Dialer = (target: Target, done: (error: Error | null, link?: Link) => void) => Dialing
