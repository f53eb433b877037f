import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { Agenda, AgendaItem } from '../src/agenda.js'
import { ManualClock } from './support/manual-clock.js'

let clock: ManualClock
let agenda: Agenda
let start: number
/** Who was woken, and when. */
let woken: [name: string, at: number][]

beforeEach(() => {
  clock = new ManualClock()
  agenda = new Agenda(clock)
  start = clock.now()
  woken = []
})

class Item extends AgendaItem {
  looks = 0

  constructor(
    readonly name: string,
    private readonly then: (now: number) => number = () => Infinity,
  ) {
    super()
  }

  wake(now: number): number {
    this.looks++
    woken.push([this.name, now - start])
    return this.then(now)
  }
}

describe('the agenda', () => {
  it('wakes each item at its time, at 150 ms and not at 149', () => {
    const item = new Item('a')
    agenda.schedule(item, start + 150)
    clock.advance(149)
    expect(woken).toEqual([])
    clock.advance(1)
    expect(woken).toEqual([['a', 150]])
    expect([item.place, item.wakeAt]).toEqual([-1, Infinity])
  })

  it('wakes in the order of times, whatever the order of appointments', () => {
    for (const at of [50, 10, 40, 20, 30]) agenda.schedule(new Item(`${at}`), start + at)
    clock.advance(100)
    expect(woken.map(([, at]) => at)).toEqual([10, 20, 30, 40, 50])
  })

  it('wakes an item again when it said to', () => {
    const item = new Item('a', (now) => (now < start + 30 ? now + 10 : Infinity))
    agenda.schedule(item, start + 10)
    clock.advance(1_000)
    expect(woken.map(([, at]) => at)).toEqual([10, 20, 30])
    expect(clock.timers).toBe(0)
  })

  it('wakes an item that named the present, or the past, a millisecond later', () => {
    agenda.schedule(new Item('a', (now) => (now < start + 12 ? now - 5 : Infinity)), start + 10)
    clock.advance(100)
    expect(woken.map(([, at]) => at)).toEqual([10, 11, 12])
  })

  it('wakes what is due already at once, and not within the call', () => {
    agenda.schedule(new Item('a'), start - 10)
    expect(woken).toEqual([])
    clock.advance(0)
    expect(woken).toEqual([['a', 0]])
  })

  it('moves an appointment, to earlier and to later', () => {
    const [earlier, later] = [new Item('earlier'), new Item('later')]
    agenda.schedule(earlier, start + 50)
    agenda.schedule(later, start + 20)
    agenda.schedule(earlier, start + 10)
    agenda.schedule(later, start + 60)
    clock.advance(100)
    expect(woken).toEqual([
      ['earlier', 10],
      ['later', 60],
    ])
  })

  it('takes an item off for Infinity, and does not take one on for it', () => {
    const item = new Item('a')
    agenda.schedule(item, Infinity)
    expect(clock.timers).toBe(0)
    agenda.schedule(item, start + 10)
    agenda.schedule(item, Infinity)
    expect([item.place, item.wakeAt, clock.timers]).toEqual([-1, Infinity, 0])
    clock.advance(100)
    expect(woken).toEqual([])
  })

  it('forgets what is cancelled, and has no timer when nothing is left', () => {
    const items = ['a', 'b', 'c'].map((name) => new Item(name))
    for (const [index, item] of items.entries()) agenda.schedule(item, start + 10 * (index + 1))
    agenda.cancel(items[0]!)
    agenda.cancel(items[0]!)
    clock.advance(25)
    expect(woken).toEqual([['b', 20]])
    agenda.cancel(items[2]!)
    expect(clock.timers).toBe(0)
  })

  it('looks once in its time at an item that was lazy meanwhile, however often it was used', () => {
    let deadline = start + 100
    const item = new Item('a', (now) => (deadline > now ? deadline : Infinity))
    agenda.schedule(item, deadline)
    for (let use = 0; use < 50; use++) {
      clock.advance(1)
      deadline = clock.now() + 100
    }
    clock.advance(500)
    expect(woken.map(([, at]) => at)).toEqual([100, 150])
  })

  it('leaves an item away that cancelled itself while it was awake', () => {
    const item: Item = new Item('a', (now) => {
      agenda.cancel(item)
      return now + 10
    })
    agenda.schedule(item, start + 10)
    clock.advance(100)
    expect(woken).toHaveLength(1)
    expect([item.place, clock.timers]).toEqual([-1, 0])
  })

  it('does not wake what another has cancelled in the same round', () => {
    const [b, c] = [new Item('b'), new Item('c')]
    agenda.schedule(
      new Item('a', () => {
        agenda.cancel(b)
        return Infinity
      }),
      start + 10,
    )
    agenda.schedule(b, start + 10)
    agenda.schedule(c, start + 10)
    clock.block(50)
    expect(woken.map(([name]) => name)).toEqual(['a', 'c'])
  })

  it('wakes in the same round what another has made due', () => {
    const b = new Item('b')
    agenda.schedule(
      new Item('a', (now) => {
        agenda.schedule(b, now)
        return Infinity
      }),
      start + 10,
    )
    clock.advance(10)
    expect(woken).toEqual([
      ['a', 10],
      ['b', 10],
    ])
    expect(clock.timers).toBe(0)
  })

  it('goes on after an item that throws', () => {
    const broken = new Item('broken', () => {
      throw new Error('broken')
    })
    agenda.schedule(broken, start + 10)
    agenda.schedule(new Item('a'), start + 10)
    agenda.schedule(new Item('b'), start + 20)
    const lookAway = (ms: number): void => {
      try {
        clock.advance(ms)
      } catch (error) {
        expect((error as Error).message).toBe('broken')
      }
    }
    lookAway(15)
    lookAway(15)
    agenda.schedule(new Item('c'), clock.now() + 10)
    lookAway(15)
    expect(woken.map(([name]) => name)).toEqual(expect.arrayContaining(['broken', 'a', 'b', 'c']))
    expect(broken.looks).toBeLessThan(5)
  })

  it('has one timer, and wakes all in order, whatever is scheduled, moved and cancelled', () => {
    const steps = fc.array(
      fc.tuple(fc.nat(11), fc.integer({ min: 1, max: 300 }), fc.constantFrom('at', 'off', 'wait')),
      {
        maxLength: 120,
      },
    )
    fc.assert(
      fc.property(steps, (done) => {
        const clock = new ManualClock()
        const agenda = new Agenda(clock)
        const due = new Map<AgendaItem, number>()
        const items = Array.from({ length: 12 }, () => {
          const item = new (class extends AgendaItem {
            wake(now: number): number {
              expect(due.get(this)).toBe(now)
              due.delete(this)
              return Infinity
            }
          })()
          return item
        })
        for (const [index, ms, step] of done) {
          const item = items[index] as AgendaItem
          if (step === 'wait') clock.advance(ms)
          else if (step === 'off') {
            agenda.cancel(item)
            due.delete(item)
          } else {
            due.set(item, clock.now() + ms)
            agenda.schedule(item, clock.now() + ms)
          }
          expect(clock.timers).toBe(due.size === 0 ? clock.timers : 1)
          expect(clock.timers).toBeLessThanOrEqual(1)
          for (const at of due.values()) expect(at).toBeGreaterThan(clock.now())
        }
        clock.advance(1_000)
        expect([due.size, clock.timers]).toEqual([0, 0])
      }),
    )
  })
})

describe("the event loop's lag", () => {
  it('is nothing while timers run in time', () => {
    agenda.schedule(new Item('a'), start + 10)
    clock.advance(10)
    expect(agenda.lag(clock.now())).toBe(0)
  })

  it('is what the last timer was late, halved with every 250 ms: 400, 200, 100', () => {
    agenda.schedule(new Item('a'), start + 10)
    clock.block(410)
    expect(agenda.lag(clock.now())).toBe(400)
    expect(agenda.lag(clock.now() + 250)).toBe(200)
    expect(agenda.lag(clock.now() + 500)).toBe(100)
  })

  it('is not made smaller by a timer that is less late, before it has faded to that', () => {
    const late = (by: number): void => {
      agenda.schedule(new Item('a'), clock.now())
      clock.block(by)
    }
    late(400)
    late(100)
    // 400, faded for the 100 ms since.
    expect(agenda.lag(clock.now())).toBeCloseTo(400 * 2 ** (-100 / 250))
    clock.advance(2_900)
    late(80)
    expect(agenda.lag(clock.now())).toBe(80)
  })
})
