/** What follows from single observations: what refutes what, and what is asked next. */
import { describe, expect, it } from 'vitest'
import {
  answerOf,
  type Evidence,
  nextStep,
  noEvidence,
  type Observation,
  withObservation,
} from '../../src/doctor/idle-evidence.js'
import { between, isNarrow, ladder, watches } from '../../src/doctor/idle-plan.js'
import { MOST_OPEN } from '../../src/doctor/limits.js'

const alive = (age: number): Observation => ({ kind: 'alive', age })
const ended = (age: number, at: number): Observation => ({ kind: 'ended', end: 'fin', age, at })
const dead = (age: number): Observation => ({ kind: 'dead', end: 'silence', age })
const of = (...observations: Observation[]): Evidence => observations.reduce(withObservation, noEvidence)
const answer = (...observations: Observation[]) => answerOf(of(...observations), true, 80_000)

describe('ends of one instant', () => {
  it('are a restart if their ages differ by more than a sweep explains', () => {
    expect(of(ended(5_000, 5_000), ended(3_800, 5_100))).toMatchObject({
      ended: [],
      restarts: [5_000],
      early: Infinity,
    })
    expect(of(ended(5_000, 5_000), ended(3_950, 5_100)).ended).toHaveLength(2)
    expect(of(ended(5_000, 5_000), ended(3_800, 5_200)).restarts).toEqual([])
  })

  it('are a restart if others live longer, or are closed older', () => {
    const both = [ended(5_000, 5_000), ended(4_000, 5_000)]
    expect(of(...both, alive(6_200))).toMatchObject({ ended: [], restarts: [5_000] })
    expect(of(...both, ended(12_000, 20_000))).toMatchObject({ ended: [{ age: 12_000 }], restarts: [5_000] })
  })

  it('are of the restart as well if they are told of later', () => {
    const evidence = of(ended(5_000, 5_000), ended(3_800, 5_000), ended(4_900, 5_050), alive(7_000))
    expect(evidence).toMatchObject({ ended: [], restarts: [5_000], early: Infinity })
    expect(answerOf(evidence, true, 7_000)).toMatchObject({ end: null, restarts: 1, early: null })
  })

  it('are asked for again where they may be a sweep', () => {
    const step = nextStep(of(ended(5_000, 5_000), ended(4_000, 5_000)), 80_000, 1)
    expect(step).toEqual({ kind: 'round', lanes: watches(5_000 + 1_100 + 250) })
  })
})

describe('one that is closed though others live longer', () => {
  it('is no timeout, but is remembered', () => {
    const evidence = of(ended(4_000, 10_000), alive(9_000))
    expect(evidence).toMatchObject({ ended: [], restarts: [], early: 4_000 })
    expect(answerOf(evidence, true, 9_000)).toMatchObject({ end: null, early: 4_000, atLeast: 9_000 })
    expect(answerOf(noEvidence, true, 9_000).early).toBe(null)
  })
})

describe('a timeout', () => {
  it('is believed when it was seen twice, at different times and ages that are the same', () => {
    const twice = of(ended(5_000, 5_000), ended(5_010, 6_000))
    expect(nextStep(twice, 80_000, 1)).toEqual({ kind: 'answer' })
    expect(answerOf(twice, true, 80_000)).toMatchObject({ atLeast: 5_000, atMost: 5_010, settled: true })
    expect(nextStep(of(ended(5_000, 5_000)), 80_000, 1).kind).toBe('round')
    expect(answer(ended(5_000, 5_000)).settled).toBe(false)
    expect(answer(ended(5_000, 5_000), ended(9_000, 20_000))).toMatchObject({ atLeast: 5_000, settled: false })
  })
})

describe('a death', () => {
  it('is refuted by one that lives longer by more than a tenth, at least 250 ms', () => {
    expect(of(dead(1_000), alive(1_251)).dead).toEqual([])
    expect(of(dead(1_000), alive(1_250)).dead).toHaveLength(1)
    expect(of(dead(10_000), alive(11_000)).dead).toHaveLength(1)
    expect(of(dead(10_000), alive(11_001)).dead).toEqual([])
  })

  it('is narrowed down until it is known to a tenth, and seen twice', () => {
    expect(nextStep(of(alive(5_000), dead(10_000)), 80_000, 1)).toEqual({
      kind: 'round',
      lanes: between(5_000, 10_000),
    })
    expect(nextStep(of(alive(9_100), dead(10_000)), 80_000, 1).kind).toBe('round')
    expect(nextStep(of(alive(9_100), dead(10_000), dead(14_000)), 80_000, 2)).toEqual({ kind: 'answer' })
  })

  it('is given up after five rounds', () => {
    expect(nextStep(of(alive(1_000), dead(10_000)), 80_000, 4).kind).toBe('round')
    expect(nextStep(of(alive(1_000), dead(10_000)), 80_000, 5).kind).toBe('answer')
    expect(answer(alive(1_000), dead(10_000))).toMatchObject({ atLeast: 1_000, atMost: 10_000, settled: false })
  })
})

describe('plans', () => {
  it.each([1_000, 4_000, 10_000, 80_000, 600_000])('of the first round last no longer than %d ms', (longest) => {
    const lanes = ladder(0, longest)
    expect(lanes.length).toBeLessThanOrEqual(MOST_OPEN)
    for (const { startsAfter, ages } of lanes) {
      expect(ages.reduce((sum, age) => sum + age, 0)).toBeLessThanOrEqual(longest)
      expect(startsAfter).toBeLessThanOrEqual(1_000)
      expect([...ages].sort((a, b) => a - b)).toEqual(ages)
    }
    // No age is without a neighbour: what lies between two can be narrowed down.
    const ages = lanes.flatMap((lane) => lane.ages).sort((a, b) => a - b)
    expect(ages.at(-1)).toBe(longest)
    expect(ages[0]).toBeLessThan(longest < 50_000 ? 800 : longest / 10)
    for (const [index, age] of ages.entries()) if (index > 0) expect(age / (ages[index - 1] as number)).toBeLessThan(2)
  })

  it('of the next rounds ask in between, and above', () => {
    const ages = between(5_000, 10_000).flatMap((lane) => lane.ages)
    expect(ages).toEqual([6_000, 7_000, 8_000, 9_000, 11_001])
  })

  it('know when enough is known', () => {
    expect([isNarrow(1_000, 1_250), isNarrow(1_000, 1_251)]).toEqual([true, false])
    expect([isNarrow(9_000, 10_000), isNarrow(8_999, 10_000)]).toEqual([true, false])
  })
})
