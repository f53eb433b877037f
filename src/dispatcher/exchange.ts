/**
 * One request and its response: stands in line for a connection, rides on it through undici's client, and brings the
 * caller's handler what comes back. It is the waiter that the pool knows, and the handler that the client knows.
 *
 * The caller's handler sees one request whatever happens below: `onConnect` once, then either a response or one error.
 *
 *     dispatch > [waiting] > granted > [queued in the client] > sent > response | error
 *                    ^                                            |
 *                    '-------- replay < verdict < evidence < [its connection died]
 */
import type { Duplex, Readable } from 'node:stream'
import { type Dispatcher, errors } from 'undici'
import { connectionHeaders } from '../keepalive/headers.js'
import type { Connection } from '../pool/connection.js'
import { requestEnd } from '../pool/ending.js'
import {
  type Casualty,
  explainDeath,
  type Finding,
  investigate,
  isPerhapsUnasked,
  peerDeath,
} from '../pool/investigate.js'
import type { OriginPool } from '../pool/origin-pool.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { RequestEnded } from '../pool/request-watch.js'
import { Waiter } from '../pool/waiter.js'
import {
  IDEMPOTENCY_KEY,
  isIdempotent,
  MOST_REPLAYS,
  type ReplayRefusal,
  type RequestEnd,
} from '../replay/permission.js'
import { RememberedBody } from '../replay/remembered-body.js'
import { isRepeatable, isStream, remembered } from './body.js'
import { type EngineOptions, engineOf } from './engine.js'
import { requestHeader } from './headers.js'
import { HeldResponse, type ResponseHead } from './held-response.js'
import type { Abort, LegacyHandler } from './legacy-handler.js'

type Listener = (error: Error) => void

const none: readonly Listener[] = []

/** Keeps a request from being written: its caller has dropped it, or its connection is not fit any more. */
const dropped = new errors.RequestAbortedError('dropped before it was sent')

/** Ends an exchange, inside, whose 408 (Request Timeout) is no answer to it. Callers never see it. */
const unasked = new errors.RequestAbortedError('408 that preceded the request')

const REQUEST_TIMEOUT = 408

export class Exchange extends Waiter {
  private readonly engineOptions: EngineOptions
  /** What is sent: the caller's body, or one that remembers it. */
  private body: unknown
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
  /** Something of the response has arrived on the present connection. */
  private answered = false
  /** A 408 that may be no answer to this request: kept from the caller until that is clear. */
  private held: HeldResponse | undefined
  /** How often it was sent again. */
  private replays = 0
  /** The error it would have failed with, if its peer's death is why it was sent again. */
  private escaped: ((refusal: ReplayRefusal) => Error) | undefined = undefined
  /** Chunks of the body that were written on the present connection. */
  private chunksSent = 0
  /** What the caller was told of, and is not to be told again when it is sent again. */
  private chunksTold = 0
  private toldSent = false
  /** Of the response that the caller is given. */
  private status: number | undefined = undefined
  /** Tells those who measure; undefined where nobody does. */
  private ended: RequestEnded | undefined = undefined
  /** That a response begins, which was none. */
  private toldStarted = false

  constructor(
    private readonly core: PoolCore,
    private origin: OriginPool,
    private readonly options: Dispatcher.DispatchOptions,
    private readonly handler: LegacyHandler,
  ) {
    super()
    this.engineOptions = core.options
    this.body = options.body
  }

  /** Begins. The handler learns how to abort before there is a connection, so that one can leave the line as well. */
  start(): void {
    this.core.taken()
    this.ended = this.core.requests.began(this.origin.target.origin, this.options.method)
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
    const { escaped, core } = this
    this.fail(escaped === undefined || core.destroyed ? error : escaped('unreachable'))
  }

  /** What must not be repeated had better not race. */
  override prefersNew(): boolean {
    return !this.harmless
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
    this.chunksSent++
    if (this.chunksSent <= this.chunksTold) return
    this.chunksTold = this.chunksSent
    this.handler.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.sentWhole = true
    if (this.toldSent) return
    this.toldSent = true
    this.handler.onRequestSent?.()
  }

  onResponseStarted(): void {
    this.answered = true
    if (this.toldStarted) this.toldStarted = false
    else this.handler.onResponseStarted?.()
  }

  onHeaders(statusCode: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean {
    if (statusCode === REQUEST_TIMEOUT && this.mayBeUnasked(rawHeaders)) {
      this.noteHeaders(rawHeaders)
      this.hold([statusCode, rawHeaders, resume, statusText])
      return true
    }
    const { reused, link } = this.connection as Connection
    if (reused) link.endRequest()
    // An interim response says nothing of the connection.
    if (statusCode >= 200) {
      this.noteHeaders(rawHeaders)
      this.status = statusCode
    }
    return this.handler.onHeaders(statusCode, rawHeaders, resume, statusText)
  }

  onData(chunk: Buffer): boolean {
    return this.held === undefined ? this.handler.onData(chunk) : this.held.onData(chunk)
  }

  /** The connection goes back first: a request that the caller sends from within its handler can have it. */
  onComplete(trailers: Buffer[]): void {
    const connection = this.connection as Connection
    this.connection = undefined
    // Answered before it was sent: the rest of it would be taken for the next request.
    if (!this.sentWhole) connection.retire('aborted')
    if (this.held === undefined) {
      this.settle()
      this.origin.release(connection)
      this.handler.onComplete(trailers)
    } else {
      this.origin.release(connection)
      this.held.onComplete(trailers)
    }
  }

  onUpgrade(statusCode: number, rawHeaders: Buffer[], socket: Duplex): void {
    const connection = this.connection as Connection
    this.connection = undefined
    this.origin.detach(connection)
    this.status = statusCode
    this.settle()
    this.handler.onUpgrade(statusCode, rawHeaders, socket)
  }

  onError(error: Error): void {
    const { connection } = this
    this.connection = undefined
    if (connection === undefined) {
      // The response was complete, and the handler threw over it.
      this.handler.onError(error)
    } else if (error === unasked) {
      this.origin.discard(connection, error)
    } else if (this.sent) {
      this.diedUnder(connection, error)
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
      explainDeath(early, connection, this.core.clock.now(), { verdict: 'unsent', refusal: 'new-connection' })
      this.fail(early)
    }
  }

  // --- a connection that died under the request ----------------------------------------------------------------------

  private diedUnder(connection: Connection, error: Error): void {
    const { core, origin } = this
    const { link } = connection
    // While the socket still stands it is the caller's own doing: an abort, a handler that threw, a body that failed.
    if (!link.destroyed) connection.retire('aborted')
    const end = link.destroyed ? requestEnd(link.ending, connection) : 'other'
    const isOwnDoing = !link.destroyed || connection.closeReason === 'pool-closed'
    const diedAt = core.clock.now()
    origin.discard(connection, error)
    if (isOwnDoing || this.settled) {
      this.fail(error)
      return
    }
    const casualty = this.casualty(connection, end, this.held !== undefined && !this.answered)
    this.held = undefined
    this.sent = false
    if (this.body instanceof RememberedBody) this.body.cutOff()
    core.onTrial.add(this)
    investigate(connection, core.options.replay, casualty, diedAt, (finding) => {
      if (this.settled) return // it was aborted meanwhile
      // What was being read when it died may have been too much to be remembered.
      const refusal = finding.refusal ?? (isRepeatable(this.body) ? undefined : 'body-gone')
      const failure = (refusal: ReplayRefusal): Error => {
        const now = core.clock.now()
        const verdict = { ...finding, refusal }
        return peerDeath(error, connection, now, verdict) ?? explainDeath(error, connection, now, verdict)
      }
      if (refusal !== undefined) this.fail(failure(refusal))
      else this.replay(finding, end === 'death' ? failure : undefined)
    })
  }

  /** @param escaped makes the error that it would have failed with, where its peer has died: then this is the last time */
  private replay({ verdict, evidence }: Finding, escaped?: (refusal: ReplayRefusal) => Error): void {
    this.core.onTrial.delete(this)
    this.escaped = escaped
    this.toldStarted = evidence.requestTimeout
    this.replays++
    this.wantsNew = this.replays === MOST_REPLAYS || escaped !== undefined
    this.waitingSince = this.core.clock.now()
    this.sent = this.sentWhole = this.answered = this.lookedTwice = false
    this.held = undefined
    this.connection = undefined
    this.chunksSent = 0
    this.origin.replays({ method: this.options.method, verdict, evidence, attempt: this.replays })
    this.acquireAgain()
  }

  private casualty({ reused }: Connection, end: RequestEnd, requestTimeout: boolean): Casualty {
    const { harmless } = this
    const answered = this.answered && !requestTimeout
    const replays = this.escaped === undefined ? this.replays : MOST_REPLAYS
    return { reused, end, answered, replays, repeatable: isRepeatable(this.body), harmless, requestTimeout }
  }

  /** Whether a repetition does no harm. */
  private get harmless(): boolean {
    const { method, headers } = this.options
    return isIdempotent(method) || Boolean(requestHeader(headers, IDEMPOTENCY_KEY))
  }

  /** Whether a 408 may be no answer to this request. */
  private mayBeUnasked(rawHeaders: Buffer[]): boolean {
    const connection = this.connection as Connection
    if (!connection.reused || !connectionHeaders(rawHeaders).close) return false
    return isPerhapsUnasked(connection, this.harmless && this.body == null)
  }

  /** Keeps a 408 from the caller until it is clear whether the request can be sent again. */
  private hold(head: ResponseHead): void {
    const { core, handler } = this
    const connection = this.connection as Connection
    const held = new HeldResponse(head, {
      onHeaders: (...args) => {
        this.status = head[0]
        return handler.onHeaders(...args)
      },
      onData: (chunk) => handler.onData(chunk),
      onComplete: (trailers) => {
        this.settle()
        handler.onComplete(trailers)
      },
    })
    this.held = held
    this.answered = false
    core.onTrial.add(this)
    const casualty = this.casualty(connection, 'peer', true)
    investigate(connection, core.options.replay, casualty, core.clock.now(), (finding) => {
      // It was aborted meanwhile, or its connection has died and that is being looked into.
      if (this.settled || this.held !== held) return
      if (finding.refusal !== undefined) this.letThrough(held)
      else {
        if (this.connection === connection) this.abortSent?.(unasked)
        this.replay(finding)
      }
    })
  }

  private letThrough(held: HeldResponse): void {
    this.answered = true
    this.core.onTrial.delete(this)
    try {
      held.letThrough()
    } catch (error) {
      this.abort(error as Error)
    }
  }

  // --- inside --------------------------------------------------------------------------------------------------------

  private acquireAgain(): void {
    this.origin = this.core.current(this.origin)
    this.origin.acquire(this)
  }

  private abort(reason?: Error): void {
    if (this.settled) return
    if (this.sent && this.connection !== undefined) {
      this.connection.retire('aborted')
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
    this.settle(error)
    try {
      this.handler.onError(error)
    } catch (thrown) {
      // Nobody is left to tell. It must not unwind whatever was serving others here, nor be lost.
      queueMicrotask(() => {
        throw thrown
      })
    }
  }

  private settle(error?: Error): void {
    this.settled = true
    this.ended?.(this.status, error)
    if (this.core.onTrial.size > 0) this.core.onTrial.delete(this)
    if (this.body instanceof RememberedBody) this.body.close()
    this.core.settled()
  }

  private noteHeaders(rawHeaders: Buffer[]): void {
    this.origin.hints.read(this.connection as Connection, rawHeaders)
  }

  /** The caller's options, and what this connection makes of them; a copy only where something differs. */
  private optionsOn(connection: Connection): Dispatcher.DispatchOptions {
    const { options } = this
    const { servername } = this.origin.target
    if (connection.reused && this.core.options.replay !== 'off') this.body = remembered(this.body)
    const last = connection.closeReason !== undefined
    // undici closes after HEAD, for servers that send a body with it; here such bytes are noticed (`poisoned`).
    const keepsHead = options.method === 'HEAD' && options.reset == null
    if (servername === null && !last && !keepsHead && this.body === options.body) return options
    return {
      ...options,
      body: this.body as NonNullable<Dispatcher.DispatchOptions['body']>,
      // undici would close a connection on which the server name seems to change.
      ...(servername === null ? {} : { servername }),
      ...(last ? { reset: true } : keepsHead ? { reset: false } : {}),
    }
  }
}
