/**
 * The numbers of all pools of one name on one meter. A meter knows measurements by their attributes alone: what two pools of one
 * name count has to be summed before it is told, and a counter has to keep what a pool has counted that is over.
 */
import { Counters } from '../pool/counters.js'
import type { OriginPool } from '../pool/origin-pool.js'
import type { PoolCore } from '../pool/pool-core.js'
import { closeReasons } from '../reasons.js'
import { type Observe, ServerSeries } from './server-series.js'

/** Servers that are named, the first ones; all others share one name. */
export const MOST_NAMED_SERVERS = 64

export class PoolSeries {
  readonly #name: string
  readonly #servers = new Map<string, ServerSeries>()
  #others: ServerSeries | undefined
  /** Pools that are counted, and what ends that. */
  readonly #cores = new Map<PoolCore, () => void>()
  /** Pools that were counted once and are not any more, and what those had counted that came back, when they did. */
  readonly #left = new WeakSet<PoolCore>()
  readonly #before = new WeakMap<OriginPool, Counters>()

  constructor(name: string) {
    this.#name = name
  }

  /** The numbers of a server, or of those that have no name here. */
  of(origin: string): ServerSeries {
    return this.#servers.get(origin) ?? this.#newServer(origin)
  }

  get servers(): ServerSeries[] {
    return this.#others === undefined ? [...this.#servers.values()] : [...this.#servers.values(), this.#others]
  }

  /** Counts what a pool does, and what it has done so far; of one that comes back, what it does from now on. */
  add(core: PoolCore): void {
    this.#retire()
    if (this.#left.has(core))
      for (const origin of core.origins) this.#before.set(origin, since(origin.counters, new Counters()))
    // Nobody knows any more of whom that was.
    else if (isAny(core.forgotten)) this.#unnamed.past.add(core.forgotten)
    const keep = (origin: OriginPool): void => {
      const counters = this.#counted(origin)
      if (isAny(counters)) this.of(origin.target.origin).past.add(counters)
    }
    core.forgetting.add(keep)
    this.#cores.set(core, () => {
      core.forgetting.delete(keep)
      for (const origin of core.origins) keep(origin)
    })
  }

  /** Counts no more of it; what it has done stays. */
  remove(core: PoolCore): void {
    this.#cores.get(core)?.()
    if (this.#cores.delete(core)) this.#left.add(core)
  }

  /** Tells all numbers as they are now. */
  tell(observe: Observe): void {
    this.#retire()
    for (const server of this.servers) server.begin()
    for (const core of this.#cores.keys()) for (const origin of core.origins) this.#read(origin)
    for (const server of this.servers) server.tell(observe)
  }

  #read(origin: OriginPool): void {
    const counters = this.#counted(origin)
    // One that was only asked about takes no name away from others.
    if (!origin.quiet || isAny(counters)) this.of(origin.target.origin).add(origin, counters)
  }

  #counted(origin: OriginPool): Counters {
    const before = this.#before.get(origin)
    return before === undefined ? origin.counters : since(origin.counters, before)
  }

  /** Lets go of pools that are over: nothing will be counted there any more. */
  #retire(): void {
    for (const core of this.#cores.keys()) if (isOver(core)) this.remove(core)
  }

  #newServer(origin: string): ServerSeries {
    if (this.#servers.size >= MOST_NAMED_SERVERS) return this.#unnamed
    const server = new ServerSeries(this.#name, origin)
    this.#servers.set(origin, server)
    return server
  }

  get #unnamed(): ServerSeries {
    this.#others ??= new ServerSeries(this.#name, undefined)
    return this.#others
  }
}

/** Destroyed or closed, to the last connection. */
const isOver = ({ over, origins }: PoolCore): boolean => over && [...origins].every(({ quiet }) => quiet)

/** All else that is counted follows one of these. */
const isAny = ({ opened, dialFailures, waits }: Counters): boolean => opened + dialFailures + waits > 0

/** What was counted since the earlier ones were taken: of sums of time nothing is told from here. */
function since(now: Counters, earlier: Counters): Counters {
  const counters = new Counters()
  for (const name of ['requests', 'reused', 'replayed', 'opened', 'dialFailures', 'waits'] as const)
    counters[name] = now[name] - earlier[name]
  for (const reason of closeReasons) counters.closed[reason] = now.closed[reason] - earlier.closed[reason]
  return counters
}
