/**
 * The pools of this process, for those who look at all of them: the watch page. Shared by every copy of this package that is
 * loaded, ESM and CommonJS among them, and weakly: to be listed keeps no pool alive.
 */

/** Which pool something happened in. */
export interface PoolIdentity {
  /** Counts up within one process, from 1. */
  readonly id: number
  /** The option `name`; need not be unique. */
  readonly name: string
}

/** What is known of a pool that another copy of this package may have made. */
export interface ListedPool extends PoolIdentity {
  /** Its numbers, as that copy has them. */
  stats(): unknown
}

interface Registry {
  lastId: number
  readonly pools: Set<WeakRef<ListedPool>>
}

const KEY = Symbol.for('keepwise.pools')

const holder = globalThis as { [KEY]?: Registry }
holder[KEY] ??= { lastId: 0, pools: new Set() }
const registry: Registry = holder[KEY]

const forgotten = new FinalizationRegistry<WeakRef<ListedPool>>((reference) => registry.pools.delete(reference))

export function newIdentity(name: string): PoolIdentity {
  registry.lastId++
  return Object.freeze({ id: registry.lastId, name })
}

/** Lists a pool until it is collected, or the returned function is called. */
export function list(pool: ListedPool): () => void {
  const reference = new WeakRef(pool)
  registry.pools.add(reference)
  forgotten.register(pool, reference)
  return () => registry.pools.delete(reference)
}

/** The pools there are now, those that were closed excepted. */
export function listedPools(): ListedPool[] {
  return [...registry.pools].map((reference) => reference.deref()).filter((pool) => pool !== undefined)
}
