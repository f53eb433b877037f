/** The newest records of a process: their numbers, and the bounds of what is kept. */
import { describe, expect, it } from 'vitest'
import type { TimelineRecord } from '../../src/timeline/record.js'
import { History, MAX_AGE, MAX_RECORDS } from '../../src/watch/history.js'

const pool = { id: 1, name: 'default' }
const START = 1_700_000_000_000

const waitAt = (time: number): TimelineRecord => ({ time, pool, event: 'wait', origin: 'http://a', waiting: 1 })

const of = (event: 'idle' | 'close', id: number, time: number): TimelineRecord =>
  ({ time, pool, event, connection: { id, origin: 'http://a', age: 0, idle: 0 } }) as unknown as TimelineRecord

const times = (records: readonly TimelineRecord[]): number[] => records.map(({ time }) => time - START)

describe('history', () => {
  it('numbers records from 1, and has those after a number', () => {
    const history = new History()
    expect([history.last, history.after(0)]).toEqual([0, []])
    expect([1, 2, 3].map((time) => history.add(waitAt(START + time)))).toEqual([1, 2, 3])
    expect(times(history.after(0))).toEqual([1, 2, 3])
    expect(times(history.after(1))).toEqual([2, 3])
    expect(times(history.after(3))).toEqual([])
    expect(times(history.after(1_000))).toEqual([])
    expect(history.last).toBe(3)
  })

  it(`keeps ${MAX_RECORDS}, and not one more`, () => {
    const history = new History()
    for (let time = 1; time <= MAX_RECORDS; time++) history.add(waitAt(START + time))
    expect(history.after(0)).toHaveLength(MAX_RECORDS)
    for (let more = 1; more <= 3; more++) history.add(waitAt(START + MAX_RECORDS + more))
    expect(times(history.after(0)).slice(0, 2)).toEqual([4, 5])
    expect(history.after(0)).toHaveLength(MAX_RECORDS)
    expect(times(history.after(history.last - 2))).toEqual([MAX_RECORDS + 2, MAX_RECORDS + 3])
  })

  it('keeps them in order however many have gone', () => {
    const history = new History()
    const count = 3 * MAX_RECORDS + 17
    for (let time = 1; time <= count; time++) history.add(waitAt(START + time))
    const kept = times(history.after(0))
    expect([kept.length, kept[0], kept.at(-1)]).toEqual([MAX_RECORDS, count - MAX_RECORDS + 1, count])
    expect(kept.every((time, index) => time === count - MAX_RECORDS + 1 + index)).toBe(true)
  })

  it(`keeps one for ${MAX_AGE} ms`, () => {
    const history = new History()
    history.add(waitAt(START))
    history.add(waitAt(START + 5))
    history.expire(START + MAX_AGE - 1)
    expect(times(history.after(0))).toEqual([0, 5])
    history.expire(START + MAX_AGE)
    expect(times(history.after(0))).toEqual([5])
    history.add(waitAt(START + MAX_AGE + 5))
    expect(times(history.after(0))).toEqual([MAX_AGE + 5])
    expect(history.last).toBe(3)
  })

  it('has the last record of a connection that is open and of which nothing is kept otherwise', () => {
    const history = new History()
    history.add(of('idle', 1, START))
    history.add(of('idle', 2, START + 1))
    history.add(of('idle', 3, START + 2))
    history.add(of('idle', 1, START + 3))
    history.add(of('close', 2, START + 4))
    expect(history.forgotten).toEqual([])
    history.expire(START + 2 + MAX_AGE)
    expect(history.forgotten).toEqual([of('idle', 3, START + 2)])
    history.expire(START + 4 + MAX_AGE)
    expect(history.after(0)).toEqual([])
    expect(history.forgotten).toEqual([of('idle', 3, START + 2), of('idle', 1, START + 3)])
    history.add(of('close', 3, START + 5 + MAX_AGE))
    expect(history.forgotten).toEqual([of('idle', 1, START + 3)])
  })

  it('tells connections of two pools apart, and forgets the oldest of too many', () => {
    const history = new History()
    history.add({ ...of('idle', 1, START), pool: { id: 2, name: 'other' } })
    history.add(of('close', 1, START))
    for (let id = 2; id <= MAX_RECORDS; id++) history.add(of('idle', id, START))
    history.expire(START + MAX_AGE)
    expect(history.forgotten).toHaveLength(MAX_RECORDS)
    expect(history.forgotten[0]!.pool.id).toBe(2)
    history.add(of('idle', MAX_RECORDS + 1, START + MAX_AGE))
    expect(history.forgotten).toHaveLength(MAX_RECORDS - 1)
    expect(history.forgotten[0]!.pool.id).toBe(1)
  })
})
