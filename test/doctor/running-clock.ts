/** A clock that jumps from timer to timer as soon as nothing else is left to be done: hours pass in no time. */
import { ManualClock } from '../support/manual-clock.js'

/** Turns of the event loop that what has been woken is given until it waits again. */
const TURNS = 3

export class RunningClock extends ManualClock {
  readonly #due: number[] = []

  override setTimer(callback: () => void, delay: number, holds = false) {
    if (delay !== Infinity) this.#due.push(this.now() + Math.ceil(delay))
    return super.setTimer(callback, delay, holds)
  }

  /** Lets time pass until a promise is settled. Throws if it never will be. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const done = (): void => {
      settled = true
    }
    promise.then(done, done)
    for (;;) {
      for (let turn = 0; turn < TURNS; turn++) await new Promise(setImmediate)
      if (settled) return promise
      const next = Math.min(...this.#due)
      if (next === Infinity) throw new Error('Nothing is left that could settle it')
      this.#due.splice(0, this.#due.length, ...this.#due.filter((due) => due > next))
      this.advance(Math.max(0, next - this.now()))
    }
  }
}
