/**
 * Which connections are to idle for how long, to find out after what time an idle connection is ended. Pure.
 *
 * Two kinds of end have to be found. A server that closes says so: who watches a connection sees the FIN or the RST, to the
 * millisecond. What forgets a connection in silence shows only when something is sent: so connections are asked after
 * different ages, all in the time that the longest of them takes.
 */
import { MOST_OPEN } from './limits.js'

/** One connection at a time, asked at these ages in turn. Milliseconds. */
export interface Lane {
  /** After the start of the round. */
  readonly startsAfter: number
  /** From its last response to the next request; ascending. */
  readonly ages: readonly number[]
}

/** Each age of the ladder is so much longer than the one below. */
const RATIO = 1.4
/** Ages below are not tried at first. */
const SHORTEST_AGE = 500
/** The two that are watched begin so far apart, so that a timeout ends them at different times, and a restart at one. */
const WATCHES_APART = 1_000
/** The search ends when it is known to so much: a part of the time, at least so many milliseconds. */
const NARROW_PART = 0.1
const NARROW = 250

const WATCHES = 2

export const apart = (longest: number): number => Math.min(WATCHES_APART, longest / 4)

/** Two connections that nobody asks before `age` is over. */
export function watches(age: number): Lane[] {
  return [
    { startsAfter: 0, ages: [age] },
    { startsAfter: apart(age), ages: [age] },
  ]
}

/**
 * The first round: two connections idle for as long as is allowed, and the others are asked at ages in between, each a
 * part more than the one before, as many as fit into that time.
 *
 * @param alive age up to which connections are known to live
 */
export function ladder(alive: number, longest: number): Lane[] {
  const bins = Array.from({ length: MOST_OPEN - WATCHES }, () => ({ ages: [] as number[], sum: 0 }))
  // The longest first, each into the first lane that has room for it.
  for (let age = longest / RATIO; age > alive && age >= SHORTEST_AGE; age /= RATIO) {
    const bin = bins.find(({ sum }) => sum + age <= longest)
    if (bin === undefined) continue
    bin.ages.push(age)
    bin.sum += age
  }
  const asked = bins.filter(({ ages }) => ages.length > 0)
  return [...watches(longest), ...asked.map(({ ages }) => ({ startsAfter: 0, ages: ages.reverse() }))]
}

/** How much longer one has to live that was asked than one that has died, so that the other has died of something else. */
export const aboveDeath = (age: number): number => age + Math.max(NARROW, age * NARROW_PART)

/** The next rounds: between an age at which a connection lived and one at which one did not, and above that one. */
export function between(alive: number, dead: number): Lane[] {
  const inBetween = MOST_OPEN - 1
  const ages = Array.from({ length: inBetween }, (_, index) => alive + ((dead - alive) * (index + 1)) / (inBetween + 1))
  return [...ages, aboveDeath(dead) + 1].map((age) => ({ startsAfter: 0, ages: [age] }))
}

export const isNarrow = (alive: number, dead: number): boolean => dead - alive <= Math.max(NARROW, dead * NARROW_PART)
