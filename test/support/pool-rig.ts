/**
 * A whole pool without a socket: options as users write them, a manual clock and fake links below.
 */
import type { PoolEvents } from '../../src/events.js'
import { type PoolOptions, resolveOptions } from '../../src/options/pool-options.js'
import type { Connection } from '../../src/pool/connection.js'
import type { AddressBook } from '../../src/pool/names.js'
import type { OriginPool } from '../../src/pool/origin-pool.js'
import { PoolCore } from '../../src/pool/pool-core.js'
import type { CloseReason } from '../../src/reasons.js'
import type { Dialer } from '../../src/wire/link.js'
import { FakeDialer, FakeLink, FakeWaiter, healthy } from './fake-links.js'
import { ManualClock } from './manual-clock.js'

interface RigSettings {
  /** false: links that have no kernel to ask. */
  readonly kernel?: boolean
  readonly random?: () => number
  /** In place of the fake dialer. */
  readonly dial?: Dialer
}

type LearnEvent = Parameters<PoolEvents['learn']>[0]

/** Idle time in a rig where the option is `'auto'`. */
export const AUTOMATIC_IDLE_TIME = 30_000

/** Writes down what it is told. */
class FakeAddresses implements AddressBook {
  whenGone: AddressBook['whenGone'] = undefined
  readonly dead: (string | undefined)[] = []
  readonly refreshed: string[] = []

  died(address: string | undefined): void {
    this.dead.push(address)
  }

  refresh(hostname: string): void {
    this.refreshed.push(hostname)
  }
}

export class PoolRig {
  readonly clock = new ManualClock()
  readonly dialer = new FakeDialer()
  readonly core: PoolCore
  /** What the pool says and asks of addresses. */
  readonly addresses = new FakeAddresses()
  /** Every connection that was closed, and why, in order. */
  readonly endings: [id: number, reason: CloseReason][] = []
  /** What was learned, in order. */
  readonly learned: LearnEvent[] = []
  readonly #kernel: boolean

  constructor(options: PoolOptions = {}, { kernel = true, random = () => 0, dial }: RigSettings = {}) {
    const { clock, dialer } = this
    this.#kernel = kernel
    this.linksTo('127.0.0.1')
    const environment = {
      ...{ clock, dial: dial ?? dialer.dial, addresses: this.addresses },
      ...{ automaticIdleTime: AUTOMATIC_IDLE_TIME, random },
    }
    this.core = new PoolCore(resolveOptions(options), environment)
    this.core.events.on('close', ({ connection, reason }) => this.endings.push([connection.id, reason]))
    this.core.events.on('learn', (event) => this.learned.push(event))
  }

  /** From now on connections are opened to this address. */
  linksTo(address: string): void {
    this.dialer.makeLink = () => new FakeLink(this.#kernel ? healthy() : undefined, address)
  }

  origin(name = 'a'): OriginPool {
    const origin = `http://${name}`
    return this.core.origin(origin, () => ({
      origin,
      protocol: 'http:',
      hostname: name,
      port: '',
      servername: null,
    }))
  }

  /** A request. */
  acquire(name?: string, waiter = new FakeWaiter()): FakeWaiter {
    this.origin(name).acquire(waiter)
    return waiter
  }

  /** A request that takes nothing but a connection that is opened from now on. */
  acquireNew(name?: string): FakeWaiter {
    return this.acquire(name, new FakeWaiter({ wantsNew: true }))
  }

  acquireMany(count: number, name?: string): FakeWaiter[] {
    return Array.from({ length: count }, () => this.acquire(name))
  }

  /** Opens all links that are being dialed, in the order of their starts, until none is. */
  async openAll(): Promise<void> {
    for (let running = this.dialer.running; running.length > 0; running = this.dialer.running) {
      for (const dial of running) dial.open()
      await passed()
    }
  }

  /** Connections that are new, with a request on each. */
  async connect(count: number, name?: string): Promise<Connection[]> {
    const waiters = this.acquireMany(count, name)
    await this.openAll()
    return waiters.map(({ connection }) => connection)
  }

  /** Connections that have served one request each, idle since the same moment; the last one went idle last. */
  async idle(count: number, name?: string): Promise<Connection[]> {
    const connections = await this.connect(count, name)
    for (const connection of connections) this.release(connection)
    return connections
  }

  /** A response that is complete; `keepAlive` is what its `Keep-Alive` header said. */
  release(connection: Connection, keepAlive?: string): void {
    if (keepAlive !== undefined) connection.origin.hints.heard(connection, keepAlive, true)
    connection.origin.release(connection)
  }

  /**
   * The server closes three connections, each when it has idled for so long, which is learned. What is open is closed by
   * then; `endings` is empty again.
   */
  async teach(timeout: number, name?: string): Promise<void> {
    for (let closed = 0; closed < 3; closed++) {
      const [connection] = await this.idle(1, name)
      this.clock.advance(timeout)
      linkOf(connection!).ends({ fin: true, finAge: 0 })
      this.clock.advance(1_000) // closes within a second are one event
    }
    if (this.learned.at(-1)?.timeout !== timeout) throw new Error(`${timeout} ms were not learned`)
    this.endings.length = 0
  }

  /** Two turns of the event loop: for connections that cannot be asked about. */
  twoTurns(): void {
    this.clock.turn()
    this.clock.turn()
  }

  get reasons(): CloseReason[] {
    return this.endings.map(([, reason]) => reason)
  }
}

export const linkOf = (connection: Connection): FakeLink => connection.link as FakeLink

export const idsOf = (connections: Iterable<Connection>): number[] => Array.from(connections, ({ id }) => id)

/** Lets promises settle: the end of a dial reaches the pool through some. */
export const passed = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
