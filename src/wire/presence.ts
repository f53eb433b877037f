/**
 * Which addresses a name still has, judging from the answers to one question about it, put again and again.
 *
 * An address that is missing from an answer need not be gone: name servers give subsets, in turn or at random, and caches
 * on the way repeat themselves. So one is gone only when it has been missing for longer than that can explain. It knows no
 * lookups, timers or sockets: answers and times come in, what is gone and what is back comes out.
 */

/** Answers that come within so many milliseconds of one another are one: a burst of dials asks one cache. */
const ROUND = 15_000
/** An address is missing from at least so many answers in a row before it is gone, and for so many milliseconds. */
const FEWEST_ABSENCES = 3
const SHORTEST_ABSENCE = 120_000
/** The same where an answer shows one address at a time, whatever the name has: a weak witness. */
const FEWEST_SINGLE_ABSENCES = 10
/** An address was steady that was in every answer for so many milliseconds, and in so many of them. */
const STEADY_TIME = 30 * 60_000
const STEADY_ANSWERS = 10
/** The same answer within so many milliseconds may be the same one, from a cache: it proves no more than before. */
const LONGEST_CACHED = 5 * 60_000
/** One that was not steady is gone when chance keeps an address away for so long once in a million times. */
const CHANCE = 1e-6
/**
 * For how long it is remembered that addresses of a name come back, in milliseconds. One that was away for longer than
 * the second of them was not waiting for its turn: it was gone, and has been put back.
 */
const RETURNS_REMEMBERED = 24 * 3_600_000
const LONGEST_TURN = 2 * 3_600_000
/** Addresses remembered of one name; beyond it those that were not seen for longest are forgotten. */
const MOST_ADDRESSES = 64

/** What the answers say of one address. */
export interface Trace {
  /** When it was last in an answer. */
  readonly seenAt: number
  /** Since when it was in every answer until then, and in how many. */
  readonly steadySince: number
  readonly sightings: number
  /** Answers since, in a row, which it is missing from. */
  readonly absences: number
  /** How probable it is to miss all of these by chance, were each answer drawn from all the addresses that are known. */
  readonly chance: number
}

/** What the answers say of the name. */
export interface Habit {
  /** The longest absence, in answers, from which an address came back lately; 0 for none. */
  readonly longestReturn: number
  /** The last answer showed one address because the lookup tells no more than one. */
  readonly single: boolean
}

export function isGone(trace: Trace, { longestReturn, single }: Habit, now: number): boolean {
  const { seenAt, steadySince, sightings, absences, chance } = trace
  if (absences < (single ? FEWEST_SINGLE_ABSENCES : FEWEST_ABSENCES) || now - seenAt < SHORTEST_ABSENCE) return false
  // What others came back from, it may come back from as well.
  if (absences <= 2 * longestReturn) return false
  const wasSteady = seenAt - steadySince >= STEADY_TIME && sightings >= STEADY_ANSWERS
  return wasSteady || chance <= CHANCE
}

type Entry = { -readonly [Key in keyof Trace]: Trace[Key] } & { gone: boolean }

export class Presence {
  readonly #addresses = new Map<string, Entry>()
  /** The answer that was drawn last, as far as one can tell, and when. */
  #drawn = ''
  #drawnAt = Number.NEGATIVE_INFINITY
  #roundAt = Number.NEGATIVE_INFINITY
  #longestReturn = 0
  #returnedAt = Number.NEGATIVE_INFINITY

  /** Whether it has been in an answer, and is not gone. */
  holds(address: string): boolean {
    return this.#addresses.get(address)?.gone === false
  }

  isGone(address: string): boolean {
    return this.#addresses.get(address)?.gone === true
  }

  /**
   * Takes an answer.
   *
   * @param answer its addresses, each once, at least one
   * @param single whether it is of a lookup that tells one address, however many there are
   * @returns those that are gone by now, and were not before
   */
  observe(answer: readonly string[], single: boolean, now: number): string[] {
    const opensRound = now - this.#roundAt >= ROUND
    if (opensRound) this.#roundAt = now
    for (const address of answer) this.#saw(address, opensRound, now)
    const gone = opensRound ? this.#missed(new Set(answer), single, now) : []
    this.#forgetSome()
    return gone
  }

  #saw(address: string, opensRound: boolean, now: number): void {
    const entry = this.#addresses.get(address)
    if (entry === undefined) {
      const first = { seenAt: now, steadySince: now, sightings: 1, absences: 0, chance: 1, gone: false }
      this.#addresses.set(address, first)
      return
    }
    if (entry.absences > 0) this.#returned(entry, now)
    else if (opensRound) entry.sightings++
    entry.seenAt = now
  }

  #returned(entry: Entry, now: number): void {
    const { absences, seenAt } = entry
    const isLongest = absences >= this.#longestReturn || now - this.#returnedAt >= RETURNS_REMEMBERED
    if (isLongest && now - seenAt <= LONGEST_TURN) {
      this.#longestReturn = absences
      this.#returnedAt = now
    }
    Object.assign(entry, { steadySince: now, sightings: 1, absences: 0, chance: 1, gone: false })
  }

  /** An answer that opens a round counts against those which it lacks. */
  #missed(answer: ReadonlySet<string>, single: boolean, now: number): string[] {
    const longestReturn = now - this.#returnedAt < RETURNS_REMEMBERED ? this.#longestReturn : 0
    const chance = this.#isDrawn(answer, now) ? 1 - answer.size / this.#held : 1
    const gone: string[] = []
    for (const [address, entry] of this.#addresses) {
      if (answer.has(address)) continue
      entry.absences++ // of one that is gone as well: how long it was away counts when it comes back
      if (entry.gone) continue
      entry.chance *= chance
      if (!isGone(entry, { longestReturn, single }, now)) continue
      entry.gone = true
      gone.push(address)
    }
    return gone
  }

  /** Whether an answer is another one than the last, and not the same from a cache. */
  #isDrawn(answer: ReadonlySet<string>, now: number): boolean {
    const drawn = [...answer].sort().join(' ')
    if (drawn === this.#drawn && now - this.#drawnAt < LONGEST_CACHED) return false
    this.#drawn = drawn
    this.#drawnAt = now
    return true
  }

  /** Addresses that are not gone. */
  get #held(): number {
    let held = 0
    for (const { gone } of this.#addresses.values()) if (!gone) held++
    return held
  }

  #forgetSome(): void {
    while (this.#addresses.size > MOST_ADDRESSES) {
      let oldest: string | undefined
      let oldestAt = Infinity
      for (const [address, { seenAt }] of this.#addresses)
        if (seenAt < oldestAt) {
          oldest = address
          oldestAt = seenAt
        }
      this.#addresses.delete(oldest as string)
    }
  }
}
