/**
 * What happened at one origin beside its connections: requests that waited, what was learned, sent again, refused.
 */
import type { PoolIdentity } from '../registry.js'
import type { RecordOf } from './record.js'

/** What is marked at its moment. */
export type Mark = RecordOf<'learn' | 'replay' | 'refused' | 'dial-failed'>

/** From `time` on, `waiting` requests stood in line. */
export interface Step {
  readonly time: number
  readonly waiting: number
}

export class OriginGroup {
  /** In the order of their times. */
  readonly marks: Mark[] = []
  /** The idle timeouts that are known, in milliseconds, by address. */
  readonly learned = new Map<string, number>()
  #steps: Step[] = []

  constructor(
    readonly pool: PoolIdentity,
    readonly origin: string,
  ) {}

  get waiting(): number {
    return this.#steps.at(-1)?.waiting ?? 0
  }

  /** Whether there is nothing to tell of it. */
  get isQuiet(): boolean {
    return this.waiting === 0 && this.#steps.length <= 1 && this.marks.length === 0
  }

  get steps(): readonly Step[] {
    return this.#steps
  }

  /** So many stand in line now. */
  stand(time: number, waiting: number): void {
    if (waiting === this.waiting) return
    const last = this.#steps.at(-1)
    // The numbers count in the order in which they came, whatever their times say.
    this.#steps.push({ time: Math.max(time, last?.time ?? time), waiting })
  }

  /** One left the line. */
  leaves(time: number): void {
    if (this.waiting > 0) this.stand(time, this.waiting - 1)
  }

  mark(mark: Mark): void {
    let index = this.marks.length
    while (index > 0 && (this.marks[index - 1] as Mark).time > mark.time) index--
    this.marks.splice(index, 0, mark)
    if (mark.event !== 'learn') return
    const { address, timeout } = mark
    if (typeof timeout === 'number') this.learned.set(address, timeout)
    else this.learned.delete(address)
  }

  /** Drops what was before a moment, and the oldest beyond so many. */
  forget(before: number, most: number): void {
    const steps = this.#steps.findLastIndex(({ time }) => time <= before)
    this.#steps.splice(0, Math.max(steps, this.#steps.length - most, 0))
    const marks = this.marks.findLastIndex(({ time }) => time < before) + 1
    this.marks.splice(0, Math.max(marks, this.marks.length - most))
  }
}
