/**
 * What can be said of a request that died with its connection, from what the wire has shown: a pure function. The
 * argument behind each line, and what it assumes, is in `docs/proof.md`.
 */

/** What was seen of the wire, from the write of a request to the end of its connection. Bytes are those on the wire, TLS included. */
export interface Evidence {
  /** Bytes of the request that were given to the system to send; undefined where they cannot be counted. */
  readonly written: number | undefined
  /** Of these, those that have left this machine; undefined where the kernel cannot be asked. */
  readonly sent: number | undefined
  /** Of these, those that the peer's kernel has acknowledged; undefined where the kernel cannot be asked. */
  readonly acknowledged: number | undefined
  /** The peer's FIN has arrived. */
  readonly fin: boolean
  /** The connection was reset: the peer's RST has arrived. */
  readonly reset: boolean
  /** The peer said 408 (Request Timeout) before it can have seen the request. */
  readonly requestTimeout: boolean
  /** Milliseconds that were given to acknowledgements and the RST to arrive. */
  readonly watched: number
}

/**
 * - `unsent`: not one byte has left this machine.
 * - `refused`: the peer had closed, has acknowledged nothing of the request, and its kernel has answered it with RST:
 *   nobody was there to read it.
 * - `closing`: the peer has said that it closes, and acknowledged nothing of the request so far. It may still read it.
 * - `unknown`: it may have been processed.
 */
export type Verdict = 'unsent' | 'refused' | 'closing' | 'unknown'

/** RFC 9110 9.2.2: a request may be repeated if the client can tell that it was never applied. This is the telling. */
export function verdictOf({ written, sent, acknowledged, fin, reset, requestTimeout }: Evidence): Verdict {
  if (written === 0) return 'unsent'
  if (sent === undefined || acknowledged === undefined || acknowledged > 0) return 'unknown'
  if (sent === 0 && reset) return 'unsent'
  if (fin && reset) return 'refused'
  if (fin || requestTimeout) return 'closing'
  return 'unknown'
}

/** Whether no further look can change the verdict. */
export function isFinal({ written, acknowledged, reset }: Evidence): boolean {
  return written === 0 || acknowledged === undefined || acknowledged > 0 || reset
}
