/**
 * One connection over time: what it did from when to when, and why it was closed. Records may come a little out of order.
 */
import type { PoolIdentity } from '../registry.js'
import type { ConnectionSnapshot } from '../snapshot.js'
import type { RecordedError } from './record.js'

/** `unseen`: it was open, but the log begins later. `probed`: its peer is asked whether it lives. */
export const laneStates = ['unseen', 'dialling', 'active', 'idle', 'probed'] as const

export type LaneState = (typeof laneStates)[number]

/** Why a lane ends that is no connection's, or no longer. */
export const DIAL_FAILED = 'dial failed'
export const NOT_SEEN = 'not seen to close'

/** Times are milliseconds since 1970. */
export interface Segment {
  readonly state: LaneState
  readonly from: number
  readonly to: number
}

export interface LaneEnd {
  readonly at: number
  /** A close reason, or one of the two above; the second where another connection has its number now. */
  readonly reason: string
  readonly error?: RecordedError | undefined
}

export class Lane {
  /** As it was told last; undefined while it is being opened. */
  connection: ConnectionSnapshot | undefined
  end: LaneEnd | undefined
  /** Whether it was seen to open. */
  opened = false
  /** Changes of state, in the order of their times: two lists, since there are many of them. */
  readonly #times: number[] = []
  readonly #states: LaneState[] = []

  /** @param dial the attempt that opens it; undefined if it was open when the log began */
  constructor(
    readonly pool: PoolIdentity,
    readonly origin: string,
    readonly dial: number | undefined,
  ) {}

  /** When it is first known of. */
  get start(): number {
    return this.#times[0] ?? this.end?.at ?? 0
  }

  /** When it last changed. */
  get last(): number {
    return this.end?.at ?? this.#times.at(-1) ?? 0
  }

  get changes(): number {
    return this.#times.length
  }

  /** From this moment on it is in this state. */
  change(time: number, state: LaneState): void {
    let index = this.#times.length
    while (index > 0 && (this.#times[index - 1] as number) > time) index--
    if (index > 0 && this.#times[index - 1] === time) this.#states[index - 1] = state
    else {
      this.#times.splice(index, 0, time)
      this.#states.splice(index, 0, state)
    }
  }

  /** It has been idle since then, though nobody said so when it began. */
  idleSince(time: number): void {
    if (time > (this.#times.at(-1) ?? Infinity)) this.change(time, 'idle')
  }

  /** It was seen to open: what was guessed of the time before is wrong. What was told early stays. */
  opens(time: number, dialTime: number): void {
    this.opened = true
    for (let index = this.#times.length - 1; index >= 0; index--)
      if (this.#states[index] === 'unseen') this.#cut(index, 1)
    if (this.#times.length === 0 || this.start > time - dialTime) this.change(time - dialTime, 'dialling')
    // Until the request that it was opened for has it, it has nothing to do.
    const index = this.#times.findLastIndex((each) => each <= time)
    if (index < 0 || this.#states[index] === 'dialling') this.change(time, 'idle')
  }

  /** What was told of the same connection under another name. */
  take(other: Lane): void {
    other.#times.forEach((time, index) => {
      this.change(time, other.#states[index] as LaneState)
    })
    this.connection = other.connection
    this.end = other.end
  }

  /** What it did, without gaps, up to its end or `until`. */
  segments(until: number): Segment[] {
    const last = Math.min(this.end?.at ?? until, until)
    const segments: { state: LaneState; from: number; to: number }[] = []
    this.#times.forEach((from, index) => {
      const to = Math.min(this.#times[index + 1] ?? last, last)
      const state = this.#states[index] as LaneState
      if (to <= from) return
      const before = segments.at(-1)
      if (before?.state === state) before.to = to
      else segments.push({ state, from, to })
    })
    return segments
  }

  /** Drops what was before a moment, and the oldest changes beyond so many. */
  forget(before: number, most: number): void {
    let gone = 0
    while (gone + 1 < this.#times.length && (this.#times[gone + 1] as number) <= before) gone++
    if (this.#times.length - gone > most) {
      // More than is kept: the part that is cut off was, and is not known any more.
      gone = this.#times.length - most
      this.#states[gone - 1] = 'unseen'
      this.#times[gone - 1] = this.start
      gone--
    }
    if (gone > 0) this.#cut(0, gone)
  }

  #cut(from: number, count: number): void {
    this.#times.splice(from, count)
    this.#states.splice(from, count)
  }
}
