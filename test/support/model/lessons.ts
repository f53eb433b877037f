/**
 * What the pool may have learned, by the model's own account: at what ages connections ended, and what the events said.
 */
import type { Events } from '../../../src/events.js'
import type { Connection } from '../../../src/pool/connection.js'
import type { OriginPool } from '../../../src/pool/origin-pool.js'

type Lesson = NonNullable<Connection['lesson']>
type Wrong = (what: string) => void

export class ModelLessons {
  /** How often something was learned, or found to be no more so. */
  learned = 0
  forgotten = 0
  /** Of all connections to an address: how long they had idled when they ended. */
  readonly #ages = new Map<Lesson, Set<number>>()
  /** What the last event said, by origin and address. */
  readonly #told = new Map<string, number>()

  constructor(events: Events, wrong: Wrong) {
    events.on('learn', ({ origin, address, timeout, samples }) => {
      const where = `${origin} at ${address}`
      if (this.#told.get(where) === timeout) wrong(`it is told again that ${where} has ${timeout} ms`)
      if (timeout === undefined) {
        this.#told.delete(where)
        this.forgotten++
        if (samples.length > 0) wrong(`${samples} speak for nothing at ${where}`)
      } else {
        this.#told.set(where, timeout)
        this.learned++
        if (timeout !== Math.min(...samples)) wrong(`${timeout} ms at ${where} come from ${samples}`)
      }
    })
  }

  /** A connection has ended, or its request, after it had idled for so long. */
  ended({ lesson }: Connection, age: number): void {
    if (lesson === undefined) return
    const ages = this.#ages.get(lesson) ?? new Set()
    this.#ages.set(lesson, ages.add(Math.max(0, age)))
  }

  /** Nothing is learned that has not happened, and everything is told. */
  check(origins: readonly OriginPool[], wrong: Wrong): void {
    const known = new Map<string, number>()
    for (const origin of origins)
      for (const lesson of origin.lessons?.known() ?? []) this.#checkKnown(origin, lesson, known, wrong)
    const pairs = (map: Map<string, number>): string =>
      [...map]
        .map(([where, ms]) => `${where}: ${ms}`)
        .sort()
        .join()
    if (pairs(known) !== pairs(this.#told)) wrong(`known is ${pairs(known)}; told was ${pairs(this.#told)}`)
    this.#checkWatched(origins, wrong)
  }

  #checkKnown(
    origin: OriginPool,
    lesson: Lesson & { timeout: number },
    known: Map<string, number>,
    wrong: Wrong,
  ): void {
    const { address, timeout, samples } = lesson
    known.set(`${origin.key} at ${address}`, timeout)
    for (const sample of samples)
      if (!this.#ages.get(lesson)?.has(sample)) wrong(`no connection idled for ${sample} ms`)
  }

  /** One connection for each address at the most, and each lesson knows of its own. */
  #checkWatched(origins: readonly OriginPool[], wrong: Wrong): void {
    const watched = new Set<Lesson>()
    for (const { id, state, lesson } of origins.flatMap(({ connections }) => [...connections])) {
      if (state !== 'watched') continue
      if (lesson === undefined) wrong(`${id} is watched, and there is nothing to learn`)
      else if (watched.has(lesson)) wrong(`${id} is watched, and another one to its address`)
      else watched.add(lesson)
    }
    for (const lesson of this.#ages.keys())
      if (lesson.watching !== watched.has(lesson))
        wrong(`the lesson of ${lesson.address} has ${watched.has(lesson) ? 'one' : 'none'} to watch, and does not know`)
  }
}
