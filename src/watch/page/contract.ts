/**
 * What the watch page asks the endpoint for, beside itself: `state`, and `events`, a stream of server-sent events.
 *
 * A message of the stream has a record's number as its id and the record as its data. Records are numbered from 1, in one
 * row for all pools of the process.
 */
import type { PoolIdentity } from '../../registry.js'
import type { PoolStats } from '../../telemetry/stats.js'
import type { TimelineRecord } from '../../timeline/record.js'

/** The answer to `state`; with `?after=N` only records whose number is above N. */
export interface WatchState {
  /** Milliseconds since 1970 in the process, by the clock of the records. */
  readonly time: number
  /** Which process it is. */
  readonly process: WatchedProcess
  /** In the order of their ids. */
  readonly pools: readonly {
    /** Which pool it is. */
    readonly pool: PoolIdentity
    /** Its numbers. */
    readonly stats: PoolStats
  }[]
  /** The number of the newest record there ever was; 0 for none. */
  readonly last: number
  /** Those that are kept, oldest first, without gaps, up to the newest. */
  readonly records: readonly TimelineRecord[]
  /** The last record of each connection that is open and has none among `records`. */
  readonly open?: readonly TimelineRecord[]
}

export interface WatchedProcess {
  readonly pid: number
  readonly title: string
  /** Milliseconds since 1970: tells a process from the next one on the same port. */
  readonly startedAt: number
}
