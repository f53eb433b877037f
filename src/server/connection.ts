/**
 * One accepted connection: what it has served, what is going on, and when it has to be looked at again. It decides nothing
 * for more than itself; what concerns all connections of a server, its `Host` knows.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Agenda, AgendaItem } from '../agenda.js'
import { type Monitor, type Peer, patienceOf, type Vigil } from '../liveness/monitor.js'
import type { LivenessPlan } from '../liveness/presets.js'
import { type AppliedLiveness, applyLiveness } from '../liveness/settings.js'
import type { TcpInfoReader } from '../liveness/tcp-info.js'
import type { Patience, Signs } from '../liveness/vital-signs.js'
import { descriptorOf, wireOf } from '../wire/handle.js'
import { destroyAfter, forgoLastLook, takeLastLook } from '../wire/last-look.js'
import type { Announcer, Terms } from './announce.js'
import { Idling, type IdlingHost, type IdlingOwner } from './idling.js'
import type { ClientSnapshot, During } from './snapshot.js'
import type { ServerCounters } from './stats.js'

/** What the connections of one server share. */
export interface Host extends IdlingHost {
  readonly agenda: Agenda
  readonly tcpInfo: TcpInfoReader | undefined
  readonly plan: LivenessPlan
  readonly announcer: Announcer
  readonly terms: Terms
  readonly counters: ServerCounters
  readonly monitor: Monitor<AcceptedConnection>
  /** Every response is to be the last of its connection. */
  readonly closing: boolean
  /** Until when a connection may idle. */
  idleUntil(connection: AcceptedConnection): number
  /** It broke by itself. */
  broke(connection: AcceptedConnection, error: Error, signs: Signs | undefined): void
  /** It has ended, or is nobody's business any more. */
  closed(connection: AcceptedConnection): void
}

/** Leads from a socket or a response to its connection, so that all of them can share their listeners. */
const CONNECTION = Symbol('keepwise connection')

type KeptSocket = Socket & { [CONNECTION]?: AcceptedConnection }
type KeptResponse = ServerResponse & { [CONNECTION]?: AcceptedConnection }

export class AcceptedConnection extends AgendaItem implements Peer, IdlingOwner {
  vigil: Vigil | undefined = undefined
  requests = 0
  isUpgraded = false
  readonly acceptedAt: number
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly localPort: number | undefined
  readonly liveness: AppliedLiveness
  readonly patience: Patience | undefined
  readonly #idling: Idling
  /** The response to its newest request, until that was sent in full. */
  #response: ServerResponse | undefined = undefined
  /** When its newest request arrived. */
  #askedAt = 0
  /** The newest response is the last one, or was meant to be. */
  #isLast = false
  /** Requests came behind the last one. */
  #hasRefused = false
  /** Node's again; if it idles, it is still to be closed in its time. */
  #isReleased = false
  /** How its client stood when it broke. */
  #lastSigns: Signs | undefined = undefined

  constructor(
    readonly id: number,
    readonly socket: Socket,
    private readonly host: Host,
  ) {
    super()
    this.remoteAddress = socket.remoteAddress
    this.remotePort = socket.remotePort
    this.localPort = socket.localPort
    this.liveness = applyLiveness(socket, descriptorOf(socket), host.plan, host.native)
    this.patience = patienceOf(this.liveness)
    this.#idling = new Idling(this, host)
    this.acceptedAt = this.#idling.since
    ;(socket as KeptSocket)[CONNECTION] = this
    takeLastLook(socket, destroyAfterLook)
    socket.on('error', onError).on('close', onClose)
    this.lookAt(Math.min(this.#monitoredAt, this.idleUntil()))
  }

  /** The connection of a socket; undefined for one that was accepted before its server was kept. */
  static of(socket: Socket): AcceptedConnection | undefined {
    return (socket as KeptSocket)[CONNECTION]
  }

  /** A request is on it whose response was not sent in full. */
  get isActive(): boolean {
    return this.#response !== undefined
  }

  get isIdle(): boolean {
    return this.#response === undefined && !this.isUpgraded
  }

  /** When its last request arrived or its last response was sent. */
  get busySince(): number {
    return this.isActive ? this.#askedAt : this.#idling.since
  }

  get during(): During {
    const response = this.#response
    if (response === undefined) return this.#idling.isUndisturbed ? 'idle' : 'request'
    return response.headersSent || response.req.complete ? 'response' : 'request'
  }

  /** A request has arrived. Returns whether it is to be answered: none is behind the last one. */
  begin(response: ServerResponse): boolean {
    const kept = response as KeptResponse
    if (kept[CONNECTION] === this) return true // told once more, by a handler of 'checkContinue'
    if (!this.#take()) return false
    const { announcer, terms, closing, counters } = this.host
    kept[CONNECTION] = this
    this.#response = response
    response.on('finish', onFinish)
    const remaining = this.#remaining
    if (remaining > 0 && !closing) announcer.keep(response, terms, remaining)
    else {
      if (remaining <= 0) counters.exhausted++
      this.#announceLast(response)
    }
    return true
  }

  /** A request has arrived that turns it into something else. Returns whether it may. */
  upgrade(): boolean {
    if (!this.#take()) return false
    this.isUpgraded = true
    this.host.agenda.cancel(this)
    this.socket.off('error', onError) // whose it is now is to learn of it
    return true
  }

  /** The server is closing: what is under way is to be the last, and idling ends sooner. */
  hurry(): void {
    const response = this.#response
    if (this.isIdle) this.lookAt(this.idleUntil())
    else if (response?.headersSent === false) this.#announceLast(response)
  }

  /** Leaves it to Node. One that idles is still closed in its time, for Node does so only after a response. */
  release(): void {
    this.#isReleased = true
    if (!this.isIdle || this.requests === 0) this.closed()
  }

  override wake(now: number): number {
    if (this.#isReleased) {
      if (this.#idling.isUndisturbed) return this.#idling.look(now)
      this.closed() // with the next response, Node's own timer begins
      return Infinity
    }
    const again = this.host.monitor.look(this, now)
    if (this.socket.destroyed || !this.isIdle) return again
    return Math.min(again, this.#idling.look(now))
  }

  lookAt(time: number): void {
    if (time < this.wakeAt) this.host.agenda.schedule(this, time)
  }

  idleUntil(): number {
    return this.host.idleUntil(this)
  }

  idledOut(): void {
    this.host.counters.timedOut++
  }

  signs(): Signs | undefined {
    return this.host.tcpInfo?.signs(descriptorOf(this.socket))
  }

  isArriving(): boolean {
    const signs = this.signs()
    // Of an accepted connection no SYN is counted, though `acknowledged` is less one for it.
    return signs !== undefined && signs.acknowledged + 1 < (wireOf(this.socket)?.bytesWritten ?? 0)
  }

  /** Out of turn: a server, which does not choose between its connections, has no use for it. */
  ask(): boolean {
    return false
  }

  askAsUsual(): void {}

  snapshot(now: number, signs: Signs | undefined): ClientSnapshot {
    const { id, remoteAddress, remotePort, localPort, requests, liveness } = this
    return {
      id,
      remoteAddress,
      remotePort,
      localPort,
      age: now - this.acceptedAt,
      idle: this.isActive ? 0 : now - this.#idling.since,
      requests,
      remaining: Math.max(0, this.#remaining),
      rtt: signs?.rtt,
      liveness,
    }
  }

  /** @internal */
  finished(response: ServerResponse): void {
    if (this.#response !== response) return // others follow, whose requests were sent ahead of it
    this.#response = undefined
    if (this.#isReleased) return
    const { socket } = this
    const at = this.#idling.begin()
    if (socket.writableEnded) return
    if (this.#isLast) {
      // The handler has said keep-alive by itself. But whom nobody answered has to learn that nobody will.
      if (this.#hasRefused) return void socket.destroySoon()
      this.#isLast = false
    }
    this.lookAt(Math.min(at, this.#monitoredAt))
  }

  /** @internal */
  broke(error: Error): void {
    this.host.broke(this, error, this.#lastSigns)
  }

  /**
   * It has ended, or is nobody's business any more.
   *
   * @internal
   */
  closed(): void {
    const socket = this.socket as KeptSocket
    this.host.agenda.cancel(this)
    socket.off('error', onError).off('close', onClose)
    delete socket[CONNECTION]
    forgoLastLook(socket)
    this.host.closed(this)
  }

  /**
   * The socket is being destroyed, by whomever: the last moment at which its descriptor is good.
   *
   * @internal
   */
  lastLook(error: Error | null): void {
    if (error !== null) this.#lastSigns = this.signs()
  }

  get #remaining(): number {
    return this.host.terms.max - this.requests
  }

  get #monitoredAt(): number {
    return this.busySince + (this.patience?.idle ?? Infinity)
  }

  /** Counts a request, unless it came behind the last one. */
  #take(): boolean {
    const { clock, counters } = this.host
    if (this.#isLast) {
      this.#hasRefused = true
      counters.refused++
      return false
    }
    this.#askedAt = clock.now()
    this.#idling.end()
    counters.requests++
    if (this.requests++ > 0) counters.reused++
    return true
  }

  #announceLast(response: ServerResponse): void {
    this.#isLast = true
    this.host.announcer.close(response)
  }
}

function onFinish(this: ServerResponse): void {
  ;(this as KeptResponse)[CONNECTION]?.finished(this)
}

function onError(this: Socket, error: Error): void {
  AcceptedConnection.of(this)?.broke(error)
}

function onClose(this: Socket): void {
  AcceptedConnection.of(this)?.closed()
}

const destroyAfterLook = destroyAfter<KeptSocket>((socket, error) => socket[CONNECTION]?.lastLook(error))
