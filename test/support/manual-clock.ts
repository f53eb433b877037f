/**
 * A clock that stands still until a test moves it: drives a pool through hours in no time, and to the millisecond.
 */
import type { Clock, TimerHandle } from '../../src/clock.js'

interface Timer {
  readonly at: number
  readonly holds: boolean
  readonly callback: () => void
}

/** Timers that one call of `advance` may run before they count as a loop without end. */
const MOST_TIMERS = 100_000

export class ManualClock implements Clock {
  /** Not 0: a time that was never set must not look like the present. */
  #now = 10_000
  #slept = 0
  readonly #timers = new Set<Timer>()
  #inOneTurn: (() => void)[] = []
  #inTwoTurns: (() => void)[] = []

  now(): number {
    return this.#now
  }

  /** Runs with `now`, and by itself while the machine sleeps. */
  wallTime(): number {
    return this.#now + this.#slept
  }

  setTimer(callback: () => void, delay: number, holds = false): TimerHandle {
    if (!(delay >= 0)) throw new RangeError(`A timer of ${delay} ms`)
    const timer = { at: this.#now + Math.ceil(delay), holds, callback }
    this.#timers.add(timer)
    return timer
  }

  clearTimer(timer: TimerHandle): void {
    this.#timers.delete(timer as Timer)
  }

  afterTwoTurns(callback: () => void): void {
    this.#inTwoTurns.push(callback)
  }

  /** Timers that are set and have not run. */
  get timers(): number {
    return this.#timers.size
  }

  /** Of these, those that would keep the process alive. */
  get holding(): number {
    return [...this.#timers].filter(({ holds }) => holds).length
  }

  /** Callbacks that wait for a turn. */
  get turning(): number {
    return this.#inOneTurn.length + this.#inTwoTurns.length
  }

  /** Lets time pass; timers run at their times, in order, those that are set on the way as well. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (let run = 0, timer = this.#due(end); timer !== undefined; timer = this.#due(end)) {
      if (++run > MOST_TIMERS) throw new Error(`${run} timers within ${ms} ms: they set each other without end`)
      this.#timers.delete(timer)
      this.#now = Math.max(this.#now, timer.at)
      timer.callback()
    }
    this.#now = end
  }

  /** Lets time pass while the event loop is blocked: what was due meanwhile runs late, at the end. */
  block(ms: number): void {
    this.#now += ms
    this.advance(0)
  }

  /** The machine sleeps: the world goes on, the process does not notice. */
  sleep(ms: number): void {
    this.#slept += ms
  }

  /** One turn of the event loop. */
  turn(): void {
    const due = this.#inOneTurn
    this.#inOneTurn = this.#inTwoTurns
    this.#inTwoTurns = []
    for (const callback of due) callback()
  }

  /** The next timer that is due by a time; of those due together the one that was set first. */
  #due(end: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer
    return next
  }
}
