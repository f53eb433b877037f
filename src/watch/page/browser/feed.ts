/**
 * What the page knows of the process, kept up to date: its records as they come, its numbers once a second. When the process
 * goes it says so, and tries again until there is one, which may be another.
 */
import { LIVE_LIMITS, Timeline } from '../../../timeline/lanes.js'
import type { TimelineRecord } from '../../../timeline/record.js'
import type { WatchState } from '../contract.js'

/** Milliseconds between two looks at the numbers, and between two attempts to connect. */
const EVERY = 1_000
/** A process that does not answer for so long is told as gone. */
const PATIENCE = 5_000
/** By so much two clocks may drift apart between two looks. */
const DRIFT = 1

export type Known = Pick<WatchState, 'process' | 'pools'>

export class Feed {
  timeline = new Timeline(LIVE_LIMITS)
  /** Undefined until the process has answered. */
  known: Known | undefined
  isLive = false
  /** By how much the clock of the process is ahead of `performance.now()`. */
  #ahead: number | undefined
  #lostAt: number | undefined
  #last = 0
  #source: EventSource | undefined
  #isLooking = false
  /** What comes while the state is asked for. */
  #early: [number: number, record: TimelineRecord][] | undefined

  /** @param changed is called when something has changed that is not in the timeline */
  constructor(private readonly changed: () => void) {}

  start(): void {
    this.#connect()
    setInterval(() => void this.#look(), EVERY)
  }

  /** Milliseconds since 1970 in the process; when it is gone, at the moment it was heard last. */
  get now(): number {
    return this.#lostAt ?? performance.now() + (this.#ahead ?? performance.timeOrigin)
  }

  #connect(): void {
    const source = new EventSource(at('events'))
    this.#source = source
    source.onopen = () => void this.#begin(source)
    source.onmessage = ({ data, lastEventId }) => this.#hear(Number(lastEventId), JSON.parse(data))
    source.onerror = () => this.#lose(source)
  }

  /** The stream is open: what was before it comes from the state. */
  async #begin(source: EventSource): Promise<void> {
    this.#early = []
    try {
      const state = await ask('state')
      if (source !== this.#source) return
      const early = this.#early ?? []
      this.#early = undefined
      this.timeline = new Timeline(LIVE_LIMITS)
      for (const record of [...(state.open ?? []), ...state.records]) this.timeline.apply(record)
      this.#last = state.last
      for (const [number, record] of early) this.#hear(number, record)
      this.#ahead = undefined
      this.#lostAt = undefined
      this.isLive = true
      this.#take(state)
    } catch {
      this.#lose(source)
    }
  }

  #hear(number: number, record: TimelineRecord): void {
    if (this.#early !== undefined) this.#early.push([number, record])
    else if (number > this.#last) {
      this.#last = number
      this.timeline.apply(record)
    }
  }

  /** Asks for the numbers. */
  async #look(): Promise<void> {
    const source = this.#source
    if (!this.isLive || source === undefined || this.#isLooking) return
    this.#isLooking = true
    try {
      const state = await ask(`state?after=${this.#last}`)
      if (source === this.#source) this.#take(state)
    } catch {
      this.#lose(source)
    } finally {
      this.#isLooking = false
    }
  }

  #take({ time, process, pools }: WatchState): void {
    // The answer that took the shortest tells the time best.
    this.#ahead = Math.max((this.#ahead ?? -Infinity) - DRIFT, time - performance.now())
    this.known = { process, pools }
    this.changed()
  }

  #lose(source: EventSource): void {
    source.close()
    if (source !== this.#source) return
    this.#source = undefined
    if (this.isLive) this.#lostAt = this.now
    this.isLive = false
    this.#early = undefined
    this.changed()
    setTimeout(() => this.#connect(), EVERY)
  }
}

const at = (path: string): URL => new URL(path, document.baseURI)

async function ask(path: string): Promise<WatchState> {
  const response = await fetch(at(path), { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) })
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  return response.json()
}
