import { describe, expect, it } from 'vitest'
import { ManualClock } from './manual-clock.js'

describe('the manual clock', () => {
  it('runs timers in the order of their times, those set on the way as well', () => {
    const clock = new ManualClock()
    const start = clock.now()
    const ran: [name: string, at: number][] = []
    const note = (name: string) => () => void ran.push([name, clock.now() - start])
    clock.setTimer(note('late'), 30)
    clock.setTimer(() => {
      note('early')()
      clock.setTimer(note('between'), 10)
      clock.setTimer(note('beyond'), 100)
    }, 10)
    clock.advance(50)
    expect(ran).toEqual([
      ['early', 10],
      ['between', 20],
      ['late', 30],
    ])
    expect(clock.now() - start).toBe(50)
    expect(clock.timers).toBe(1)
  })

  it('runs what was due during a block at its end', () => {
    const clock = new ManualClock()
    const start = clock.now()
    let ranAt = 0
    clock.setTimer(() => (ranAt = clock.now() - start), 10)
    clock.block(400)
    expect(ranAt).toBe(400)
  })

  it('does not run a timer that was cleared', () => {
    const clock = new ManualClock()
    let ran = false
    clock.clearTimer(clock.setTimer(() => (ran = true), 1))
    clock.advance(10)
    expect(ran).toBe(false)
  })

  it('knows which of its timers would keep the process alive', () => {
    const clock = new ManualClock()
    clock.setTimer(() => {}, 10)
    const holding = clock.setTimer(() => {}, 20, true)
    expect([clock.timers, clock.holding]).toEqual([2, 1])
    clock.advance(10)
    expect([clock.timers, clock.holding]).toEqual([1, 1])
    clock.clearTimer(holding)
    expect([clock.timers, clock.holding]).toEqual([0, 0])
  })

  it('takes two turns, not one', () => {
    const clock = new ManualClock()
    let ran = 0
    clock.afterTwoTurns(() => ran++)
    clock.turn()
    expect(ran).toBe(0)
    expect(clock.turning).toBe(1)
    clock.turn()
    expect(ran).toBe(1)
    expect(clock.turning).toBe(0)
  })

  it('notices timers that set each other without end', () => {
    const clock = new ManualClock()
    const again = (): void => void clock.setTimer(again, 0)
    again()
    expect(() => clock.advance(1)).toThrow('without end')
  })
})
