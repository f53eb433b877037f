/**
 * All origins of a pool: what they share (clock, agenda, slots, events, limits), and the pool's own life.
 */

import { Agenda } from '../agenda.js'
import { Channels } from '../channels.js'
import type { Clock } from '../clock.js'
import { ClosedError } from '../errors.js'
import { Events, type InnerEvents } from '../events.js'
import { automaticMargin } from '../keepalive/margin.js'
import type { ResolvedOptions } from '../options/pool-options.js'
import { newIdentity, type PoolIdentity } from '../registry.js'
import type { Dialer, Link, Target } from '../wire/link.js'
import { Connection } from './connection.js'
import { Counters } from './counters.js'
import { Heartbeat } from './heartbeat.js'
import { List } from './list.js'
import { type AddressBook, Names } from './names.js'
import { OriginPool } from './origin-pool.js'
import { RequestWatch } from './request-watch.js'
import { Slots } from './slots.js'
import type { Waiter } from './waiter.js'

/** What a face wants to know. */
export interface CoreListener {
  opened(origin: OriginPool): void
  ended(origin: OriginPool, connection: Connection, error: Error | undefined): void
  dialFailed(origin: OriginPool, error: Error): void
  /** Nobody waits any more for an origin that somebody was told to hold back for. */
  drained(origin: OriginPool): void
}

export type Caps = Pick<ResolvedOptions, 'maxConnections' | 'maxTotalConnections' | 'maxIdleConnections'>

export interface CoreEnvironment {
  readonly clock: Clock
  readonly dial: Dialer
  readonly addresses: AddressBook
  /** Idle time where `keepAliveTimeout` is `'auto'`. */
  readonly automaticIdleTime: number
  /** From 0 to 1; spreads lifetimes. */
  readonly random: () => number
}

/** Origins without a connection whose hints and counters are remembered; the one that is quiet for longest goes. */
const MOST_QUIET_ORIGINS = 1000

/** Part of `maxLifetime` that chance may take off. */
const LIFETIME_JITTER = 0.1

export class PoolCore {
  readonly clock: Clock
  readonly dial: Dialer
  readonly addresses: AddressBook
  readonly agenda: Agenda
  readonly identity: PoolIdentity
  readonly events: Events<InnerEvents>
  /** Told of each origin that is about to be forgotten: what it has counted is final. */
  readonly forgetting = new Set<(origin: OriginPool) => void>()
  /** Those who measure requests. */
  readonly requests = new RequestWatch()
  readonly slots: Slots
  /** Idle connections of all origins, the least recently used one first; kept only where a cap may ask for one. */
  idle: List<Connection> | undefined
  readonly keepAliveTimeout: number
  /** Its caps may change: see `limit`. */
  options: ResolvedOptions
  /** New requests are refused. */
  closing = false
  /** What `destroy` was called with. */
  destroyedWith: Error | undefined = undefined
  /** Nothing is left: destroyed, or closed to the end. */
  over = false
  /** Requests taken and not yet settled. */
  pending = 0
  /** Of these, those whose connection has died, while it is found out whether they can be sent again. */
  readonly onTrial = new Set<Waiter>()

  readonly #random: () => number
  readonly #origins = new Map<string, OriginPool>()
  readonly #quiet = new Set<OriginPool>()
  /** What the origins had counted that are forgotten. */
  readonly forgotten = new Counters()
  readonly #heartbeat: Heartbeat
  readonly #names: Names
  readonly #listeners: CoreListener[] = []
  #lastId = 0
  #lastDial = 0
  #whenQuiet: (() => void)[] = []

  constructor(options: ResolvedOptions, { clock, dial, addresses, automaticIdleTime, random }: CoreEnvironment) {
    const { keepAliveTimeout, maxTotalConnections } = options
    this.options = options
    this.clock = clock
    this.dial = dial
    this.addresses = addresses
    this.#random = random
    this.agenda = new Agenda(clock)
    this.identity = newIdentity(options.name)
    this.events = new Events(new Channels(this.identity))
    this.keepAliveTimeout = keepAliveTimeout === 'auto' ? automaticIdleTime : keepAliveTimeout
    this.idle = maxTotalConnections === Infinity ? undefined : new List()
    this.slots = new Slots(maxTotalConnections, () => {
      const connection = this.idle?.first
      connection?.origin.close(connection, 'surplus')
      return connection !== undefined
    })
    this.#heartbeat = new Heartbeat(clock, (now) => {
      for (const origin of this.#origins.values()) origin.doubtIdle(now)
    })
    this.#names = new Names(addresses, this, () => this.#origins.values())
  }

  /** TLS server name asked for by the pool's own options. */
  get servername(): string | undefined {
    const { servername } = this.options.connect.rest
    return typeof servername === 'string' ? servername : undefined
  }

  get destroyed(): boolean {
    return this.destroyedWith !== undefined
  }

  get origins(): IterableIterator<OriginPool> {
    return this.#origins.values()
  }

  /** Everything that was ever counted. */
  get totals(): Counters {
    const totals = new Counters()
    totals.add(this.forgotten)
    for (const { counters } of this.#origins.values()) totals.add(counters)
    return totals
  }

  /** The origin pool of a key, made when it is first asked for. */
  origin(key: string, target: () => Target): OriginPool {
    let origin = this.#origins.get(key)
    if (origin === undefined) {
      origin = new OriginPool(this, key, target())
      this.#origins.set(key, origin)
      this.quieted(origin)
    }
    return origin
  }

  /** The origin pool that holds now in place of one that was met earlier. */
  current(origin: OriginPool): OriginPool {
    return origin.forgotten ? this.origin(origin.key, () => origin.target) : origin
  }

  /** The origin pool of a key, if there is one. */
  peek(key: string): OriginPool | undefined {
    return this.#origins.get(key)
  }

  /** Changes caps. What is above a lower one closes when it is free; what waits for a higher one goes on. */
  limit(caps: Partial<Caps>): void {
    this.options = { ...this.options, ...caps }
    const { maxTotalConnections } = this.options
    if (this.idle === undefined && maxTotalConnections !== Infinity) {
      this.idle = new List()
      for (const origin of this.#origins.values()) origin.listIdle()
    }
    this.slots.limit(maxTotalConnections)
    for (const origin of this.#origins.values()) origin.capsChanged()
  }

  listen(listener: CoreListener): void {
    this.#listeners.push(listener)
  }

  /** Takes no more requests; resolves when those that were taken are done and all connections closed. */
  async close(): Promise<void> {
    if (!this.closing) {
      this.closing = true
      for (const origin of this.#origins.values()) origin.closeIdle(new ClosedError('closed'))
    }
    await this.#untilQuiet()
    this.over = true
  }

  /** A request was taken. */
  taken(): void {
    this.pending++
  }

  /** A request that was taken has ended, one way or the other. */
  settled(): void {
    this.pending--
    if (this.closing) this.#checkQuiet()
  }

  /** Fails everything with `error`, now; resolves when everybody has been told, and the sockets are closed. */
  async destroy(error: Error): Promise<void> {
    this.closing = this.over = true
    this.destroyedWith ??= error
    // First the lines, so that no slot that becomes free is dialed for.
    for (const origin of this.#origins.values()) origin.refuseAll(error)
    for (const origin of this.#origins.values()) origin.destroy(error)
    for (const waiter of this.onTrial) waiter.refuse(error)
    await this.#untilQuiet()
    await new Promise<void>((resolve) => this.clock.afterTwoTurns(resolve)) // for the sockets
  }

  // --- for origin pools ----------------------------------------------------------------------------------------------

  nextDial(): number {
    return ++this.#lastDial
  }

  newConnection(origin: OriginPool, link: Link, now: number): Connection {
    const lifetime = this.options.maxLifetime * (1 - LIFETIME_JITTER * this.#random())
    const lesson = origin.lessons?.of(link.remoteAddress ?? '')
    return new Connection(++this.#lastId, origin, link, now, lifetime, origin.hints.advertisedTimeout, lesson)
  }

  margin({ rtt, rttVariance }: Pick<Connection, 'rtt' | 'rttVariance'>, now: number): number {
    const { keepAliveMargin } = this.options
    return keepAliveMargin === 'auto' ? automaticMargin(rtt, rttVariance, this.agenda.lag(now)) : keepAliveMargin
  }

  /** An origin has something to do. */
  stirred(origin: OriginPool): void {
    this.#quiet.delete(origin)
  }

  /** An origin has nothing to do. */
  quieted(origin: OriginPool): void {
    if (!origin.forgotten) this.#quiet.add(origin)
    if (origin.fleeting) this.#forget(origin)
    else if (this.#quiet.size > MOST_QUIET_ORIGINS) this.#forget(this.#quiet.values().next().value)
    if (this.slots.used === 0) {
      this.agenda.cancel(this.#heartbeat)
      this.agenda.cancel(this.#names)
    }
    if (this.closing) this.#checkQuiet()
  }

  opened(origin: OriginPool): void {
    if (this.#heartbeat.place < 0) this.agenda.schedule(this.#heartbeat, this.#heartbeat.begin())
    this.#names.begin()
    for (const listener of this.#listeners) listener.opened(origin)
  }

  ended(origin: OriginPool, connection: Connection, error: Error | undefined): void {
    for (const listener of this.#listeners) listener.ended(origin, connection, error)
  }

  dialFailed(origin: OriginPool, error: Error): void {
    for (const listener of this.#listeners) listener.dialFailed(origin, error)
  }

  drained(origin: OriginPool): void {
    for (const listener of this.#listeners) listener.drained(origin)
  }

  get #busy(): boolean {
    return this.pending > 0 || this.#quiet.size < this.#origins.size
  }

  async #untilQuiet(): Promise<void> {
    if (this.#busy) await new Promise<void>((resolve) => this.#whenQuiet.push(resolve))
  }

  #checkQuiet(): void {
    if (!this.#busy) for (const resolve of this.#whenQuiet.splice(0)) resolve()
  }

  #forget(origin: OriginPool | undefined): void {
    if (origin === undefined || origin.forgotten) return
    this.#quiet.delete(origin)
    this.#origins.delete(origin.key)
    for (const tell of this.forgetting) tell(origin)
    this.forgotten.add(origin.counters)
    origin.forget()
  }
}
