/** What is drawn of a timeline, and what is left out. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Timeline } from '../../src/timeline/lanes.js'
import type { TimelineRecord } from '../../src/timeline/record.js'
import { shareOut, type View, type ViewOptions, viewOf } from '../../src/timeline/view.js'
import { active, close, dial, dialFailed, idle, learn, open, wait } from './records.js'

function view(records: readonly TimelineRecord[], options?: ViewOptions): View {
  const timeline = new Timeline()
  for (const record of records) timeline.apply(record)
  return viewOf(timeline, options)
}

const ids = ({ groups }: View): (number | undefined)[] =>
  groups.flatMap(({ lanes }) => lanes.map(({ lane }) => lane.connection?.id ?? lane.dial))

/** Connections that open one after the other, every second, and stay. */
const row = (count: number): TimelineRecord[] =>
  Array.from({ length: count }, (_, index) => open(index * 1_000, index + 1, index + 1, 0))

describe('the stretch of time', () => {
  const records = [
    ...[open(1_000, 1, 1, 0), active(2_000, 1), idle(3_000, 1), active(4_500, 1), close(5_000, 1, 'aborted')],
    idle(9_000, 2),
  ]

  it('is that of the log, unless another one is asked for', () => {
    expect(view(records)).toMatchObject({ from: 1_000, to: 9_000 })
    expect(view(records, { from: 2_500, to: 4_000 })).toMatchObject({ from: 2_500, to: 4_000 })
  })

  it('cuts lanes at its ends, and says what they were doing at its end, since when', () => {
    const [lane] = view(records, { from: 2_500, to: 4_000 }).groups[0]!.lanes
    expect(lane?.segments).toEqual([
      { state: 'active', from: 2_500, to: 3_000 },
      { state: 'idle', from: 3_000, to: 4_000 },
    ])
    expect(lane?.doing).toEqual({ state: 'idle', from: 3_000, to: 4_000 })
    expect(view(records).groups[0]?.lanes[0]?.doing).toBeUndefined()
  })

  it('has no lanes that ended before it, or began after it', () => {
    expect(ids(view(records, { from: 5_001 }))).toEqual([2])
    expect(ids(view(records, { from: 5_000 }))).toEqual([1, 2])
    expect(ids(view(records, { to: 8_999 }))).toEqual([1])
  })

  it('is never empty', () => {
    const { from, to } = view([idle(5, 1)])
    expect(to).toBeGreaterThan(from)
  })

  it('has the number that waits from before its beginning', () => {
    const waits = [wait(1_000, 3), wait(2_000, 5), wait(4_000, 6)]
    expect(view([...waits, idle(9_000, 1)], { from: 3_000 }).groups[0]?.waiting).toEqual([
      { time: 3_000, waiting: 5 },
      { time: 4_000, waiting: 6 },
    ])
    expect(view([...waits, idle(9_000, 1)], { from: 3_000, to: 3_500 }).groups[0]?.waiting).toHaveLength(1)
    expect(view([idle(9_000, 1), wait(9_500, 0)]).groups[0]?.waiting).toEqual([])
  })

  it('has only what was marked in it', () => {
    const marks = [learn(1_000, 1), learn(2_000, 2), learn(3_000, 3)]
    const { groups } = view([...marks, idle(9_000, 1)], { from: 1_500, to: 2_500 })
    expect(groups[0]?.marks.map(({ time }) => time)).toEqual([2_000])
  })
})

describe('too many lanes', () => {
  it('are cut to those that were opened last, in the order of their opening, and the rest is counted', () => {
    const cut = view(row(100), { lanes: 7 })
    expect(ids(cut)).toEqual([94, 95, 96, 97, 98, 99, 100])
    expect(cut.groups[0]).toMatchObject({ leftOut: 93, connections: 100 })
  })

  it('are not cut when they are as many as may be', () => {
    expect(view(row(7), { lanes: 7 }).groups[0]).toMatchObject({ leftOut: 0 })
  })

  it('lose dials that failed first', () => {
    const failures = [dial(50_000, 200), dialFailed(50_001, 200)]
    expect(ids(view([...row(5), ...failures], { lanes: 5 }))).toEqual([1, 2, 3, 4, 5])
    expect(ids(view([...row(5), ...failures], { lanes: 6 }))).toEqual([1, 2, 3, 4, 5, 200])
  })

  it('are shared out evenly, and what one does not want the others have', () => {
    expect(shareOut(10, [100, 100])).toEqual([5, 5])
    expect(shareOut(10, [2, 100])).toEqual([2, 8])
    expect(shareOut(10, [100, 2, 3])).toEqual([5, 2, 3])
    fc.assert(
      fc.property(fc.nat(200), fc.array(fc.nat(50)), (most, wants) => {
        const shares = shareOut(most, wants)
        const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0)
        expect(sum(shares)).toBe(Math.min(most, sum(wants)))
        for (const [index, share] of shares.entries()) {
          expect(share).toBeLessThanOrEqual(wants[index]!)
          // Who does not get all that is wanted gets as much as anybody, or one less.
          if (share < wants[index]!) expect(share).toBeGreaterThanOrEqual(Math.max(...shares) - 1)
        }
      }),
    )
  })
})

describe('origins', () => {
  const records = [
    idle(1, 1, { origin: 'http://a' }),
    idle(2, 2, { origin: 'http://b' }),
    idle(3, 3, { origin: 'http://a' }),
  ]

  it('have their own lanes', () => {
    expect(view(records).groups.map(({ group, lanes }) => [group.origin, lanes.length])).toEqual([
      ['http://a', 2],
      ['http://b', 1],
    ])
  })

  it('are those whose names contain what is asked for', () => {
    expect(view(records, { origin: '//b' }).groups.map(({ group }) => group.origin)).toEqual(['http://b'])
    expect(view(records, { origin: 'c' }).groups).toEqual([])
  })

  it('count how their lanes ended in the stretch, the most frequent first', () => {
    const ends = [
      close(5, 1, 'reset'),
      close(6, 2, 'surplus'),
      close(7, 3, 'surplus'),
      close(20, 4, 'dead', { age: 15 }),
    ]
    const { groups } = view([...ends, dial(8, 9), dialFailed(9, 9)], { to: 19 })
    expect(groups[0]).toMatchObject({
      connections: 4,
      ends: [
        ['surplus', 2],
        ['dial failed', 1],
        ['reset', 1],
      ],
    })
  })
})
