/**
 * Asks questions again in the background: one at a time for a name and a few at once in all, because dns.lookup holds
 * one of few threads while it waits, and dials need them too.
 */
import type { Clock } from '../clock.js'

/** Asked at the same time; libuv has four threads, unless it was told otherwise. */
const MOST_AT_ONCE = 2
/** In milliseconds. A lookup of the caller's own that never calls back does not take its place for ever. */
const PATIENCE = 120_000

/** Asks, and calls `done` when the answer is there, or will not come. */
export type Ask<Question> = (question: Question, done: () => void) => void

export class Refresher<Question extends { readonly hostname: string }> {
  readonly #clock: Clock
  readonly #ask: Ask<Question>
  readonly #waiting = new Set<Question>()
  /** When each was begun. */
  readonly #running = new Map<Question, number>()

  constructor(clock: Clock, ask: Ask<Question>) {
    this.#clock = clock
    this.#ask = ask
  }

  /** Asks when its turn comes; nothing happens if it is being asked, or waits already. */
  add(question: Question): void {
    if (!this.#running.has(question)) this.#waiting.add(question)
    this.#next()
  }

  readonly #next = (): void => {
    const now = this.#clock.now()
    for (const [question, since] of this.#running) if (now - since >= PATIENCE) this.#running.delete(question)
    for (const question of this.#waiting) {
      if (this.#running.size >= MOST_AT_ONCE) return
      if (this.#isAsking(question.hostname)) continue
      this.#waiting.delete(question)
      this.#running.set(question, now)
      this.#ask(question, () => this.#done(question, now))
    }
  }

  #done(question: Question, begunAt: number): void {
    if (this.#running.get(question) !== begunAt) return // given up, or done before
    this.#running.delete(question)
    // A timer, which does not hold the process: what ends with this lookup is not kept waiting for the next ones.
    if (this.#waiting.size > 0) this.#clock.setTimer(this.#next, 0)
  }

  #isAsking(hostname: string): boolean {
    for (const question of this.#running.keys()) if (question.hostname === hostname) return true
    return false
  }
}
