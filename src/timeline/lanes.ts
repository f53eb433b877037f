/**
 * A log of records, as what is drawn of it: a lane for each connection, and a group for each origin of each pool. Records
 * are taken one by one, and what is kept is bounded, so that a page can look at a process for days.
 */
import type { PoolIdentity } from '../registry.js'
import { DIAL_FAILED, Lane, NOT_SEEN } from './lane.js'
import { OriginGroup } from './origin-group.js'
import type { RecordOf, TimelineRecord } from './record.js'

/** What is kept. */
export interface TimelineLimits {
  /** Lanes: those that closed first go first. */
  readonly lanes: number
  /** Changes of one lane, and steps and marks of one origin: the oldest go first. */
  readonly changes: number
  /** Milliseconds back from the newest record. */
  readonly age: number
}

/** For a log that is read once. */
export const FILE_LIMITS: TimelineLimits = { lanes: 50_000, changes: 100_000, age: Infinity }

/** For a page that stays open. */
export const LIVE_LIMITS: TimelineLimits = { lanes: 3_000, changes: 2_000, age: 11 * 60_000 }

/** Records between two looks at the limits, or as many as there are lanes, so that a look costs a record next to nothing. */
const LOOK_AFTER = 500

/** By how many milliseconds the age of a connection and the times of records may disagree. */
const TOLERANCE = 50

type OfConnection = RecordOf<'active' | 'idle' | 'suspect' | 'dead' | 'close'>

export class Timeline {
  readonly lanes = new Set<Lane>()
  readonly groups = new Map<string, OriginGroup>()
  /** The times of the first record and of the last; undefined as long as there is none. */
  from: number | undefined
  to: number | undefined
  /** Lanes that were dropped because there were too many. */
  dropped = 0
  readonly #byConnection = new Map<string, Lane>()
  readonly #byDial = new Map<string, Lane>()
  #sinceLook = 0

  constructor(private readonly limits: TimelineLimits = FILE_LIMITS) {}

  apply(record: TimelineRecord): void {
    const { time } = record
    this.from = Math.min(this.from ?? time, time)
    this.to = Math.max(this.to ?? time, time)
    this.#take(record)
    if (++this.#sinceLook >= Math.max(LOOK_AFTER, this.lanes.size)) this.#keepWithin(this.limits, this.to)
  }

  #take(record: TimelineRecord): void {
    const { time, pool } = record
    switch (record.event) {
      case 'dial':
        this.#dials(record)
        break
      case 'dial-failed':
        this.#dialFails(record)
        break
      case 'open':
        this.#opens(record)
        break
      case 'wait':
        this.#group(pool, record.origin).stand(time, record.waiting)
        break
      case 'left':
        this.#group(pool, record.origin).leaves(time)
        break
      case 'refused':
        this.#refused(record)
        break
      case 'replay':
      case 'learn':
        this.#group(pool, record.origin).mark(record)
        break
      case 'active':
        this.#lane(record).change(time, 'active')
        if (typeof record.waited === 'number') this.#group(pool, record.connection.origin).leaves(time)
        break
      case 'idle':
        this.#lane(record).change(time, 'idle')
        break
      case 'suspect':
      case 'dead':
        this.#lane(record).change(time, 'probed')
        break
      case 'close':
        this.#lane(record).end ??= { at: time, reason: record.reason, error: record.error }
    }
  }

  #refused(record: RecordOf<'refused'>): void {
    const group = this.#group(record.pool, record.origin)
    // One that finds the line full was never in it.
    if (record.error.code !== 'ERR_KEEPWISE_QUEUE_FULL') group.leaves(record.time)
    group.mark(record)
  }

  #dials({ time, pool, origin, dial }: RecordOf<'dial' | 'dial-failed'>): Lane {
    const key = keyOf(pool, dial)
    let lane = this.#byDial.get(key)
    // Later than all that is known of it: the same number of another process. Earlier: a record that comes late.
    if (lane !== undefined && time > (lane.end?.at ?? lane.start + TOLERANCE)) lane = lose(lane)
    if (lane === undefined) this.#byDial.set(key, (lane = this.#add(pool, origin, dial)))
    if (lane.changes === 0 || time < lane.start) lane.change(time, 'dialling')
    return lane
  }

  #dialFails(record: RecordOf<'dial-failed'>): void {
    const { time, pool, origin, dial, error } = record
    const lane = this.#byDial.get(keyOf(pool, dial)) ?? this.#dials(record)
    lane.end ??= { at: time, reason: DIAL_FAILED, error }
    this.#group(pool, origin).mark(record)
  }

  #opens(record: RecordOf<'open'>): void {
    const { time, pool, connection, dial, dialTime } = record
    let lane = this.#byConnection.get(keyOf(pool, connection.id))
    if (lane !== undefined && (lane.opened || isOver(lane, record))) lane = lose(lane)
    const dialled = this.#byDial.get(keyOf(pool, dial))
    if (dialled !== undefined && dialled.connection === undefined && dialled.end === undefined) {
      // What was told of the connection before it was told to be open has begun a lane of its own.
      if (lane !== undefined) dialled.take(lane)
      if (lane !== undefined) this.#drop(lane)
      lane = dialled
    }
    lane ??= this.#add(pool, connection.origin, dial)
    lane.connection ??= connection
    lane.opens(time, dialTime)
    this.#byDial.set(keyOf(pool, dial), lane)
    this.#byConnection.set(keyOf(pool, connection.id), lane)
  }

  /** The lane of a connection. One that was not seen to open has been open for as long as it says. */
  #lane(record: OfConnection): Lane {
    const { time, pool, connection } = record
    const key = keyOf(pool, connection.id)
    let lane = this.#byConnection.get(key)
    if (lane !== undefined && isOver(lane, record)) lane = lose(lane)
    if (lane === undefined) {
      this.#byConnection.set(key, (lane = this.#add(pool, connection.origin, undefined)))
      lane.change(time - connection.age, 'unseen')
      if (connection.idle > 0) lane.change(time - connection.idle, 'idle')
    } else if (connection.idle > 0) lane.idleSince(time - connection.idle)
    lane.connection = connection
    return lane
  }

  #add(pool: PoolIdentity, origin: string, dial: number | undefined): Lane {
    const lane = new Lane(pool, origin, dial)
    this.lanes.add(lane)
    this.#group(pool, origin)
    return lane
  }

  #drop(lane: Lane): void {
    this.lanes.delete(lane)
    for (const index of [this.#byDial, this.#byConnection])
      for (const number of [lane.dial, lane.connection?.id])
        if (number !== undefined && index.get(keyOf(lane.pool, number)) === lane) index.delete(keyOf(lane.pool, number))
  }

  #group(pool: PoolIdentity, origin: string): OriginGroup {
    const key = groupKey(pool, origin)
    let group = this.groups.get(key)
    if (group === undefined) this.groups.set(key, (group = new OriginGroup(pool, origin)))
    return group
  }

  #keepWithin({ lanes, changes, age }: TimelineLimits, now: number): void {
    this.#sinceLook = 0
    const since = now - age
    for (const lane of this.lanes)
      if (lane.end !== undefined && lane.end.at < since) this.#drop(lane)
      else lane.forget(since, changes)
    for (const lane of surplus(this.lanes, lanes)) {
      this.#drop(lane)
      this.dropped++
    }
    const inUse = new Set(Array.from(this.lanes, (lane) => groupKey(lane.pool, lane.origin)))
    for (const [key, group] of this.groups) {
      group.forget(since, changes)
      if (group.isQuiet && !inUse.has(key)) this.groups.delete(key)
    }
    this.from = Math.max(this.from ?? since, since)
  }
}

export const groupKey = (pool: PoolIdentity, origin: string): string => `${pool.id} ${origin}`

const keyOf = (pool: PoolIdentity, number: number): string => `${pool.id}/${number}`

/** Whether the lane's connection was closed before the record's was opened: numbers begin anew with each process. */
function isOver({ end }: Lane, { time, connection }: OfConnection | RecordOf<'open'>): boolean {
  return end !== undefined && time - connection.age > end.at + TOLERANCE
}

/** Another one has its number now. */
function lose(lane: Lane): undefined {
  lane.end ??= { at: lane.last, reason: NOT_SEEN }
  return undefined
}

/** What there is beyond so many: those that closed first, then those that changed first. */
function surplus(lanes: ReadonlySet<Lane>, most: number): Lane[] {
  if (lanes.size <= most) return []
  const rank = (lane: Lane): number => (lane.end === undefined ? 1 : 0)
  const sorted = [...lanes].sort((a, b) => rank(a) - rank(b) || a.last - b.last)
  return sorted.slice(0, lanes.size - most)
}
