/**
 * One ClientRequest of node:http and its response: stands in line for a connection, rides on it, and leaves it. It is the
 * waiter that the pool knows, and the user of the connection's tap.
 *
 * The caller's request sees one exchange whatever happens below: a socket (one more for each time it is sent again), then
 * either a response or one error.
 *
 *     addRequest > [waiting] > granted > written > answered > freed | removed | closed
 *                      ^                    |
 *                      '----- replay < verdict < evidence < [its connection died]
 */
import { AsyncResource } from 'node:async_hooks'
import { errorMonitor } from 'node:events'
import type { ClientRequest } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { ReplayVerdict } from '../errors.js'
import { wasQuick } from '../keepalive/reuse.js'
import type { Connection } from '../pool/connection.js'
import { requestEnd } from '../pool/ending.js'
import { type Casualty, explainDeath, type Finding, investigate, isPerhapsUnasked } from '../pool/investigate.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { RequestEnded } from '../pool/request-watch.js'
import { Waiter } from '../pool/waiter.js'
import { MOST_REPLAYS, type RequestEnd } from '../replay/permission.js'
import type { Dialer } from '../wire/link.js'
import { hangUp } from './hang-up.js'
import {
  canBeTakenOff,
  enterContext,
  failWithoutSocket,
  type NodeRequest,
  type Piece,
  plugIn,
  release,
  takeOff,
  unplug,
} from './node-request.js'
import { hasBody, isHarmless, isRequestTimeout, saysClose } from './request-facts.js'
import { RequestTime } from './request-time.js'
import type { Route } from './routes.js'
import { type LastWord, NOT_NOW, Tap, type TapUser } from './tap.js'
import { type RequestWatcher, WatchedRequest } from './watched-request.js'
import { Written } from './written.js'

/** What an exchange needs of the agent that it was given to. */
export interface ExchangeAgent {
  readonly core: PoolCore
  /** Whether requests can be moved from one socket to another on this Node. */
  readonly movable: boolean
  /** Milliseconds of silence on a socket after which 'timeout' is emitted, where the request says nothing. */
  readonly timeout: number | undefined
  dialer(exchange: ClientExchange): Dialer
  /** The connection is about to carry the request. */
  reuses(exchange: ClientExchange, socket: Tap['socket']): void
  /** The connection has died under the request, which is about to hear of it. */
  loses(exchange: ClientExchange, socket: Tap['socket']): void
  /** The request has done with the connection. Returns whether it may be kept. */
  frees(exchange: ClientExchange, socket: Tap['socket']): boolean
}

/**
 * - `unsent`: nothing of it was written.
 * - `moving`: nothing was, and what is written now goes to the next connection.
 * - `sent`: something was written, nothing was heard.
 * - `trial`: its connection has died, or it was told 408, and it is being found out whether it can be sent again.
 * - `answered`: its response has begun.
 * - `over`: its connection has died and nothing is to be done about it. What the socket says is for the caller.
 */
type Stage = 'unsent' | 'moving' | 'sent' | 'trial' | 'answered' | 'over'

/** What async_hooks shows for a request that waits. */
const CONTEXT = 'KeepwiseRequest'

/** What a socket says when it is being opened. */
const opening = ['connect', 'ready']
const tlsOpening = [...opening, 'secureConnect']

export class ClientExchange extends Waiter implements TapUser, RequestWatcher {
  /** node frees a connection a tick after its response: a request that is sent from the end of one can have it. */
  override readonly patient = true
  private readonly request: NodeRequest
  private connection: Connection | undefined = undefined
  private tap: Tap | undefined = undefined
  /** The pool has been told that it has ended. */
  private settled = false
  /** `start` has not returned. */
  private starting = false
  /** How far it has come on the present connection. */
  private stage: Stage = 'unsent'
  /** What was written on it; undefined where it could not be used. */
  private written: Written | undefined = undefined
  /** Its socket is dead, or about to be, and it collects what is written meanwhile. */
  private unplugged = false
  private replays = 0
  /** Finds the error it would have failed with, if its peer's death is why it was sent again. */
  private escaped: (() => Error | undefined) | undefined = undefined
  /** Where it is called back, if it has to wait. */
  private context: AsyncResource | undefined = undefined
  private readonly time: RequestTime
  /** It was made in this turn: in node, it would have no socket yet. */
  private isNew = true
  /** It has had a connection. */
  private hadConnection = false
  /** The socket is new, and its 'connect' has not been told to its caller yet. */
  private unannounced = false
  private watched: WatchedRequest | undefined = undefined
  /** What node has told its caller; only for those who measure. */
  private failure: Error | undefined = undefined
  /** Tells those who measure; undefined where nobody does. */
  private ended: RequestEnded | undefined = undefined

  constructor(
    readonly agent: ExchangeAgent,
    readonly route: Route,
    request: ClientRequest,
    readonly options: Readonly<Record<string, unknown>>,
  ) {
    super()
    this.request = request as NodeRequest
    this.time = new RequestTime(this.request, agent.core.clock, agent.timeout)
  }

  get clientRequest(): ClientRequest {
    return this.request
  }

  start(): void {
    const { core } = this.agent
    core.taken()
    this.ended = core.requests.began(this.route.origin.target.origin, this.request.method)
    if (this.ended !== undefined)
      this.request.once(errorMonitor, (error: Error) => {
        this.failure = error
      })
    this.starting = true
    this.acquire()
    this.starting = false
  }

  // --- to the pool ---------------------------------------------------------------------------------------------------

  override get dialer(): Dialer {
    return this.agent.dialer(this)
  }

  /** What must not be repeated had better not race. */
  override prefersNew(): boolean {
    return !this.harmless
  }

  granted(connection: Connection): void {
    const { request, context } = this
    this.connection = connection
    const { engine } = connection
    const tap = engine instanceof Tap ? engine : connection.use(Tap, () => new Tap(connection))
    if (engine !== undefined && engine !== tap) tap.serveOn()
    this.tap = tap
    this.stage = 'unsent'
    this.hadConnection = true
    this.written = this.agent.movable && (connection.reused || this.harmless) ? new Written() : undefined
    this.unwatch()
    // The last one that is permitted says so, if it can still say anything.
    if (connection.closeReason !== undefined && request._header === null) request.shouldKeepAlive = false
    tap.serve(this)
    if (context === undefined) this.ride(tap)
    else {
      this.context = undefined
      context.runInAsyncScope(this.ride, this, tap)
    }
  }

  refused(error: Error): void {
    const { written, escaped, agent } = this
    if (this.connection !== undefined) this.leave()
    this.fail((agent.core.destroyed ? undefined : escaped?.()) ?? error)
    written?.fail()
  }

  // --- to the tap ----------------------------------------------------------------------------------------------------

  writes(
    data: Piece['data'],
    encoding: Piece['encoding'],
    callback: Piece['callback'],
  ): Piece['callback'] | typeof NOT_NOW {
    const { written } = this
    if (this.unannounced) this.announce()
    if (this.stage === 'unsent') this.begin()
    if (this.isOn('moving')) {
      written?.add(data, encoding, callback)
      return NOT_NOW
    }
    return written === undefined ? callback : written.add(data, encoding, callback)
  }

  answers(bytes: Uint8Array): boolean {
    const { connection, written } = this
    if (connection?.reused && written !== undefined && this.mayBeUnasked(bytes)) {
      this.holdRequestTimeout()
      return !this.isOn('trial')
    }
    this.stage = 'answered'
    if (connection?.reused) connection.link.endRequest()
    written?.forget()
    return true
  }

  /** What is written from now until the socket says why it was destroyed would be dropped: it is collected instead. */
  destroying(): void {
    const { request, tap, written, stage } = this
    if (tap === undefined || written === undefined || (stage !== 'unsent' && stage !== 'sent')) return
    if (request.destroyed || !canBeTakenOff(request, tap.socket)) return
    this.time.leave(tap.socket)
    unplug(request)
    this.unplugged = true
  }

  dies(word: LastWord, error: Error | undefined): void {
    const { connection, tap, stage } = this
    if (connection === undefined || tap === undefined || stage === 'trial' || stage === 'moving') return
    // The pool was destroyed: one that has its whole response does not hear of it.
    if (word === 'error' && this.request.res?.complete) tap.swallow()
    else if (stage === 'answered' || stage === 'over' || this.isOwnDoing(word, error)) {
      this.plugIn(tap)
      this.noteEnd(connection)
      if (error !== undefined && stage === 'answered') this.explainRest(connection, error)
      if (tap.pass()) this.settle(error)
      this.written?.fail()
    } else if (stage === 'sent') this.diedUnder(connection, tap, word, error)
    else this.diedBefore(connection, tap, word, error)
  }

  /** node gives the socket back first: a request that the caller has sent from within its handler can have it. */
  freed(): void {
    const { agent, request } = this
    const connection = this.connection as Connection
    const tap = this.tap as Tap
    const isUnsent = this.stage === 'unsent'
    this.written?.fail()
    this.connection = this.tap = this.written = undefined
    if (tap.socket.destroyed) connection.retire('aborted') // under a response that was complete
    const mayKeep = isUnsent || agent.frees(this, tap.socket)
    if (!mayKeep) connection.retire('surplus')
    release(request, tap.socket)
    tap.leave()
    this.settle()
    if (isUnsent) connection.origin.giveBack(connection)
    else {
      // RFC 9112 9.6: it has said that it is the last one.
      if (saysClose(request)) connection.retire('server-close')
      if (request.res !== null) connection.origin.hints.read(connection, request.res.rawHeaders)
      connection.origin.release(connection)
    }
    tap.rest(agent.timeout ?? 0)
  }

  removed(): void {
    this.connection = this.tap = this.written = undefined
    this.settle()
  }

  // --- on a connection -----------------------------------------------------------------------------------------------

  private ride(tap: Tap): void {
    const { request } = this
    request.reusedSocket = this.connection?.reused ?? false
    enterContext(tap.socket)
    if (!request.reusedSocket) {
      this.giveSocket(tap)
      return
    }
    this.agent.reuses(this, tap.socket)
    // Its caller still runs, and may take its time.
    if (this.starting) process.nextTick(lookBeforeFlush, this, tap)
    else this.giveSocket(tap)
  }

  /** What it has collected goes out in the next tick, all at once: it must not turn out in the middle of that that it cannot. */
  lookBeforeFlush(tap: Tap): void {
    if (this.tap !== tap) return
    if (this.request.outputData.length > 0 && !this.request.destroyed) this.begin()
    if (!this.isOn('moving')) this.giveSocket(tap)
  }

  private giveSocket({ socket }: Tap): void {
    this.request.onSocket(socket)
    this.time.arrive(socket)
    if (this.connection?.requests !== 1) return
    this.unannounced = true
    process.nextTick(() => {
      if (this.unannounced) this.announce()
    })
  }

  /**
   * Those who wait on a new socket for its 'connect' or 'secureConnect', to measure or to check a certificate, get them before
   * anything is written: node gives a request its socket while it is still being connected.
   */
  private announce(): void {
    this.unannounced = false
    const socket = this.tap?.socket
    for (const event of socket instanceof TLSSocket ? tlsOpening : opening)
      if (socket !== undefined && !socket.destroyed && socket.listenerCount(event) > 0) socket.emit(event)
  }

  /**
   * Just before the first byte is written: is the connection still fit? The caller may have taken its time. If not, what is
   * written is collected until this turn is over, and goes to another one.
   */
  private begin(): void {
    const { request, written } = this
    const connection = this.connection as Connection
    if (connection.origin.confirm(connection, false)) {
      this.stage = 'sent'
      return
    }
    if (written === undefined) {
      this.lose(connection, undefined, { verdict: 'unsent', refusal: 'unknown-node' })
      this.tap?.socket.destroy()
      return
    }
    this.stage = 'moving'
    unplug(request)
    this.watch()
    process.nextTick(() => {
      if (this.stage === 'moving') this.moveOn(connection)
    })
  }

  /** It goes to another connection: this one was not fit, or died before anything was written. */
  private moveOn(connection: Connection): void {
    this.leave()
    connection.origin.giveBack(connection)
    this.acquire()
  }

  /** Takes the request off its connection, with what was written of it. */
  private leave(): void {
    const { request } = this
    const tap = this.tap as Tap
    this.time.leave(tap.socket)
    takeOff(request, tap.socket, this.written?.pieces ?? [])
    tap.drop()
    this.connection = this.tap = this.written = undefined
    this.stage = 'unsent'
    this.unplugged = false
  }

  // --- a connection that died ----------------------------------------------------------------------------------------

  private canLeave(tap: Tap): boolean {
    return this.agent.movable && (this.unplugged || canBeTakenOff(this.request, tap.socket))
  }

  /** Gives the request its dead socket back, so that node can tell its caller of it. */
  private plugIn({ socket }: Tap): void {
    if (this.unplugged) plugIn(this.request, socket)
    this.unplugged = false
  }

  /** Whether the end of the socket is the caller's doing, or the pool's. */
  private isOwnDoing(word: LastWord, error: Error | undefined): boolean {
    const { request, connection, tap } = this
    if (request.destroyed || connection?.closeReason === 'pool-closed') return true
    return word === 'close' && error === undefined && !tap?.socket.readableEnded
  }

  /** Nothing was written: not one byte can have been processed. Any method goes elsewhere. */
  private diedBefore(connection: Connection, tap: Tap, word: LastWord, error: Error | undefined): void {
    const { clock } = this.agent.core
    // A new one on which nothing was said for so long has idled as well.
    const hadIdled = connection.reused || !wasQuick(connection.grantedAt, clock.now())
    const movable = this.canLeave(tap)
    if (word === 'end') tap.socket.destroy()
    const end = requestEnd(connection.link.ending, connection)
    if (end !== 'other' && movable && hadIdled && this.replays < MOST_REPLAYS) {
      if (!connection.reused) this.replays++
      this.moveOn(connection)
      return
    }
    const refusal = !hadIdled
      ? 'new-connection'
      : end === 'other'
        ? 'not-the-peer'
        : movable
          ? 'too-many'
          : 'unknown-node'
    this.lose(connection, error, { verdict: 'unsent', refusal })
  }

  private diedUnder(connection: Connection, tap: Tap, word: LastWord, error: Error | undefined): void {
    const { core } = this.agent
    const movable = this.written !== undefined && this.canLeave(tap)
    if (word === 'end') tap.socket.destroy() // as node would
    const end = requestEnd(connection.link.ending, connection)
    const diedAt = core.clock.now()
    connection.origin.discard(connection, error)
    this.try(connection, diedAt, { end, movable, requestTimeout: false, error }, (finding, refusal) =>
      this.lose(connection, error, { ...finding, refusal }),
    )
  }

  /** Whether an answer is a 408 that may be none to this request. */
  private mayBeUnasked(bytes: Uint8Array): boolean {
    if (!isRequestTimeout(bytes)) return false
    return isPerhapsUnasked(this.connection as Connection, this.harmless && !hasBody(this.request))
  }

  /** Keeps a 408 from the caller until it is clear whether the request can be sent again. */
  private holdRequestTimeout(): void {
    const connection = this.connection as Connection
    const tap = this.tap as Tap
    const movable = canBeTakenOff(this.request, tap.socket)
    const now = this.agent.core.clock.now()
    connection.retire('server-close') // nobody is to have it after such an answer
    this.try(connection, now, { end: 'peer', movable, requestTimeout: true }, () => {
      this.stage = 'answered'
      this.written = undefined
      tap.pass()
    })
  }

  /** Finds out whether the request may be sent again, and sends it; else `lost` is called. */
  private try(
    connection: Connection,
    diedAt: number,
    facts: {
      readonly end: RequestEnd
      readonly movable: boolean
      readonly requestTimeout: boolean
      readonly error?: Error | undefined
    },
    lost: (finding: Finding, refusal: ReplayVerdict['refusal']) => void,
  ): void {
    const { agent, request, written, harmless } = this
    const { core, movable: nodeIsKnown } = agent
    const { end, movable, requestTimeout, error } = facts
    const tap = this.tap as Tap
    const casualty: Casualty = {
      reused: connection.reused,
      end,
      answered: false,
      replays: this.escaped === undefined ? this.replays : MOST_REPLAYS,
      repeatable: movable && written?.whole === true,
      harmless,
      requestTimeout,
    }
    this.stage = 'trial'
    this.context ??= new AsyncResource(CONTEXT)
    core.onTrial.add(this)
    written?.suspend()
    if (movable) {
      this.time.leave(tap.socket)
      unplug(request)
      this.unplugged = true
    }
    this.watch()
    investigate(connection, core.options.replay, casualty, diedAt, (finding) => {
      if (this.settled) return // it was destroyed meanwhile
      core.onTrial.delete(this)
      if (finding.refusal === undefined) {
        // If no new connection can be opened, this is what it dies of after all.
        const escaped = (): Error | undefined => {
          const refusal = 'unreachable'
          if (error !== undefined) explainDeath(error, connection, core.clock.now(), { ...finding, refusal })
          return error
        }
        this.replay(connection, finding, end === 'death' ? escaped : undefined)
      } else {
        this.unwatch()
        this.plugIn(tap)
        lost(finding, finding.refusal === 'body-gone' && !nodeIsKnown ? 'unknown-node' : finding.refusal)
        written?.fail()
      }
    })
  }

  private replay(connection: Connection, { verdict, evidence }: Finding, escaped?: () => Error | undefined): void {
    const { agent, request } = this
    this.escaped = escaped
    this.leave()
    connection.origin.discard(connection) // after a 408 it still stands
    this.replays++
    this.wantsNew = this.replays === MOST_REPLAYS || escaped !== undefined
    this.waitingSince = agent.core.clock.now()
    connection.origin.replays({ method: request.method, verdict, evidence, attempt: this.replays })
    this.acquire()
  }

  /** The caller hears of the death, from node. */
  private lose(connection: Connection, error: Error | undefined, replay: Omit<ReplayVerdict, 'idleBefore'>): void {
    const { tap } = this
    this.stage = 'over'
    if (tap !== undefined) this.plugIn(tap)
    this.explain(connection, error, replay)
    if (tap === undefined) return
    this.agent.loses(this, tap.socket)
    if (tap.pass()) this.settle(error)
    this.written?.fail()
  }

  /** Adds to the error that the caller will get what is known of the connection, and why the request was not sent again. */
  private explain(connection: Connection, error: Error | undefined, replay: Omit<ReplayVerdict, 'idleBefore'>): void {
    const { request, agent } = this
    const explained = (shown: Error): Error => explainDeath(shown, connection, agent.core.clock.now(), replay)
    if (error !== undefined) explained(error)
    // node makes the error itself. Without a listener of the caller's own it must stay an uncaught one.
    else if (request.listenerCount('error') > 0) request.prependOnceListener('error', explained)
  }

  /** The peer has died under the rest of the response. */
  private explainRest(connection: Connection, error: Error): void {
    if (requestEnd(connection.link.ending, connection) !== 'death') return
    connection.origin.discard(connection, error)
    this.explain(connection, error, { verdict: 'unknown', refusal: 'response-begun' })
  }

  // --- without a connection ------------------------------------------------------------------------------------------

  private acquire(): void {
    const { core } = this.agent
    const origin = core.current(this.route.origin)
    this.route.origin = origin
    if (this.request.destroyed) this.abandon()
    else if (!origin.acquire(this) && !this.settled && this.connection === undefined) this.wait()
  }

  private wait(): void {
    this.context ??= new AsyncResource(CONTEXT)
    this.watch()
    if (!this.route.origin.congested)
      process.nextTick(() => {
        this.isNew = false
      })
    else this.isNew = false
    if (!this.time.value) return
    if (this.hadConnection) this.time.run()
    else queueMicrotask(() => this.isTimed && this.time.run())
  }

  /** node counts from when a request has a socket, be it still being opened: not while it stands in a queue. */
  private get isTimed(): boolean {
    return this.connection === undefined && !this.settled && (this.hadConnection || !this.route.origin.congested)
  }

  /** Wants to know when the caller destroys the request while it has no socket that would tell. */
  private watch(): void {
    this.watched ??= new WatchedRequest(this.request, this)
  }

  private unwatch(): void {
    this.watched?.end()
    this.watched = undefined
    this.time.stop()
  }

  destroyed(error: Error | undefined): void {
    // node says nothing of a request aborted in a queue, but it does of one that has, or had, a socket.
    const isQueued = !this.hadConnection && (this.isNew || this.route.origin.congested)
    this.abandon(error ?? (isQueued ? undefined : hangUp()))
  }

  timeoutSet(timeout: number): void {
    if (this.hadConnection) this.time.set(timeout)
    if (this.isTimed) this.time.run(timeout)
  }

  /** The caller has destroyed the request: without an error here, node finds its own. */
  private abandon(error?: Error): void {
    if (this.settled) return
    const { connection } = this
    if (connection === undefined) this.route.origin.cancel(this)
    else {
      this.written?.fail()
      this.leave()
      connection.retire('aborted')
      connection.origin.discard(connection)
    }
    this.fail(error)
  }

  private fail(error: Error | undefined): void {
    if (this.settled) return
    const { request, context } = this
    const { destroyed } = request
    this.settle(error)
    const tell = (): void => failWithoutSocket(request, error, this.time.isOver)
    // One that is destroyed may be aborted in the same turn: node tells of that first.
    const tellInTurn = (): void => (destroyed ? process.nextTick(tell) : tell())
    if (context === undefined) tellInTurn()
    else context.runInAsyncScope(tellInTurn)
  }

  private settle(error?: Error): void {
    if (this.settled) return
    const { core } = this.agent
    this.settled = true
    this.tellEnd(error)
    this.unwatch()
    if (core.onTrial.size > 0) core.onTrial.delete(this)
    core.settled()
  }

  private tellEnd(error: Error | undefined): void {
    if (this.ended === undefined) return
    const { res } = this.request
    const isWhole = res !== null && (res.complete || res.upgrade)
    this.ended(res?.statusCode, error ?? (isWhole ? undefined : (this.failure ?? hangUp())))
  }

  /** For where the stage may have changed since it was last looked at. */
  private isOn(stage: Stage): boolean {
    return this.stage === stage
  }

  // --- facts ---------------------------------------------------------------------------------------------------------

  private get harmless(): boolean {
    return isHarmless(this.request)
  }

  /** Why the connection ends, as far as it is the request's doing. */
  private noteEnd(connection: Connection): void {
    const { request } = this
    if (request.res?.complete && !request.shouldKeepAlive) connection.retire('server-close')
    else if (request.destroyed || request.res?.destroyed) connection.retire('aborted')
  }
}

const lookBeforeFlush = (exchange: ClientExchange, tap: Tap): void => exchange.lookBeforeFlush(tap)
