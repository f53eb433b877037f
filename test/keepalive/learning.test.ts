import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Learned,
  nothingLearned,
  outlived,
  samplesOf,
  serverClosed,
  settle,
  watchTime,
  worthWatching,
} from '../../src/keepalive/learning.js'
import { Observer } from '../support/learning/observer.js'

const HOUR = 60 * 60 * 1_000

/** Of a server that has closed three connections at this age. */
const learned = (timeout: number): Observer => new Observer().closes(timeout, timeout, timeout)

describe('a timeout is learned', () => {
  it('from three closes alike, not from two, and is the smallest of their ages', () => {
    const observer = new Observer().closes(5_003, 5_000)
    expect(observer.timeout).toBeUndefined()
    expect(observer.samples).toEqual([])
    expect(observer.closes(5_001).timeout).toBe(5_000)
    expect(observer.samples).toEqual([5_003, 5_000, 5_001])
  })

  it.each([
    [5_000, 5_500],
    [300, 400],
    [0, 100],
    [60_000, 66_000],
  ])('from ages within a tenth or 100 ms of the smallest: %i and %i, and no more', (smallest, largest) => {
    expect(new Observer().closes(largest, smallest, largest).timeout).toBe(smallest)
    expect(new Observer().closes(largest + 1, smallest, largest + 1).timeout).toBeUndefined()
  })

  it('from three of the last eight, whatever lies between', () => {
    const odd = [9_000, 13_000, 2_000, 19_000, 28_000]
    expect(new Observer().closes(5_000, ...odd, 5_000, 5_000).timeout).toBe(5_000)
    const observer = new Observer().closes(5_000, ...odd, 40_000, 5_000, 5_000)
    expect(observer.timeout).toBeUndefined()
    expect(observer.closes(5_000).timeout).toBe(5_000)
  })

  it('from the smallest ages of which there are enough', () => {
    const observer = new Observer().closes(10_000, 5_000, 10_000, 2_000, 5_000)
    expect(observer.closes(10_000).timeout).toBe(10_000)
    expect(observer.closes(5_000).timeout).toBe(5_000)
    expect(observer.samples).toEqual([5_000, 5_000, 5_000])
  })

  it('from closes hours apart', () => {
    const observer = new Observer()
    for (const age of [5_000, 5_002, 5_001]) observer.closes(age).pass(10 * HOUR)
    expect(observer.timeout).toBe(5_000)
  })

  it('from three closes within a day, and not when the first is a day old at the third', () => {
    const { known, now } = new Observer().closes(5_000).pass(HOUR).closes(5_000)
    const first = now - 1_000 - HOUR - 1_000 - 123_457
    const learnedAt = (third: number): number | undefined =>
      settle(serverClosed(known, 5_000, third), third + 1_000).timeout
    expect(known.recent).toMatchObject([{ idleSince: first - 5_000 }, {}])
    expect(learnedAt(first + 24 * HOUR - 1_001)).toBe(5_000)
    expect(learnedAt(first + 24 * HOUR)).toBeUndefined()
  })

  it('as 0 of a server that closes right after its responses', () => {
    expect(new Observer().closes(3, 0, 5).timeout).toBe(0)
  })

  it('as 0 where the clocks disagree by a few milliseconds', () => {
    expect(new Observer().closes(-2, -1, 3).timeout).toBe(0)
  })
})

describe('closes of one second', () => {
  it('count when the second is over, not a millisecond before', () => {
    const observer = new Observer().closes(5_000, 5_000)
    expect(observer.known.settlesAt).toBe(Infinity)
    const { now } = observer.pass(60_000).closesNow(5_000)
    expect(observer.known.settlesAt).toBe(now + 1_000)
    expect(observer.pass(999).timeout).toBeUndefined()
    expect(observer.pass(1).timeout).toBe(5_000)
    expect(observer.known.settlesAt).toBe(Infinity)
  })

  it('count as one, with the smallest age', () => {
    const observer = new Observer().closesTogether(5_010, 5_000, 5_020, 5_001)
    expect(observer.timeout).toBeUndefined()
    expect(observer.closes(5_005).timeout).toBeUndefined()
    expect(observer.closesTogether(5_030, 5_002).samples).toEqual([5_000, 5_005, 5_002])
  })

  it('are counted from the first of them', () => {
    const observer = new Observer().closesNow(5_000).pass(999).closesNow(5_000).pass(1).closesNow(5_000).pass(999)
    expect(observer.known.recent).toHaveLength(1)
    expect(observer.pass(1).known.recent).toHaveLength(2)
  })

  it('count though nobody settled them in time', () => {
    let known = serverClosed(nothingLearned, 5_000, 100_000)
    known = serverClosed(known, 5_000, 200_000)
    known = serverClosed(known, 5_000, 300_000)
    expect(known.timeout).toBeUndefined()
    // What is too old when they are judged was not too old when they came.
    expect(settle(known, 300_000 + 12 * HOUR).timeout).toBe(5_000)
    expect(outlived(known, 0, 400_000).timeout).toBe(5_000)
  })

  it.each([
    [5_000, 6_000],
    [600, 1_200],
    [20_000, 22_000],
    [20, 120],
  ])('teach nothing where their ages differ by more than servers are late: %i and %i', (youngest, oldest) => {
    const together = (...ages: number[]): Observer => new Observer().closes(youngest, youngest).closesTogether(...ages)
    expect(together(oldest, youngest).timeout).toBeUndefined()
    expect(together(youngest, oldest, youngest).timeout).toBeUndefined()
    expect(together(oldest - 1, youngest).timeout).toBe(youngest)
    expect(together(youngest, oldest - 1).timeout).toBe(youngest)
  })

  it('change nothing that is known when they teach nothing', () => {
    const { known } = learned(5_000)
    const observer = learned(5_000).closesTogether(100, 4_000, 9_000).closesTogether(1_000, 5_000)
    expect(observer.known).toEqual(known)
  })
})

describe('a connection that had been reused', () => {
  it('teaches nothing where it had outlived the age clearly before: 6000 ms, but not 5999, for 5000', () => {
    const twice = (): Observer => new Observer().closes(5_000, 5_000)
    expect(twice().closesReused(5_000, 6_000).timeout).toBeUndefined()
    expect(twice().closesReused(5_000, 5_999).timeout).toBe(5_000)
  })

  it('teaches nothing where it was closed within 100 ms: a server that does so always never lets one be reused', () => {
    const twice = (): Observer => new Observer().closes(50, 50)
    expect(twice().closesReused(100, 0).timeout).toBeUndefined()
    expect(twice().closesReused(101, 0).timeout).toBe(50)
  })

  it('speaks for those closed with it as well, before and after', () => {
    const observer = new Observer().closes(5_000, 5_000).pass(60_000)
    const { known, now } = observer
    const fresh = serverClosed(known, 5_001, now)
    const reused = serverClosed(known, 5_000, now, 9_000)
    expect(settle(serverClosed(fresh, 5_000, now, 9_000), now + 1_000).timeout).toBeUndefined()
    expect(settle(serverClosed(reused, 4_999, now), now + 1_000).timeout).toBeUndefined()
    expect(settle(fresh, now + 1_000).timeout).toBe(5_000)
  })
})

describe('connections idle since the same second', () => {
  it('count once, though they are closed one after the other, as in a rolling restart', () => {
    const ages = [20_000, 21_100, 21_999]
    expect(new Observer().closes(...ages).timeout).toBe(20_000)
    const rolling = new Observer().pass(100_000)
    for (const age of ages) rolling.closesNow(age).pass(1_100)
    expect(rolling.timeout).toBeUndefined()
    expect(rolling.known.recent).toHaveLength(1)
  })

  it('count twice when they became idle a second apart', () => {
    const observer = new Observer().closesNow(20_000).pass(1_999).closesNow(21_000).pass(1_000)
    expect(observer.known.recent).toHaveLength(1)
    const later = new Observer().closesNow(20_000).pass(2_000).closesNow(21_000).pass(1_000)
    expect(later.known.recent).toHaveLength(2)
    const earlier = new Observer().closesNow(20_000).pass(2_000).closesNow(23_000).pass(1_000)
    expect(earlier.known.recent).toHaveLength(2)
  })
})

describe('a learned timeout', () => {
  it('falls at once to an age a little smaller: 4546, not 4545, for 5000', () => {
    expect(learned(5_000).closes(4_546).timeout).toBe(4_546)
    expect(learned(5_000).closes(4_545).timeout).toBe(5_000)
  })

  it('falls to a clearly smaller age at the third close, whatever is closed at the old one in between', () => {
    const observer = learned(5_000).closes(2_000, 5_000, 2_100)
    expect(observer.timeout).toBe(5_000)
    expect(observer.closes(2_050).timeout).toBe(2_000)
    expect(observer.samples).toEqual([2_000, 2_100, 2_050])
  })

  it('does not fall by closes that lie between a lot of others', () => {
    const observer = learned(5_000)
    for (let restart = 0; restart < 10; restart++) observer.closes(2_000, 5_000, 5_000, 5_000, 5_000)
    expect(observer.timeout).toBe(5_000)
  })

  it('stays while closes come up to a second later, as from a server that looks once in a second', () => {
    const observer = learned(2_000)
    for (let round = 0; round < 10; round++) observer.closes(2_200, 2_900, 2_500)
    expect(observer.timeout).toBe(2_000)
    expect(observer.samples).toHaveLength(8)
    expect(observer.samples).toContain(2_000)
  })

  it('stays while closes come up to 100 ms later, and is then the oldest sample', () => {
    const observer = learned(5_000).closes(...Array(20).fill(5_100))
    expect(observer.timeout).toBe(5_000)
    expect(observer.samples).toEqual([5_000, ...Array(7).fill(5_100)])
  })

  it('rises by less than is clearly longer when the eighth close in a row is at the new age', () => {
    const observer = learned(5_000).closes(...Array(7).fill(5_101))
    expect(observer.timeout).toBe(5_000)
    expect(observer.closes(5_101).timeout).toBe(5_101)
  })

  it('is made of the eight latest samples', () => {
    const ages = [5_000, 5_001, 5_002, 5_003, 5_004, 5_005, 5_006, 5_007]
    const observer = new Observer().closes(5_050, 5_060, 5_070, ...ages)
    expect(observer.samples).toEqual(ages)
    expect(observer.closes(4_990).samples).toEqual([...ages.slice(1), 4_990])
  })

  it('is gone when three watched connections in a row have outlived it', () => {
    const observer = learned(5_000).outlive(12_000, 12_000)
    expect(observer.timeout).toBe(5_000)
    expect(observer.outlive(12_000).timeout).toBeUndefined()
    expect(observer.samples).toEqual([])
    expect(observer.worthWatching).toBe(false)
  })

  it.each([
    [5_000, 6_000],
    [500, 1_000],
    [60_000, 66_000],
    [0, 100],
  ])('of %i is outlived at %i, and not before', (timeout, clearly) => {
    expect(learned(timeout).outlive(clearly, clearly, clearly).timeout).toBeUndefined()
    expect(learned(timeout).outlive(clearly, clearly, clearly - 1).timeout).toBe(timeout)
    expect(learned(timeout).closes(clearly, clearly + 300, clearly + 900).timeout).not.toBe(timeout)
    expect(learned(timeout).closes(clearly - 1, clearly - 1, clearly - 1).timeout).toBe(timeout)
  })

  it('is outlived by one where several have outlived it side by side', () => {
    const observer = learned(5_000).pass(60_000)
    const survivals = (pause: number, age: number): number => {
      observer.known = outlived(observer.pass(pause).known, age, observer.now)
      return observer.known.survivals
    }
    expect(survivals(0, 12_000)).toBe(1)
    expect(survivals(0, 12_000)).toBe(1)
    expect(survivals(1_000, 8_000)).toBe(1)
    // It was 6 s old, which is clearly too old, when the first one was seen; and the next one a millisecond later.
    expect(survivals(5_000, 12_000)).toBe(1)
    expect(survivals(1, 12_000)).toBe(2)
  })

  it('is not outlived by what was older already when it was last confirmed', () => {
    const { known, now } = learned(5_000)
    const { confirmedAt } = known
    expect(confirmedAt).toBe(now - 1_000)
    expect(outlived(known, 7_000, now)).toBe(known)
    expect(outlived(known, 6_999, now).survivals).toBe(1)
    const closed = settle(serverClosed(known, 20_000, now), now + 1_000)
    expect(closed.survivals).toBe(0)
    expect(closed.recent.at(-1)).toMatchObject({ age: 20_000 })
    expect(settle(serverClosed(known, 6_500, now), now + 1_000).survivals).toBe(1)
  })

  it('stays when a close at it comes between those that outlived it', () => {
    const observer = learned(5_000).outlive(12_000, 12_000).closes(5_000).outlive(12_000, 12_000)
    expect(observer.timeout).toBe(5_000)
    expect(observer.outlive(12_000).timeout).toBeUndefined()
  })

  it('stays outlived when a close at a clearly smaller age comes between', () => {
    expect(learned(5_000).outlive(12_000, 12_000).closes(1_000).outlive(12_000).timeout).toBeUndefined()
  })

  it('rises to where three watched connections were closed', () => {
    const observer = learned(5_000).closes(12_000, 12_005)
    expect(observer.timeout).toBe(5_000)
    // One sample more than at first: what was known before was wrong.
    expect(observer.closes(12_001).timeout).toBeUndefined()
    expect(observer.closes(12_002).timeout).toBe(12_000)
    expect(observer.samples).toEqual([12_000, 12_005, 12_001, 12_002])
  })

  it('rises to what is just clearly longer', () => {
    const observer = learned(5_000).closes(6_000, 6_000, 6_000)
    expect(observer.timeout).toBeUndefined()
    expect(observer.closes(6_000).timeout).toBe(6_000)
  })

  it('is disproved without a loss for what is being collected', () => {
    const observer = learned(5_000).outlive(12_000, 12_000).pass(60_000).closesNow(14_000)
    observer.known = outlived(observer.known, 12_000, observer.now)
    expect(observer.timeout).toBeUndefined()
    expect(observer.pass(1_000).known.recent).toMatchObject([{ age: 14_000 }])
  })

  it('goes back to the former one when what has replaced it is disproved', () => {
    const observer = learned(20_000).closes(20_000, 7_000, 7_000, 7_000)
    expect(observer.timeout).toBe(7_000)
    expect(observer.outlive(17_000, 17_000, 17_000).timeout).toBe(20_000)
  })

  it('is disproved by closes at any larger ages, though they make no timeout', () => {
    expect(learned(1_000).closes(9_000, 4_000, 19_000).timeout).toBeUndefined()
  })
})

describe('doubt', () => {
  it('doubles the survivals needed each time that about the same timeout is learned again, up to 48', () => {
    const observer = new Observer()
    const patience = [5_000, 5_800, 4_900, 5_000, 5_000, 5_000].map((age) =>
      observer.closes(...Array(6).fill(age)).patience(),
    )
    expect(patience).toEqual([3, 6, 12, 24, 48, 48])
  })

  it('does not fall on another timeout', () => {
    const observer = learned(5_000)
    expect(observer.patience()).toBe(3)
    expect(observer.closes(...Array(6).fill(6_000)).patience()).toBe(3)
    expect(observer.closes(...Array(6).fill(5_000)).patience()).toBe(6)
  })

  it('asks for one sample more for each timeout that was disproved, up to three more', () => {
    const observer = new Observer()
    const needed = [1_000, 3_000, 9_000, 20_000, 50_000].map((age) => {
      let samples = 0
      for (; observer.timeout === undefined; samples++) observer.closes(age)
      observer.patience()
      return samples
    })
    expect(needed).toEqual([3, 4, 5, 6, 6])
  })

  it('remembers three timeouts', () => {
    const patience = (first: number): number => {
      const observer = new Observer()
      for (const age of [1_000, 3_000, 9_000, 20_000]) observer.closes(...Array(6).fill(age)).patience()
      return observer.closes(...Array(6).fill(first)).patience()
    }
    expect([1_000, 3_000, 9_000, 20_000].map(patience)).toEqual([3, 6, 6, 6])
  })

  it('is over after a day', () => {
    const observer = learned(5_000)
    observer.patience()
    observer.pass(24 * HOUR)
    expect(observer.closes(5_000, 5_000, 5_000).timeout).toBe(5_000)
    expect(observer.patience()).toBe(3)
  })

  it('is over a day after the last time, to the millisecond', () => {
    const { known, now } = learned(5_000).closes(9_000, 19_000, 14_000)
    const day = now - 1_000 + 24 * HOUR
    expect(known.timeout).toBeUndefined()
    expect(settle(known, day - 1).refuted).toHaveLength(1)
    expect(settle(known, day).refuted).toHaveLength(0)
  })

  it('lasts as long as servers of two kinds are seen: one outlives it, the next confirms it', () => {
    const observer = learned(5_000)
    observer.patience()
    observer.closes(5_000, 5_000, 5_000, 5_000)
    for (let half = 0; half < 4; half++)
      observer
        .pass(12 * HOUR)
        .outlive(12_000)
        .closes(5_000)
    expect(observer.patience()).toBe(6)
    observer.closes(...Array(6).fill(5_000))
    for (let half = 0; half < 4; half++) observer.pass(12 * HOUR).closes(5_000)
    expect(observer.patience()).toBe(3)
  })
})

describe('a suspicion', () => {
  it('is the smallest age of a close, from the first one on, before its second is over', () => {
    const observer = new Observer().closesNow(5_000)
    expect(observer.known.suspected).toBe(5_000)
    expect(observer.pass(1_000).known.suspected).toBe(5_000)
    expect(observer.closes(9_000).known.suspected).toBe(5_000)
    expect(observer.closes(3_000).known.suspected).toBe(3_000)
  })

  it('goes over into certainty', () => {
    expect(new Observer().closes(5_000, 5_000).known.suspected).toBe(5_000)
    expect(learned(5_000).known.suspected).toBeUndefined()
    expect(learned(5_000).closes(1_000, 4_900).closesNow(1_000).known.suspected).toBeUndefined()
  })

  it('ends when a connection has outlived it clearly', () => {
    const observer = new Observer().closes(5_000)
    expect(observer.outlive(5_999).known.suspected).toBe(5_000)
    expect(observer.outlive(6_000).known.suspected).toBeUndefined()
    expect(observer.closes(5_000, 5_000).timeout).toBe(5_000)
  })

  it('is taken back when the second has shown that it was a restart', () => {
    const restart = new Observer().closesNow(5_000, 9_000)
    expect(restart.known.suspected).toBe(5_000)
    expect(restart.pass(1_000).known.suspected).toBeUndefined()
    const second = new Observer().closes(4_000).closesTogether(3_500, 9_000, 3_000)
    expect(second.known.suspected).toBe(4_000)
  })

  it('does not fall on what a connection had outlived before', () => {
    expect(new Observer().closesReused(5_000, 9_000).known.suspected).toBeUndefined()
    expect(new Observer().closes(5_000).closesReused(2_000, 9_000).known.suspected).toBe(5_000)
    const observer = new Observer().closes(5_000).pass(60_000)
    observer.known = serverClosed(observer.known, 2_000, observer.now, 9_000)
    expect(observer.known.suspected).toBe(5_000)
  })

  it('is forgotten after a day without another close', () => {
    const { known, now } = new Observer().closes(5_000)
    const over = now - 1_000 + 24 * HOUR
    expect(settle(known, over - 1).suspected).toBe(5_000)
    expect(settle(known, over)).toEqual(nothingLearned)
  })

  it('outlasts other things that are forgotten meanwhile', () => {
    const twice = new Observer()
      .closes(5_000)
      .pass(12 * HOUR)
      .closes(9_000)
    const later = settle(twice.known, twice.now + 12 * HOUR)
    expect(later.recent).toMatchObject([{ age: 9_000 }])
    expect(later.suspected).toBe(5_000)
    const doubted = learned(20_000).outlive(50_000, 50_000, 50_000)
    const over = doubted.now + 24 * HOUR
    const known = settle(serverClosed(doubted.known, 5_000, over - 500), over)
    expect(known.refuted).toEqual([])
    expect(known.suspected).toBe(5_000)
  })
})

describe('a connection is worth watching', () => {
  it('not while nothing is known', () => {
    expect(new Observer().closes(5_000, 5_000).worthWatching).toBe(false)
    expect(worthWatching(nothingLearned, Number.MAX_SAFE_INTEGER)).toBe(false)
  })

  it.each([
    [0, 10_000],
    [1_000, 10_000],
    [1_001, 10_010],
    [5_000, 50_000],
    [30_000, 300_000],
    [60_000, 300_000],
  ])('with a timeout of %i ms after %i ms without a close at it', (timeout, wait) => {
    const { known, now } = learned(timeout)
    expect(known.confirmedAt).toBe(now - 1_000)
    expect(worthWatching(known, known.confirmedAt + wait - 1)).toBe(false)
    expect(worthWatching(known, known.confirmedAt + wait)).toBe(true)
  })

  it('at once after one that outlived it, until a close at it', () => {
    const observer = learned(5_000).pass(50_000).outlive(12_000)
    expect(observer.worthWatching).toBe(true)
    observer.closes(1_000, 9_000)
    expect(observer.worthWatching).toBe(true)
    expect(observer.closes(5_000).worthWatching).toBe(false)
  })

  it.each([
    [0, 200],
    [500, 2_000],
    [5_000, 12_000],
    [60_000, 132_000],
  ])('of a timeout of %i ms for %i ms: twice what disproves it', (timeout, time) => {
    expect(watchTime(learned(timeout).known)).toBe(time)
  })

  it('for no time where nothing is known', () => {
    expect(watchTime(nothingLearned)).toBe(0)
  })
})

describe('what is known', () => {
  it('is forgotten a day after the last close at the timeout', () => {
    const { known } = learned(5_000).pass(HOUR).closes(5_001)
    const over = known.confirmedAt + 24 * HOUR
    expect(settle(known, over - 1).timeout).toBe(5_000)
    expect(settle(known, over)).toEqual(nothingLearned)
    expect(outlived(known, 12_000, over)).toEqual(nothingLearned)
    expect(serverClosed(known, 5_000, over).timeout).toBeUndefined()
  })

  it('is confirmed by a close that was seen within the day and judged after it', () => {
    const { known } = learned(5_000)
    const over = known.confirmedAt + 24 * HOUR
    expect(settle(serverClosed(known, 5_000, over - 1), over + 999).timeout).toBe(5_000)
  })

  it('is the same value after what teaches nothing', () => {
    const { known, now } = learned(5_000)
    expect(settle(known, now)).toBe(known)
    expect(outlived(known, 5_999, now)).toBe(known)
    expect(settle(nothingLearned, now)).toBe(nothingLearned)
    expect(outlived(nothingLearned, 60_000, now)).toBe(nothingLearned)
  })
})

describe('whatever a server does', () => {
  const base = fc.constantFrom(0, 1_000, 5_000, 12_000, 60_000)
  const lateness = fc.oneof(fc.nat(20), fc.constantFrom(99, 100, 101, 499, 500, 501, 999, 1_000), fc.nat(30_000))
  const age = fc.tuple(base, lateness).map(([timeout, late]) => timeout + late)
  const pause = fc.oneof({ weight: 9, arbitrary: fc.nat(100_000) }, fc.constantFrom(0, 1, 999, 1_000, 13 * HOUR))
  const step = fc.record({
    does: fc.constantFrom('closes', 'closes', 'closes', 'settles', 'outlives'),
    age,
    pause,
    survived: fc.option(age, { nil: undefined, freq: 1 }),
  })
  type Step = typeof step extends fc.Arbitrary<infer Each> ? Each : never
  const steps = fc.array(step, { maxLength: 100, size: 'max' })

  /** What is known after each step. */
  function taken(some: readonly Step[]): { readonly known: Learned; readonly now: number }[] {
    let known: Learned = nothingLearned
    let now = 0
    return some.map(({ does, age, pause, survived }) => {
      now += pause
      freeze(known)
      if (does === 'closes') known = serverClosed(known, age, now, survived)
      else known = does === 'settles' ? settle(known, now) : outlived(known, age, now)
      return { known, now }
    })
  }

  it('the timeout is undefined or an age that was seen, and the smallest of its samples', () => {
    let timeouts = 0
    fc.assert(
      fc.property(steps, (some) => {
        const seen = new Set(some.filter(({ does }) => does === 'closes').map(({ age }) => age))
        for (const { known } of taken(some)) {
          const samples = samplesOf(known)
          for (const sample of samples) expect(seen).toContain(sample)
          expect(known.timeout).toBe(samples.length === 0 ? undefined : Math.min(...samples))
          if (known.suspected !== undefined) expect(seen).toContain(known.suspected)
          if (known.timeout !== undefined) timeouts++
          if (known.timeout !== undefined) expect(known.suspected).toBeUndefined()
        }
      }),
    )
    // The steps are such that there is something to see.
    expect(timeouts).toBeGreaterThan(100)
  })

  it('it is learned only from closes that settle, and lost only by what outlived it or in a day', () => {
    let lost = 0
    fc.assert(
      fc.property(steps, (some) => {
        let before: Learned = nothingLearned
        for (const { known, now } of taken(some)) {
          if (before.timeout === undefined && known.timeout !== undefined)
            expect(before.settlesAt).toBeLessThanOrEqual(now)
          if (before.timeout !== undefined && known.timeout === undefined) {
            lost++
            // Two may have been seen since: the close that settled, and the watched one.
            expect(before.survivals >= 1 || now - before.confirmedAt >= 24 * HOUR).toBe(true)
          }
          before = known
        }
      }),
    )
    expect(lost).toBeGreaterThan(0)
  })

  it('the state stays small, and nothing is left to settle after a second', () => {
    let survivals = 0
    fc.assert(
      fc.property(steps, (some) => {
        for (const { known, now } of taken(some)) {
          expect(known.basis.length).toBeLessThanOrEqual(8)
          expect(known.recent.length).toBeLessThanOrEqual(8)
          expect(known.refuted.length).toBeLessThanOrEqual(3)
          survivals = Math.max(survivals, known.survivals)
          expect(known.burst === undefined).toBe(known.settlesAt === Infinity)
          if (known.burst !== undefined) {
            expect(known.settlesAt).toBeGreaterThan(now)
            expect(known.settlesAt).toBeLessThanOrEqual(now + 1_000)
          }
          const settled = settle(known, now + 1_000)
          expect(settled.settlesAt).toBe(Infinity)
          expect(settle(settled, now + 1_000)).toBe(settled)
        }
      }),
    )
    expect(survivals).toBeGreaterThan(0)
    expect(survivals).toBeLessThan(48)
  })

  it('it makes no difference how often and when else it settles', () => {
    // Without the pauses of hours, after which it matters when something is forgotten.
    const soon = fc.array(
      step.map((each) => ({ ...each, pause: each.pause % 100_000 })),
      { maxLength: 100, size: 'max' },
    )
    fc.assert(
      fc.property(soon, (some) => {
        const often = some.flatMap((each) => [
          { ...each, does: 'settles', pause: Math.floor(each.pause / 3) } as const,
          { ...each, pause: each.pause - Math.floor(each.pause / 3) },
          { ...each, does: 'settles', pause: 0 } as const,
        ])
        expect(taken(often).at(-1)).toEqual(taken(some).at(-1))
      }),
    )
  })
})

/** Freezes it all the way down: a step that changes what it was given throws. */
function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const each of Object.values(value)) freeze(each)
}
