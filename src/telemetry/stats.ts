/**
 * Numbers of a pool: plain data, made when asked for.
 */
import type { Counters } from '../pool/counters.js'
import type { OriginPool } from '../pool/origin-pool.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { CloseReason } from '../reasons.js'

/** Counted since the pool was made. Times are sums, in milliseconds. */
export interface Counts {
  /** Requests that were given a connection. One that is sent again is counted again. */
  readonly requests: number
  /** Of these, on a connection that had been used or idle before. */
  readonly reused: number
  /** Requests sent again because a reused connection died under them. */
  readonly replayed: number
  /** Connections opened. */
  readonly opened: number
  /** Connections closed, by reason. */
  readonly closed: Readonly<Record<CloseReason, number>>
  /** Attempts to open a connection that failed. */
  readonly dialFailures: number
  /** Time spent opening connections, failures included. */
  readonly dialTime: number
  /** Requests that had to wait for a connection, be it for one that was opened for them. */
  readonly waits: number
  /** Time they waited until they had one. */
  readonly waitTime: number
  /** Time the closed connections were open. */
  readonly lifetime: number
}

/** As it is now. */
export interface Gauges {
  /** Connections with a request on them. */
  readonly active: number
  /** Connections with nothing to do. */
  readonly idle: number
  /** Of these, those whose peer was asked and has not answered so far: they are not lent until it has. */
  readonly suspect: number
  /** Connections being opened, queued ones included. */
  readonly dialing: number
  /** Requests that wait for a connection. */
  readonly waiting: number
}

/** What `pool.stats()` returns: plain data. */
export interface PoolStats extends Counts, Gauges {
  /** Requests taken and not yet settled, waiting ones included. */
  readonly pending: number
  /** The numbers of each origin, by name. */
  readonly origins: Readonly<Record<string, Counts & Gauges>>
}

export function statsOf(core: PoolCore): PoolStats {
  const origins: Record<string, Counts & Gauges> = {}
  const sum = { active: 0, idle: 0, suspect: 0, dialing: 0, waiting: 0 }
  for (const origin of core.origins) {
    const gauges = gaugesOf(origin)
    for (const name of Object.keys(sum) as (keyof Gauges)[]) sum[name] += gauges[name]
    origins[origin.key] = { ...gauges, ...countsOf(origin.counters) }
  }
  return { ...sum, pending: core.pending, ...countsOf(core.totals), origins }
}

function gaugesOf({ state: { active, idle, dialing, waiting }, suspect }: OriginPool): Gauges {
  return { active, idle, suspect, dialing, waiting }
}

function countsOf(counters: Counters): Counts {
  const { requests, reused, replayed, opened, closed, dialFailures, dialTime, waits, waitTime, lifetime } = counters
  return {
    requests,
    reused,
    replayed,
    opened,
    closed: { ...closed },
    dialFailures,
    dialTime,
    waits,
    waitTime,
    lifetime,
  }
}
