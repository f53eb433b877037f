/**
 * A whole pool without a socket: options as users write them, a manual clock and fake links below.
 */
import { type PoolOptions, resolveOptions } from '../../src/options/pool-options.js'
import type { Connection } from '../../src/pool/connection.js'
import type { OriginPool } from '../../src/pool/origin-pool.js'
import { PoolCore } from '../../src/pool/pool-core.js'
import type { CloseReason } from '../../src/reasons.js'
import type { Dialer } from '../../src/wire/link.js'
import { FakeDialer, FakeLink, FakeWaiter } from './fake-links.js'
import { ManualClock } from './manual-clock.js'

interface RigSettings {
  /** false: links that have no kernel to ask. */
  readonly kernel?: boolean
  readonly random?: () => number
  /** In place of the fake dialer. */
  readonly dial?: Dialer
}

/** Idle time in a rig where the option is `'auto'`. */
export const AUTOMATIC_IDLE_TIME = 30_000

export class PoolRig {
  readonly clock = new ManualClock()
  readonly dialer = new FakeDialer()
  readonly core: PoolCore
  /** Every connection that was closed, and why, in order. */
  readonly endings: [id: number, reason: CloseReason][] = []

  constructor(options: PoolOptions = {}, { kernel = true, random = () => 0, dial }: RigSettings = {}) {
    const { clock, dialer } = this
    if (!kernel) dialer.makeLink = () => new FakeLink(undefined)
    const environment = { clock, dial: dial ?? dialer.dial, automaticIdleTime: AUTOMATIC_IDLE_TIME, random }
    this.core = new PoolCore(resolveOptions(options), environment)
    this.core.events.on('close', ({ connection, reason }) => this.endings.push([connection.id, reason]))
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
