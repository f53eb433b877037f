/**
 * Errors, one class for each phase in which something can fail. Every one has a `code` to match on, a message that says
 * what happened, the state in numbers and what to do, and the underlying error as its `cause`.
 */
import type { PeerEvidence } from './liveness/evidence.js'
import type { ReplayRefusal } from './replay/permission.js'
import type { Evidence, Verdict } from './replay/verdict.js'
import type { ConnectionSnapshot } from './snapshot.js'

/** The codes, in one closed union. */
export type KeepwiseErrorCode =
  | 'ERR_KEEPWISE_OPTION'
  | 'ERR_KEEPWISE_ACQUIRE_TIMEOUT'
  | 'ERR_KEEPWISE_QUEUE_FULL'
  | 'ERR_KEEPWISE_CONNECT'
  | 'ERR_KEEPWISE_CONNECTION'
  | 'ERR_KEEPWISE_PEER_DEAD'
  | 'ERR_KEEPWISE_CLOSED'

/** The base of all errors of keepwise: `error instanceof KeepwiseError`. */
export class KeepwiseError extends Error {
  /** The name of its class. */
  override readonly name: string = 'KeepwiseError'

  constructor(
    /** What to match on. */
    readonly code: KeepwiseErrorCode,
    message: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause })
  }
}

/** Gives an error a cause, unless it has one, or is such that it can have none (frozen, or no error at all). */
export function addCause(error: unknown, makeCause: () => Error): void {
  if (error instanceof Error && error.cause === undefined && Object.isExtensible(error)) error.cause = makeCause()
}

/** An option that does not exist, or a value it cannot take. Thrown at construction, before anything is opened. */
export class OptionError extends KeepwiseError {
  override readonly name = 'OptionError'

  constructor(
    /** The option's name, with dots for nested ones: `connect.timeout`. */
    readonly option: string,
    message: string,
  ) {
    super('ERR_KEEPWISE_OPTION', message)
  }
}

/** How an origin stood when a request to it failed for want of a connection. */
export interface OriginState {
  /** `https://example.com` */
  readonly origin: string
  /** Connections with a request on them. */
  readonly active: number
  /** Connections with nothing to do. */
  readonly idle: number
  /** Connections being opened. */
  readonly dialing: number
  /** Requests that wait for a connection. */
  readonly waiting: number
  /** The option. */
  readonly maxConnections: number
}

const describe = ({ active, idle, dialing, waiting, maxConnections }: OriginState): string =>
  `${active} active, ${idle} idle, ${dialing} dialing of at most ${maxConnections} connections; ${waiting} waiting`

/** No connection became free within `acquireTimeout`. Its cause is the last connect error of the origin, if any. */
export class AcquireTimeoutError extends KeepwiseError {
  override readonly name = 'AcquireTimeoutError'

  constructor(
    /** The origin when it happened. */
    readonly state: OriginState,
    /** Milliseconds it waited. */
    readonly waited: number,
    cause?: unknown,
  ) {
    super(
      'ERR_KEEPWISE_ACQUIRE_TIMEOUT',
      `No connection to ${state.origin} within ${Math.round(waited)} ms (${describe(state)}). ` +
        'Raise maxConnections or acquireTimeout, send fewer requests at once, or make sure response bodies are read.',
      cause,
    )
  }
}

/** `maxWaiting` requests already wait for this origin. */
export class QueueFullError extends KeepwiseError {
  override readonly name = 'QueueFullError'

  constructor(
    /** The origin when it happened. */
    readonly state: OriginState,
    maxWaiting: number,
  ) {
    super(
      'ERR_KEEPWISE_QUEUE_FULL',
      `Too many requests wait for ${state.origin}: maxWaiting is ${maxWaiting} (${describe(state)}). ` +
        'Send fewer requests at once, or raise maxConnections or maxWaiting.',
    )
  }
}

/** A connection could not be opened. It is the cause of the error that the caller sees (ECONNREFUSED, …). */
export class ConnectError extends KeepwiseError {
  override readonly name = 'ConnectError'

  constructor(
    /** The origin when it happened. */
    readonly state: OriginState,
    /** Milliseconds it was tried for. */
    readonly elapsed: number,
    reason: string,
  ) {
    super(
      'ERR_KEEPWISE_CONNECT',
      `Could not connect to ${state.origin}: ${reason} after ${Math.round(elapsed)} ms (${describe(state)}).`,
    )
  }
}

/** Why a request that died with its connection was not sent again. */
export interface ReplayVerdict {
  /** What became of the request, as far as it can be told. */
  readonly verdict: Verdict
  /** What the verdict stands on; undefined where nothing was sent. */
  readonly evidence?: Evidence
  /** Why it was not sent again all the same. */
  readonly refusal: ReplayRefusal
  /** How long the connection had idled before the request, in milliseconds. */
  readonly idleBefore: number
}

/** A connection failed under a request. It is the cause of the error that the caller sees (UND_ERR_SOCKET, …). */
export class ConnectionError extends KeepwiseError {
  override readonly name: string = 'ConnectionError'
  /** What became of the request, as far as it can be told. */
  readonly verdict: Verdict
  /** What the verdict stands on; undefined where the request was never begun. */
  readonly evidence: Evidence | undefined
  /** Why it was not sent again. */
  readonly refusal: ReplayRefusal
  /** How long the connection had idled before the request, in milliseconds. */
  readonly idleBefore: number

  constructor(
    /** The connection when it failed. */
    readonly connection: ConnectionSnapshot,
    reason: string,
    replay: ReplayVerdict,
    code: KeepwiseErrorCode = 'ERR_KEEPWISE_CONNECTION',
    cause?: unknown,
  ) {
    const { id, origin, requests, age, remoteAddress, remotePort } = connection
    super(
      code,
      `Connection ${id} to ${origin} (${remoteAddress ?? 'local socket'}:${remotePort ?? '-'}) failed under its ` +
        `request number ${requests}, ${Math.round(age)} ms after it was opened: ${reason}. ${explainReplay(replay)}`,
      cause,
    )
    this.verdict = replay.verdict
    this.evidence = replay.evidence
    this.refusal = replay.refusal
    this.idleBefore = replay.idleBefore
  }
}

/**
 * The peer was found dead under a request (RFC 9293 3.8.4). Through the dispatcher it is what the caller gets, and its cause is
 * the error of the socket (ETIMEDOUT, …); through an agent it is the cause of that.
 */
export class PeerDeadError extends ConnectionError {
  override readonly name = 'PeerDeadError'

  constructor(
    connection: ConnectionSnapshot,
    /** How the peer stood when it was given up. */
    readonly peer: PeerEvidence,
    replay: ReplayVerdict,
    cause?: unknown,
  ) {
    super(connection, explainPeer(peer), replay, 'ERR_KEEPWISE_PEER_DEAD', cause)
  }
}

const causes: Readonly<Record<PeerEvidence['cause'], string>> = {
  unanswered: 'its peer is dead, it has answered nothing',
  reset: 'its peer was restarted, or something on the way has forgotten the connection',
  unreachable: 'its peer cannot be reached any more',
}

function explainPeer({ cause, lastHeard, probes, retransmits }: PeerEvidence): string {
  if (lastHeard === undefined) return causes[cause]
  return `${causes[cause]} (last heard ${lastHeard} ms ago, ${probes} probes and ${retransmits} retransmissions unanswered)`
}

const refusals: Readonly<Record<ReplayRefusal, string>> = {
  off: 'replay is "off".',
  'not-proven':
    'it may have been processed. Give it an Idempotency-Key if the server honours one, or choose another "replay".',
  'body-gone': 'its body was a stream, or too long to be remembered. Give it as a string or a buffer.',
  'unknown-node': "this Node's requests are not known well enough to be sent again (capabilities.requestReplay).",
  'new-connection': 'the connection was new, so this was no keep-alive race.',
  'response-begun': 'part of the response had arrived.',
  'not-the-peer': 'it was not the peer that ended the connection.',
  'too-many': 'it had been sent again before.',
  unreachable: 'no new connection could be opened for it.',
}

function explainReplay({ verdict, evidence, refusal, idleBefore }: ReplayVerdict): string {
  const { sent, acknowledged } = evidence ?? {}
  const bytes = sent === undefined ? '' : ` (${acknowledged} of ${sent} bytes acknowledged)`
  const idle = refusal === 'new-connection' ? '' : `It had idled for ${Math.round(idleBefore)} ms before. `
  return `${idle}The verdict on the request is "${verdict}"${bytes}; it was not sent again: ${refusals[refusal]}`
}

/** The pool was closed or destroyed before or under this request. */
export class ClosedError extends KeepwiseError {
  override readonly name = 'ClosedError'

  constructor(state: 'closed' | 'destroyed', cause?: unknown) {
    super(
      'ERR_KEEPWISE_CLOSED',
      `The pool is ${state} and takes no more requests. Send them before close() or destroy(), or create another pool.`,
      cause,
    )
  }
}
