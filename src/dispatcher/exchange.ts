/**
 * One request and its response: stands in line for a connection, rides on it through undici's client, and brings the
 * caller's handler what comes back. It is the waiter that the pool knows, and the handler that the client knows.
 *
 * The caller's handler sees one request whatever happens below: `onConnect` once, then either a response or one error.
 *
 *     dispatch > [waiting] > granted > [queued in the client] > sent > response | error
 */
import { type Duplex, Readable } from 'node:stream'
import { type Dispatcher, errors } from 'undici'
import { addCause, ConnectionError, KeepwiseError } from '../errors.js'
import type { Connection } from '../pool/connection.js'
import type { OriginPool } from '../pool/origin-pool.js'
import type { PoolCore } from '../pool/pool-core.js'
import { Waiter } from '../pool/waiter.js'
import { type EngineOptions, engineOf } from './engine.js'
import { connectionHeaders } from './headers.js'
import type { Abort, LegacyHandler } from './legacy-handler.js'

type Listener = (error: Error) => void

const none: readonly Listener[] = []

/** Keeps a request from being written: its caller has dropped it, or its connection is not fit any more. */
const dropped = new errors.RequestAbortedError('dropped before it was sent')

export class Exchange extends Waiter {
  private readonly engineOptions: EngineOptions
  private connection: Connection | undefined = undefined
  private abortSent: Abort | undefined = undefined
  /** The caller's handler has had its last word. */
  private settled = false
  private lookedTwice = false
  /** The client has begun to write it on the present connection. */
  private sent = false
  /** undici's listeners for errors of the body, until it is sent. */
  private heldOff: readonly Listener[] = none
  /** All of it is written. */
  private sentWhole = false

  constructor(
    private readonly core: PoolCore,
    private origin: OriginPool,
    private readonly options: Dispatcher.DispatchOptions,
    private readonly handler: LegacyHandler,
  ) {
    super()
    this.engineOptions = core.options
  }

  /** Begins. The handler learns how to abort before there is a connection, so that one can leave the line as well. */
  start(): void {
    this.core.taken()
    try {
      this.handler.onConnect((reason) => this.abort(reason))
    } catch (error) {
      this.fail(error as Error)
      return
    }
    if (this.settled) return
    const { body } = this.options
    if (isStream(body)) {
      body.on('error', (error) => this.bodyFailed(error))
      if (body.errored) this.abort(body.errored)
    }
    if (!this.settled) this.origin.acquire(this)
  }

  // --- to the pool ---------------------------------------------------------------------------------------------------

  granted(connection: Connection): void {
    this.connection = connection
    const engine = engineOf(connection, this.engineOptions)
    const options = this.optionsOn(connection)
    const { body } = this.options
    const before = isStream(body) ? body.listeners('error') : undefined
    engine.dispatch(options, this as unknown as Dispatcher.DispatchHandler)
    if (before !== undefined && !this.sent) this.holdErrorsOff(body as Readable, before)
  }

  refused(error: Error): void {
    this.fail(error)
  }

  // --- to undici's client --------------------------------------------------------------------------------------------

  onConnect(abort: Abort): void {
    if (this.settled || !this.origin.confirm(this.connection as Connection, !this.lookedTwice)) throw dropped
    this.sent = true
    const { reset, upgrade, method } = this.options
    if (reset === true) this.connection?.retire('server-close')
    else if (upgrade || method === 'CONNECT') this.connection?.retire('upgrade')
    for (const listener of this.heldOff) (this.options.body as Readable).on('error', listener)
    this.heldOff = none
    this.abortSent = abort
  }

  onBodySent(chunk: never): void {
    this.handler.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.sentWhole = true
    this.handler.onRequestSent?.()
  }

  onResponseStarted(): void {
    this.handler.onResponseStarted?.()
  }

  onHeaders(statusCode: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean {
    // An interim response says nothing of the connection.
    if (statusCode >= 200) this.noteHeaders(rawHeaders)
    return this.handler.onHeaders(statusCode, rawHeaders, resume, statusText)
  }

  onData(chunk: Buffer): boolean {
    return this.handler.onData(chunk)
  }

  /** The connection goes back first: a request that the caller sends from within its handler can have it. */
  onComplete(trailers: Buffer[]): void {
    const connection = this.connection as Connection
    this.connection = undefined
    // Answered before it was sent: the rest of it would be taken for the next request.
    if (!this.sentWhole) connection.retire('aborted')
    this.settle()
    this.origin.release(connection)
    this.handler.onComplete(trailers)
  }

  onUpgrade(statusCode: number, rawHeaders: Buffer[], socket: Duplex): void {
    const connection = this.connection as Connection
    this.connection = undefined
    this.origin.detach(connection)
    this.settle()
    this.handler.onUpgrade(statusCode, rawHeaders, socket)
  }

  onError(error: Error): void {
    const { connection } = this
    this.connection = undefined
    if (connection === undefined) {
      // The response was complete, and the handler threw over it.
      this.handler.onError(error)
    } else if (this.sent) {
      // While the socket still stands it is the caller's own doing: an abort, a handler that threw, a body that failed.
      if (!connection.link.destroyed) connection.retire('aborted')
      else if (connection.closeReason !== 'pool-closed') explain(error, connection, this.core)
      this.origin.discard(connection, error)
      this.fail(error)
    } else if (error === dropped && !this.settled && !connection.link.destroyed) {
      // Nobody could say whether it is still good after a long turn of the event loop: it settles, once.
      this.lookedTwice = true
      this.origin.giveBack(connection)
      this.acquireAgain()
    } else if (!connection.link.destroyed) {
      // Its own fault (an invalid header), or nobody's (it was dropped): the connection is as good as before.
      this.origin.giveBack(connection)
      this.fail(error)
    } else if (connection.reused) {
      // Gone before anything was written: not one byte can have been processed. Any method goes elsewhere.
      this.origin.giveBack(connection)
      if (!this.settled) this.acquireAgain()
    } else {
      // A new connection that did not live to see its request: another one would hardly do better.
      const early = new errors.SocketError('other side closed before the request was sent')
      explain(early, connection, this.core)
      this.fail(early)
    }
  }

  // --- inside --------------------------------------------------------------------------------------------------------

  private acquireAgain(): void {
    this.origin = this.core.current(this.origin)
    this.origin.acquire(this)
  }

  private abort(reason?: Error): void {
    if (this.settled) return
    if (this.sent) {
      this.connection?.retire('aborted')
      this.abortSent?.(reason)
      return
    }
    // Not sent: it leaves the line, or the client's queue when its turn comes (see onConnect).
    if (this.connection === undefined) this.origin.cancel(this)
    this.fail(reason ?? new errors.RequestAbortedError())
  }

  /**
   * Keeps undici from hearing of a body's failure until the request is written: it would close the connection, on which
   * nothing was sent, for it.
   *
   * @param before the listeners that were there before undici's
   */
  private holdErrorsOff(body: Readable, before: readonly unknown[]): void {
    this.heldOff = body.listeners('error').filter((listener) => !before.includes(listener)) as Listener[]
    for (const listener of this.heldOff) body.off('error', listener)
  }

  /** Until undici listens to the body itself, that is from when the request is sent. */
  private bodyFailed(error: Error): void {
    if (!this.sent) this.abort(error)
  }

  private fail(error: Error): void {
    if (this.settled) return
    this.settle()
    try {
      this.handler.onError(error)
    } catch (thrown) {
      // Nobody is left to tell. It must not unwind whatever was serving others here, nor be lost.
      queueMicrotask(() => {
        throw thrown
      })
    }
  }

  private settle(): void {
    this.settled = true
    this.core.settled()
  }

  private noteHeaders(rawHeaders: Buffer[]): void {
    const connection = this.connection as Connection
    const { keepAlive, persists, close } = connectionHeaders(rawHeaders)
    if (close) connection.retire('server-close')
    if (keepAlive !== undefined) this.origin.hints.heard(connection, keepAlive, persists)
  }

  /** The caller's options, and what this connection makes of them; a copy only where something differs. */
  private optionsOn(connection: Connection): Dispatcher.DispatchOptions {
    const { options } = this
    const { servername } = this.origin.target
    const last = connection.closeReason !== undefined
    // undici closes after HEAD, for servers that send a body with it; here such bytes are noticed (`poisoned`).
    const keepsHead = options.method === 'HEAD' && options.reset == null
    if (servername === null && !last && !keepsHead) return options
    return {
      ...options,
      // undici would close a connection on which the server name seems to change.
      ...(servername === null ? {} : { servername }),
      ...(last ? { reset: true } : keepsHead ? { reset: false } : {}),
    }
  }
}

const isStream = (body: unknown): body is Readable => body instanceof Readable

/** Adds to an error what is known of the connection it happened on. */
function explain(error: Error, connection: Connection, core: PoolCore): void {
  if (error instanceof KeepwiseError) return
  addCause(error, () => new ConnectionError(connection.snapshot(core.clock.now()), error.message))
}
