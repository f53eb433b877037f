/**
 * The newest records of a process, numbered: what somebody gets who begins to look. Bounded by count and by age.
 */
import type { TimelineRecord } from '../timeline/record.js'

/** Records that are kept. */
export const MAX_RECORDS = 20_000

/** Milliseconds for which one is kept. */
export const MAX_AGE = 10 * 60_000

export class History {
  /** The last record of each connection that is not closed, the one that was told of least recently first. */
  readonly #open = new Map<string, Numbered>()
  /** Number of the newest record there ever was, from 1; 0: none yet. */
  last = 0
  /** The oldest first; the first ones may be gone: see `#gone`. */
  #records: (TimelineRecord | undefined)[] = []
  #gone = 0

  /** @returns its number */
  add(record: TimelineRecord): number {
    const number = ++this.last
    this.#records.push(record)
    this.expire(record.time)
    this.#follow(number, record)
    return number
  }

  /** The last record of each connection that is open, of those of which nothing is kept otherwise. */
  get forgotten(): TimelineRecord[] {
    const first = this.last - (this.#records.length - this.#gone) + 1
    return [...this.#open.values()].filter(({ number }) => number < first).map(({ record }) => record)
  }

  /** Those whose number is greater than `number`, without gaps, the newest one last. */
  after(number: number): TimelineRecord[] {
    const first = this.#records.length - Math.max(this.last - number, 0)
    return this.#records.slice(Math.max(first, this.#gone)) as TimelineRecord[]
  }

  #follow(number: number, record: TimelineRecord): void {
    if (!('connection' in record)) return
    const { pool, connection, event } = record
    const key = `${pool.id}/${connection.id}`
    this.#open.delete(key)
    if (event === 'close') return
    this.#open.set(key, { number, record })
    // As many as that are open, or were when nobody was told of their ends.
    if (this.#open.size > MAX_RECORDS) this.#open.delete(this.#open.keys().next().value as string)
  }

  /**
   * Drops what is too old, or too much.
   *
   * @param now epoch milliseconds
   */
  expire(now: number): void {
    const records = this.#records
    while (this.#gone < records.length) {
      const { time } = records[this.#gone] as TimelineRecord
      if (records.length - this.#gone <= MAX_RECORDS && time > now - MAX_AGE) break
      records[this.#gone++] = undefined
    }
    // Moved together when half of it is gone, so that to add one costs the same on average, however many are kept.
    if (this.#gone > 1_000 && this.#gone * 2 > records.length) {
      this.#records = records.slice(this.#gone)
      this.#gone = 0
    }
  }
}

interface Numbered {
  readonly number: number
  readonly record: TimelineRecord
}
