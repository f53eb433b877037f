/** What is gone from a name, by simulation: hours of answers as name servers, caches and their operators give them. */
import { describe, expect, it } from 'vitest'
import { type Habit, isGone, Presence, type Trace } from '../../src/wire/presence.js'
import { Random } from '../support/random.js'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A name that is asked for again and again, with what was found on the way. */
class Scene {
  now = 5000
  readonly presence = new Presence()
  /** `address` for one that was found gone, with the minutes since the scene began. */
  readonly log: string[] = []
  readonly #begunAt = this.now

  constructor(readonly single = false) {}

  answer(addresses: readonly string[]): void {
    for (const address of addresses)
      if (this.presence.isGone(address)) this.log.push(`${address} back at ${this.minutes}`)
    for (const address of this.presence.observe(addresses, this.single, this.now))
      this.log.push(`${address} gone at ${this.minutes}`)
  }

  /** Asks at once, and then in every interval, for a time. */
  run(time: number, answers: () => readonly string[], interval = MINUTE): this {
    for (const end = this.now + time; this.now < end; this.now += interval) this.answer(answers())
    return this
  }

  get minutes(): number {
    return (this.now - this.#begunAt) / MINUTE
  }
}

const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `10.0.0.${n + 1}`)
const always =
  (...addresses: string[]) =>
  (): string[] =>
    addresses

/** So many of them, drawn anew for each answer. */
function drawn(from: readonly string[], count: number, random: Random): () => string[] {
  return () => {
    const left = [...from]
    return Array.from({ length: count }, () => left.splice(random.below(left.length), 1)[0] as string)
  }
}

/** So many of them, in turn. */
function inTurn(from: readonly string[], count: number): () => string[] {
  let next = 0
  return () => Array.from({ length: count }, () => from[next++ % from.length] as string)
}

/** A cache on the way: repeats an answer so many times. */
function repeated(answers: () => string[], times: number): () => string[] {
  let left = 0
  let answer: string[] = []
  return () => {
    if (left-- <= 0) {
      answer = answers()
      left = times - 1
    }
    return answer
  }
}

describe('an address that leaves a steady name', () => {
  it('is gone with the third answer that lacks it', () => {
    const scene = new Scene().run(HOUR, always('a', 'b', 'c'))
    scene.run(2 * MINUTE, always('a', 'b'))
    expect(scene.log).toEqual([])
    scene.answer(['a', 'b'])
    expect(scene.log).toEqual(['c gone at 62'])
    expect(['a', 'b', 'c'].map((address) => scene.presence.isGone(address))).toEqual([false, false, true])
    expect(['a', 'b', 'c'].map((address) => scene.presence.holds(address))).toEqual([true, true, false])
  })

  it('is told to be gone once, and to be back when it is', () => {
    const scene = new Scene()
      .run(HOUR, always('a', 'b'))
      .run(2 * HOUR, always('a'))
      .run(HOUR, always('a', 'b'))
    expect(scene.log).toEqual(['b gone at 62', 'b back at 180'])
  })

  it('may be all that the name had: blue is replaced by green', () => {
    const scene = new Scene().run(HOUR, always('blue1', 'blue2')).run(HOUR, always('green1', 'green2'))
    expect(scene.log).toEqual(['blue1 gone at 62', 'blue2 gone at 62'])
  })

  it('is not gone before two minutes have passed, however often the name was asked for', () => {
    const scene = new Scene().run(HOUR, always('a', 'b'))
    scene.run(MINUTE, always('a'), SECOND)
    expect(scene.log).toEqual([])
    scene.run(MINUTE, always('a'), SECOND)
    // It was seen last a minute before the first answer that lacks it.
    expect(scene.log).toEqual(['b gone at 61'])
  })

  it('is not gone by two answers, however far apart', () => {
    const scene = new Scene().run(HOUR, always('a', 'b')).run(2 * HOUR, always('a'), HOUR)
    expect(scene.log).toEqual([])
    scene.answer(['a'])
    expect(scene.log).toEqual(['b gone at 180'])
  })

  it('is not gone by a burst of answers, which is one', () => {
    const scene = new Scene().run(HOUR, always('a', 'b'))
    for (let burst = 0; burst < 2; burst++) {
      scene.run(SECOND, always('a'), 20)
      scene.now += 10 * MINUTE
    }
    expect(scene.log).toEqual([])
    scene.run(SECOND, always('a'), 20)
    expect(scene.log).toHaveLength(1)
  })

  it('is gone again after it was back for a night', () => {
    const scene = new Scene()
    for (let day = 0; day < 3; day++) scene.run(12 * HOUR, always('blue')).run(12 * HOUR, always('green'))
    expect(scene.log).toEqual([
      'blue gone at 722',
      'blue back at 1440',
      'green gone at 1442',
      'green back at 2160',
      'blue gone at 2162',
      'blue back at 2880',
      'green gone at 2882',
      'green back at 3600',
      'blue gone at 3602',
    ])
  })

  it('is not gone when an answer in between has it', () => {
    const scene = new Scene().run(HOUR, always('a', 'b'))
    for (let n = 0; n < 100; n++) scene.run(2 * MINUTE, always('a')).run(MINUTE, always('a', 'b'))
    expect(scene.log).toEqual([])
  })
})

describe('an address that leaves a name that is hardly known', () => {
  it('is gone when it is not likely any more that the name has two, and gives one at a time', () => {
    const scene = new Scene().run(5 * MINUTE, always('blue')).run(2 * HOUR, always('green'))
    expect(scene.log).toEqual(['blue gone at 100'])
    // 20 answers five minutes apart, for what comes sooner may be from a cache: half of a half, and so on, is one in a million.
    expect(0.5 ** 20).toBeLessThan(1e-6)
    expect(0.5 ** 19).toBeGreaterThan(1e-6)
  })

  it('is gone the sooner the more of the name each answer shows', () => {
    const scene = new Scene().run(MINUTE, always(...names(8))).run(HOUR, always(...names(7)))
    expect(scene.log).toEqual(['10.0.0.8 gone at 31'])
  })

  it('is gone as late if caches turn the answer round', () => {
    const scene = new Scene().run(5 * MINUTE, always('blue1', 'blue2'))
    let turn = 0
    scene.run(2 * HOUR, () => (turn++ % 2 === 0 ? ['green1', 'green2'] : ['green2', 'green1']))
    expect(scene.log).toEqual(['blue1 gone at 100', 'blue2 gone at 100'])
  })

  it('is weighed against those that the name still has, not against those that are gone', () => {
    const scene = new Scene().run(HOUR, always(...names(8))).run(HOUR, always(...names(4)))
    scene.log.length = 0
    scene.run(5 * MINUTE, always(...names(4), 'passing')).run(2 * HOUR, always(...names(4)))
    // 4 of 5 in each answer: a fifth of a fifth, nine times.
    expect(scene.log).toEqual(['passing gone at 165'])
    expect(0.2 ** 9).toBeLessThan(1e-6)
    expect(0.2 ** 8).toBeGreaterThan(1e-6)
  })

  it('was not steady for having been in a burst of answers', () => {
    const scene = new Scene().run(SECOND, always('a', 'b'), 10)
    scene.now += 40 * MINUTE
    scene.run(MINUTE, always('a', 'b')).run(10 * MINUTE, always('a'))
    expect(scene.log).toEqual([])
  })

  it('is not steady any more for what it was before it was away', () => {
    const scene = new Scene().run(HOUR, always('a', 'b')).run(MINUTE, always('a'))
    scene.run(45 * MINUTE, always('a', 'b'), 15 * MINUTE).run(10 * MINUTE, always('a'))
    expect(scene.log).toEqual([])
  })

  it('was not steady for having been in two answers an hour apart', () => {
    const scene = new Scene().run(2 * HOUR, always('a', 'b'), HOUR).run(10 * MINUTE, always('a'))
    expect(scene.log).toEqual([])
  })
})

describe('names that give a part of their addresses at a time lose none', () => {
  const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  const held = (scene: Scene, addresses: readonly string[]): void => {
    expect(scene.log).toEqual([])
    expect(addresses.filter((address) => !scene.presence.holds(address))).toEqual([])
  }

  it.each([
    [8, 2],
    [8, 1],
    [3, 1],
    [2, 1],
    [12, 8],
    [50, 4],
  ])('of %i, %i in turn', (all, shown) => {
    held(new Scene().run(2 * DAY, inTurn(names(all), shown)), names(all))
  })

  it.each([
    [8, 2],
    [2, 1],
    [12, 8],
    [9, 8],
  ])('of %i, %i at random, for two days', (all, shown) => {
    for (const seed of seeds) held(new Scene().run(2 * DAY, drawn(names(all), shown, new Random(seed))), names(all))
  })

  it('of 8, 2 at random, asked for in bursts that show all of them, and then not for long', () => {
    for (const seed of seeds) {
      const random = new Random(seed)
      const scene = new Scene()
      const answers = drawn(names(8), 2, random)
      for (let hour = 0; hour < 24; hour++) scene.run(30 * MINUTE, answers).run(30 * MINUTE, answers, 2 * SECOND)
      held(scene, names(8))
    }
  })

  it('of 4, 2 in turn, from a cache that repeats each answer for five minutes', () => {
    held(new Scene().run(2 * DAY, repeated(inTurn(names(4), 2), 5)), names(4))
  })

  it.each([
    [8, 2],
    [30, 1],
  ])('of %i, %i at random, from such a cache', (all, shown) => {
    for (const seed of seeds)
      held(new Scene().run(2 * DAY, repeated(drawn(names(all), shown, new Random(seed)), 5)), names(all))
  })

  it('of 8, 1 at a time from a lookup that tells no more', () => {
    for (const seed of seeds) held(new Scene(true).run(2 * DAY, drawn(names(8), 1, new Random(seed))), names(8))
  })

  it('but do lose one that has left for good', () => {
    for (const seed of seeds) {
      const random = new Random(seed)
      const scene = new Scene().run(DAY, drawn(names(8), 2, random)).run(6 * HOUR, drawn(names(7), 2, random))
      expect(scene.log).toEqual([expect.stringMatching(/^10\.0\.0\.8 gone at /)])
    }
  })
})

describe('a name that flaps', () => {
  it('loses the address once, and then is known to', () => {
    const scene = new Scene().run(HOUR, always('first'))
    for (let n = 0; n < 20; n++) scene.run(10 * MINUTE, always('second')).run(10 * MINUTE, always('first'))
    expect(scene.log).toEqual(['first gone at 62', 'first back at 70'])
  })

  it('for a moment only loses nothing', () => {
    const scene = new Scene().run(HOUR, always('first'))
    for (let n = 0; n < 20; n++) scene.run(2 * MINUTE, always('second')).run(10 * MINUTE, always('first'))
    expect(scene.log).toEqual([])
  })

  it('loses the address all the same that stays away for more than twice as long as before', () => {
    const scene = new Scene()
      .run(HOUR, always('a', 'b'))
      .run(10 * MINUTE, always('a'))
      .run(HOUR, always('a', 'b'))
    scene.run(HOUR, always('a'))
    // It was missing from 10 answers before: now it is gone with the 21st.
    expect(scene.log).toEqual(['b gone at 62', 'b back at 70', 'b gone at 150'])
  })

  it('is forgiven after a day', () => {
    const scene = new Scene()
      .run(HOUR, always('first'))
      .run(10 * MINUTE, always('second'))
      .run(DAY, always('first'))
    scene.log.length = 0
    scene.run(HOUR, always('third'))
    expect(scene.log).toEqual(['first gone at 1512'])
  })
})

describe('a lookup that tells one address at a time', () => {
  it('is believed after ten answers', () => {
    const scene = new Scene(true).run(HOUR, always('blue')).run(HOUR, always('green'))
    expect(scene.log).toEqual(['blue gone at 69'])
  })
})

describe('what is remembered', () => {
  it('is bounded: the addresses seen last', () => {
    const scene = new Scene().run(DAY, inTurn(names(1000), 4))
    const held = names(1000).filter((address) => scene.presence.holds(address))
    expect(held).toHaveLength(64)
    expect(scene.log).toEqual([])
  })
})

describe('the verdict', () => {
  const steady: Trace = { seenAt: HOUR, steadySince: 0, sightings: 60, absences: 3, chance: 0.125 }
  const passing: Trace = { seenAt: HOUR, steadySince: HOUR, sightings: 1, absences: 20, chance: 1e-6 }
  const calm: Habit = { longestReturn: 0, single: false }
  const later = HOUR + 2 * MINUTE

  it.each<[string, boolean, Trace, Partial<Habit>, number]>([
    ['of a steady one missing from three answers', true, steady, {}, later],
    ['from two', false, { ...steady, absences: 2 }, {}, later],
    ['for less than two minutes', false, steady, {}, later - 1],
    ['that was not steady for long enough', false, { ...steady, steadySince: 30 * MINUTE + 1 }, {}, later],
    ['that was just steady for long enough', true, { ...steady, steadySince: 30 * MINUTE }, {}, later],
    ['that was in too few answers', false, { ...steady, sightings: 9 }, {}, later],
    ['that was just in enough', true, { ...steady, sightings: 10 }, {}, later],
    ['where one came back from one absence', true, steady, { longestReturn: 1 }, later],
    ['where one came back from two', false, steady, { longestReturn: 2 }, later],
    ['by a weak witness', false, { ...steady, absences: 9 }, { single: true }, later],
    ['by a weak witness that insists', true, { ...steady, absences: 10 }, { single: true }, later],
    ['of one not steady that chance does not keep away', true, passing, {}, later],
    ['of one that chance may keep away', false, { ...passing, chance: 1.1e-6 }, {}, later],
    ['of one not steady where one came back from ten absences', false, passing, { longestReturn: 10 }, later],
  ])('%s: gone is %s', (_, gone, trace, habit, now) => {
    expect(isGone(trace, { ...calm, ...habit }, now)).toBe(gone)
  })
})
