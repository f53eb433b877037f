import { beforeEach, describe, expect, it } from 'vitest'
import { Refresher } from '../../src/wire/refresher.js'
import { ManualClock } from '../support/manual-clock.js'

interface Question {
  readonly hostname: string
}

const SECOND = 1000
const MINUTE = 60 * SECOND

describe('names are asked for in the background', () => {
  let clock: ManualClock
  /** What is being asked, and how to answer. */
  let asking: { hostname: string; done: () => void }[]
  let refresher: Refresher<Question>

  beforeEach(() => {
    clock = new ManualClock()
    asking = []
    refresher = new Refresher<Question>(clock, ({ hostname }, done) => void asking.push({ hostname, done }))
  })

  const asked = (): string[] => asking.map(({ hostname }) => hostname)
  const questions = (...hostnames: string[]): Question[] => hostnames.map((hostname) => ({ hostname }))
  const answer = (n: number): void => {
    asking[n]!.done()
    clock.advance(0)
  }

  it('two at once, the others after them', () => {
    for (const question of questions('a', 'b', 'c', 'd')) refresher.add(question)
    expect(asked()).toEqual(['a', 'b'])
    answer(1)
    expect(asked()).toEqual(['a', 'b', 'c'])
    answer(2)
    answer(0)
    expect(asked()).toEqual(['a', 'b', 'c', 'd'])
    answer(3)
    expect(asked()).toHaveLength(4)
  })

  it('one at a time for a name', () => {
    for (const question of questions('a', 'a', 'b')) refresher.add(question)
    expect(asked()).toEqual(['a', 'b'])
    answer(1)
    expect(asked()).toEqual(['a', 'b'])
    answer(0)
    expect(asked()).toEqual(['a', 'b', 'a'])
  })

  it('once, however often it is asked for meanwhile', () => {
    const [a, b, c] = questions('a', 'b', 'c') as [Question, Question, Question]
    for (let n = 0; n < 3; n++) for (const question of [a, b, c]) refresher.add(question)
    expect(asked()).toEqual(['a', 'b'])
    answer(0)
    answer(1)
    answer(2)
    expect(asked()).toEqual(['a', 'b', 'c'])
    refresher.add(a)
    expect(asked()).toEqual(['a', 'b', 'c', 'a'])
  })

  it('also where the answer comes at once', () => {
    const seen: string[] = []
    const eager = new Refresher<Question>(clock, ({ hostname }, done) => {
      seen.push(hostname)
      done()
    })
    for (const question of questions('a', 'b', 'c')) eager.add(question)
    expect(seen).toEqual(['a', 'b', 'c'])
  })

  it('and hold no process that ends: the next one waits for a timer that does not', () => {
    for (const question of questions('a', 'b', 'c')) refresher.add(question)
    expect(clock.timers).toBe(0)
    asking[0]!.done()
    expect({ timers: clock.timers, holding: clock.holding }).toEqual({ timers: 1, holding: 0 })
    clock.advance(0)
    expect(clock.timers).toBe(0)
    for (const n of [1, 2]) {
      asking[n]!.done()
      expect(clock.timers).toBe(0)
    }
  })

  it('without one that never answers for more than two minutes', () => {
    const [a, b, c, d] = questions('a', 'b', 'c', 'd') as [Question, Question, Question, Question]
    for (const question of [a, b, c]) refresher.add(question)
    clock.advance(2 * MINUTE - 1)
    refresher.add(d)
    expect(asked()).toEqual(['a', 'b'])
    clock.advance(1)
    refresher.add(a)
    expect(asked()).toEqual(['a', 'b', 'c', 'd'])
    // A late answer of one that was given up ends nothing.
    answer(0)
    answer(1)
    answer(0)
    refresher.add(a)
    expect(asked()).toEqual(['a', 'b', 'c', 'd'])
    answer(2)
    expect(asked()).toEqual(['a', 'b', 'c', 'd', 'a'])
    // Nor does it end the same question, asked anew.
    answer(0)
    refresher.add(a)
    expect(asked()).toEqual(['a', 'b', 'c', 'd', 'a'])
  })

  it('one answer counts once', () => {
    for (const question of questions('a', 'b', 'c', 'd')) refresher.add(question)
    answer(0)
    answer(0)
    expect(asked()).toEqual(['a', 'b', 'c'])
  })
})
