/**
 * Tells `learning.ts` what a server does, one thing after another, each far from the one before.
 */
import {
  type Learned,
  nothingLearned,
  outlived,
  samplesOf,
  serverClosed,
  settle,
  worthWatching,
} from '../../../src/keepalive/learning.js'

/** Milliseconds between things, so odd that what closes now was not idle since the same moment as anything before. */
const APART = 123_457

export class Observer {
  known: Learned = nothingLearned
  now = 1_000_000

  /** Connections are closed, each on its own, after so many milliseconds of idling. */
  closes(...ages: number[]): this {
    for (const age of ages) this.closesTogether(age)
    return this
  }

  /** Connections are closed within one millisecond. */
  closesTogether(...ages: number[]): this {
    return this.pass(APART)
      .closesNow(...ages)
      .pass(1_000)
  }

  /** As `closesTogether`, but now, and their second is not over. */
  closesNow(...ages: number[]): this {
    for (const age of ages) this.known = serverClosed(this.known, age, this.now)
    return this
  }

  /** A connection is closed that had idled for longer or shorter before, and was then reused. */
  closesReused(age: number, survived: number): this {
    this.pass(APART)
    this.known = serverClosed(this.known, age, this.now, survived)
    return this.pass(1_000)
  }

  /** Watched connections are still open, each on its own, after so many milliseconds. */
  outlive(...ages: number[]): this {
    for (const age of ages) {
      this.pass(APART)
      this.known = outlived(this.known, age, this.now)
    }
    return this
  }

  /** Time passes, and the timer of the pool is never late. */
  pass(ms: number): this {
    const end = this.now + ms
    if (this.known.settlesAt <= end) this.#settle(this.known.settlesAt)
    this.#settle(end)
    return this
  }

  get timeout(): number | undefined {
    return this.known.timeout
  }

  get samples(): readonly number[] {
    return samplesOf(this.known)
  }

  get worthWatching(): boolean {
    return worthWatching(this.known, this.now)
  }

  /** Survivals in a row that it takes to disprove the present timeout; ends without it. */
  patience(): number {
    const age = 3 * ((this.timeout ?? 0) + 100)
    for (let survivals = 1; ; survivals++) if (this.outlive(age).timeout === undefined) return survivals
  }

  #settle(now: number): void {
    this.now = now
    this.known = settle(this.known, now)
  }
}
