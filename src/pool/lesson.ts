/**
 * What one address of an origin has taught of its idle timeout.
 */

import { type Agenda, AgendaItem } from '../agenda.js'
import {
  type Learned,
  nothingLearned,
  outlived,
  samplesOf,
  serverClosed,
  settle,
  watchTime,
  worthWatching,
} from '../keepalive/learning.js'

export class Lesson extends AgendaItem {
  /** One connection at a time is left to idle for as long as the server lets it; it is not lent any more. */
  watching = false
  #known: Learned = nothingLearned

  constructor(
    readonly address: string,
    private readonly agenda: Agenda,
    private readonly changed: (lesson: Lesson) => void,
  ) {
    super()
  }

  /** Milliseconds after which the server closes idle connections, as far as it is known. */
  get timeout(): number | undefined {
    return this.#known.timeout
  }

  /** After what idle time it has closed some, though not often enough to be sure. */
  get suspected(): number | undefined {
    return this.#known.suspected
  }

  /** The idle times, in milliseconds, that it was taken from. */
  get samples(): readonly number[] {
    return samplesOf(this.#known)
  }

  /** For how many milliseconds a connection is watched at the most, from when it became idle. */
  get watchTime(): number {
    return watchTime(this.#known)
  }

  /**
   * The server closed a connection that had idled for `age` milliseconds.
   *
   * @param survived the longest time that it had idled before and was then answered; undefined if it was never reused
   */
  serverClosed(age: number, now: number, survived: number | undefined): void {
    this.#learn(serverClosed(this.#known, age, now, survived))
  }

  /** It has let one idle for `age` milliseconds, and did not close it. */
  outlived(age: number, now: number): void {
    this.#learn(outlived(this.#known, age, now))
  }

  /** Whether one more connection that is not to be used any longer should be kept, to see when the server closes it. */
  wantsWatch(now: number): boolean {
    return !this.watching && worthWatching(this.#known, now)
  }

  wake(now: number): number {
    this.#learn(settle(this.#known, now))
    return this.#known.settlesAt
  }

  #learn(known: Learned): void {
    const before = this.#known.timeout
    this.#known = known
    if (known.settlesAt < this.wakeAt) this.agenda.schedule(this, known.settlesAt)
    if (known.timeout !== before) this.changed(this)
  }
}
