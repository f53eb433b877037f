/** Lanes and groups from records: what a connection did, from when to when, and why it ended. */
import { describe, expect, it } from 'vitest'
import type { Lane } from '../../src/timeline/lane.js'
import { Timeline, type TimelineLimits } from '../../src/timeline/lanes.js'
import type { OriginGroup } from '../../src/timeline/origin-group.js'
import type { TimelineRecord } from '../../src/timeline/record.js'
import { active, close, dial, dialFailed, idle, learn, left, open, refused, suspect, wait } from './records.js'

function timelineOf(records: readonly TimelineRecord[], limits?: TimelineLimits): Timeline {
  const timeline = new Timeline(limits)
  for (const record of records) timeline.apply(record)
  return timeline
}

/** `dialling 0-5, active 5-9` of each lane, and its end. */
const lanesOf = (records: readonly TimelineRecord[], until = 100): string[] =>
  Array.from(timelineOf(records).lanes, (lane) => told(lane, until))

const told = (lane: Lane, until: number): string =>
  [
    ...lane.segments(until).map(({ state, from, to }) => `${state} ${from}-${to}`),
    ...(lane.end === undefined ? [] : [`${lane.end.reason} ${lane.end.at}`]),
  ].join(', ')

const groupOf = (records: readonly TimelineRecord[]): OriginGroup => [...timelineOf(records).groups.values()][0]!
const waiting = (records: readonly TimelineRecord[]): number[] => groupOf(records).steps.map((step) => step.waiting)

describe('a lane', () => {
  it('goes from the dial over requests to the end', () => {
    const records = [dial(0, 7), open(5, 1, 7, 5), active(5, 1), idle(9, 1), active(20, 1), idle(22, 1)]
    expect(lanesOf([...records, close(52, 1, 'advertised-timeout')])).toEqual([
      'dialling 0-5, active 5-9, idle 9-20, active 20-22, idle 22-52, advertised-timeout 52',
    ])
  })

  it('is open until the time that is asked for as long as it has no end', () => {
    expect(lanesOf([dial(0, 7), open(5, 1, 7, 5), active(5, 1)], 30)).toEqual(['dialling 0-5, active 5-30'])
  })

  it('is of a dial first, and of the connection that this becomes', () => {
    expect(lanesOf([dial(0, 1), dial(1, 2), open(6, 1, 2, 5), idle(6, 1)], 10)).toEqual([
      'dialling 0-10',
      'dialling 1-6, idle 6-10',
    ])
  })

  it('ends with a dial that fails', () => {
    expect(lanesOf([dial(0, 1), dialFailed(9, 1)])).toEqual(['dialling 0-9, dial failed 9'])
    expect([...timelineOf([dial(0, 1), dialFailed(9, 1)]).lanes][0]?.end?.error?.code).toBe('ECONNREFUSED')
  })

  it('is probed from a suspicion until its peer answers', () => {
    const records = [open(5, 1, 1, 5), active(5, 1), idle(9, 1), suspect(20, 1), idle(25, 1), suspect(40, 1)]
    expect(lanesOf([...records, { ...suspect(50, 1), event: 'dead' }, close(50, 1, 'dead')])).toEqual([
      'dialling 0-5, active 5-9, idle 9-20, probed 20-25, idle 25-40, probed 40-50, dead 50',
    ])
  })

  it('is idle from when it says that it was, if it was not told then', () => {
    expect(lanesOf([open(5, 1, 1, 5), active(5, 1), close(50, 1, 'server-fin', { idle: 30 })])).toEqual([
      'dialling 0-5, active 5-20, idle 20-50, server-fin 50',
    ])
    expect(lanesOf([active(5, 1), suspect(9, 1), close(50, 1, 'server-fin', { idle: 30 })])).toEqual([
      'active 5-9, probed 9-20, idle 20-50, server-fin 50',
    ])
  })

  it('keeps apart what two pools, and two origins of one, do', () => {
    const other = { id: 2, name: 'other' }
    const elsewhere = { origin: 'http://b' }
    const records = [active(1, 1), { ...active(2, 1), pool: other }, active(3, 2, elsewhere), idle(4, 1)]
    const timeline = timelineOf(records)
    expect(Array.from(timeline.lanes, (lane) => told(lane, 9))).toEqual([
      'active 1-4, idle 4-9',
      'active 2-9',
      'active 3-9',
    ])
    expect(Array.from(timeline.groups.values(), (group) => `${group.pool.name} ${group.origin}`)).toEqual([
      'default http://127.0.0.1:8080',
      'other http://127.0.0.1:8080',
      'default http://b',
    ])
  })
})

describe('a log that begins in the middle', () => {
  it('has connections that were open before, for as long as they say', () => {
    expect(lanesOf([active(100, 1, { age: 60 }), idle(110, 1, { age: 70 })], 120)).toEqual([
      'unseen 40-100, active 100-110, idle 110-120',
    ])
  })

  it('knows of one that closes for how long it had idled', () => {
    expect(lanesOf([close(100, 1, 'idle-timeout', { age: 60, idle: 30 })])).toEqual([
      'unseen 40-70, idle 70-100, idle-timeout 100',
    ])
  })

  it('and of one that is suspected', () => {
    expect(lanesOf([suspect(100, 1, { age: 60, idle: 30 })], 110)).toEqual([
      'unseen 40-70, idle 70-100, probed 100-110',
    ])
  })

  it('may have the open without its dial', () => {
    expect(lanesOf([open(50, 1, 9, 12), active(50, 1)], 60)).toEqual(['dialling 38-50, active 50-60'])
  })
})

describe('records that are out of order', () => {
  const ordered = [dial(0, 1), open(5, 1, 1, 5), active(6, 1), idle(9, 1), close(12, 1, 'surplus')]
  const picture = 'dialling 0-5, idle 5-6, active 6-9, idle 9-12, surplus 12'

  it('give the same lane, whichever two come in the wrong order', () => {
    for (let index = 0; index + 1 < ordered.length; index++) {
      const swapped = [...ordered]
      swapped.splice(index, 2, ordered[index + 1]!, ordered[index]!)
      // As ages of a millisecond ago, since each tells how old its connection is.
      const aged = swapped.map((each) =>
        'connection' in each ? { ...each, connection: { ...each.connection, age: each.time - 5 } } : each,
      )
      expect(lanesOf(aged as TimelineRecord[])).toEqual([picture])
    }
  })

  it('have a connection open before what was told of it first', () => {
    expect(lanesOf([active(6, 1, { age: 1 }), open(5, 1, 1, 5)], 10)).toEqual(['dialling 0-5, idle 5-6, active 6-10'])
    expect(lanesOf([active(5, 1), open(5, 1, 1, 5)], 10)).toEqual(['dialling 0-5, active 5-10'])
  })

  it('have the dial begin when it says, if it is told after its connection', () => {
    expect(lanesOf([open(5, 1, 1, 3), dial(1, 1)], 10)).toEqual(['dialling 1-5, idle 5-10'])
  })

  it('change nothing after the end', () => {
    expect(lanesOf([...ordered, active(12, 1), idle(13, 1)])).toEqual([picture])
  })
})

describe('numbers that begin anew, with the next process in the same log', () => {
  it('begin another lane when a connection of the same number opens', () => {
    const records = [dial(0, 1), open(5, 1, 1, 5), idle(9, 1), dial(1_000, 1), open(1_005, 1, 1, 5), idle(1_009, 1)]
    expect(lanesOf(records, 1_020)).toEqual([
      'dialling 0-5, idle 5-9, not seen to close 9',
      'dialling 1000-1005, idle 1005-1020',
    ])
  })

  it('or when one is told of that is younger than the end of the other', () => {
    const records = [open(5, 1, 1, 5), close(9, 1, 'pool-closed'), active(1_000, 1, { age: 500 })]
    expect(lanesOf(records, 1_020)).toEqual([
      'dialling 0-5, idle 5-9, pool-closed 9',
      'unseen 500-1000, active 1000-1020',
    ])
  })

  it('or when a dial of the same number begins while the connection of the other is not known to be closed', () => {
    expect(lanesOf([open(5, 1, 1, 5), idle(9, 1), dial(1_000, 1)], 1_010)).toEqual([
      'dialling 0-5, idle 5-9, not seen to close 9',
      'dialling 1000-1010',
    ])
  })

  it.each([
    ['connection', [open(5, 1, 1, 5), open(1_005, 1, 7, 5)], 'dialling 0-5, not seen to close 5'],
    ['dial', [open(5, 1, 1, 5), open(1_005, 2, 1, 5)], 'dialling 0-5, idle 5-1010'],
    ['dial, which had failed', [dial(0, 1), dialFailed(9, 1), open(1_005, 1, 1, 5)], 'dialling 0-9, dial failed 9'],
  ])('or when one opens whose number is that of another %s', (_, records, before) => {
    expect(lanesOf(records, 1_010)).toEqual([before, 'dialling 1000-1005, idle 1005-1010'])
  })

  it('or when a dial of the same number begins that had failed', () => {
    expect(lanesOf([dial(0, 1), dialFailed(9, 1), dial(50, 1)], 60)).toEqual([
      'dialling 0-9, dial failed 9',
      'dialling 50-60',
    ])
  })
})

describe('waiting requests', () => {
  it('count up and down', () => {
    expect(waiting([wait(1, 1), wait(2, 2), active(3, 1, {}, 2), left(4), wait(5, 1)])).toEqual([1, 2, 1, 0, 1])
  })

  it('count no one who had a connection at once', () => {
    expect(waiting([wait(1, 1), active(2, 1)])).toEqual([1])
  })

  it('count no one who found the line full, and those who waited too long', () => {
    expect(waiting([wait(1, 1), wait(2, 2), refused(3, 'ERR_KEEPWISE_QUEUE_FULL')])).toEqual([1, 2])
    expect(waiting([wait(1, 1), wait(2, 2), refused(3, 'ERR_KEEPWISE_ACQUIRE_TIMEOUT')])).toEqual([1, 2, 1])
  })

  it('are never fewer than none', () => {
    expect(waiting([left(1), active(2, 1, {}, 5), wait(3, 1)])).toEqual([1])
  })

  it('go by the order of the records where their times do not', () => {
    expect(groupOf([wait(5, 1), wait(4, 2)]).steps).toEqual([
      { time: 5, waiting: 1 },
      { time: 5, waiting: 2 },
    ])
  })
})

describe('what was learned', () => {
  it('is known by address, until it does not hold any more', () => {
    const records = [learn(1, 5_000), learn(2, 8_000, '::1'), learn(3, undefined)]
    expect([...groupOf(records).learned]).toEqual([['::1', 8_000]])
    expect(groupOf(records).marks.map(({ time }) => time)).toEqual([1, 2, 3])
  })
})

describe('what is kept', () => {
  const limits = { lanes: 10, changes: 20, age: 1_000 }

  it('is no more lanes than so many: those that are open, and those that closed last', () => {
    const records: TimelineRecord[] = []
    for (let id = 1; id <= 5; id++) records.push(open(0, id, id, 0))
    for (let id = 6; id <= 600; id++) records.push(open(id, id, id, 0), close(id + 0.5, id, 'surplus'))
    const { lanes, dropped } = timelineOf(records.slice(0, 1_000), { ...limits, age: Infinity })
    expect(Array.from(lanes, ({ connection }) => connection?.id)).toEqual([1, 2, 3, 4, 5, 499, 500, 501, 502, 503])
    expect(dropped).toBe(503 - 10)
  })

  it('is no lane that closed longer ago than so long, and every one that is open', () => {
    const records: TimelineRecord[] = [
      open(0, 1, 1, 0),
      open(0, 2, 2, 0),
      close(10, 2, 'surplus'),
      close(20, 3, 'reset'),
    ]
    while (records.length < 500) records.push(wait(1_020, records.length % 2))
    const timeline = timelineOf(records, limits)
    expect(Array.from(timeline.lanes, ({ connection }) => connection?.id)).toEqual([1, 3])
    expect(timeline.dropped).toBe(0)
    expect(timeline.from).toBe(20)
  })

  it('is no more of one lane than so many changes: what was before is not known', () => {
    const records = Array.from({ length: 500 }, (_, index) => (index % 2 ? idle(index, 1) : active(index, 1)))
    const [lane] = timelineOf(records, limits).lanes
    expect(lane?.changes).toBe(21)
    expect(
      lane
        ?.segments(500)
        .map(({ state }) => state)
        .slice(0, 3),
    ).toEqual(['unseen', 'active', 'idle'])
    expect(lane?.segments(500).at(1)?.from).toBe(480)
  })

  it('is no origin of which there is nothing to tell', () => {
    const elsewhere = { origin: 'http://gone' }
    const records: TimelineRecord[] = [open(0, 1, 1, 0, elsewhere), close(1, 1, 'surplus', elsewhere)]
    while (records.length < 500) records.push(wait(2_000, records.length % 2))
    expect(Array.from(timelineOf(records, limits).groups.values(), ({ origin }) => origin)).toEqual([
      'http://127.0.0.1:8080',
    ])
  })

  it('is a connection whose number another one had, that was dropped', () => {
    const records: TimelineRecord[] = [open(0, 1, 1, 0), close(1, 1, 'surplus'), open(2_000, 1, 1, 0)]
    while (records.length < 500) records.push(wait(2_000, records.length % 2))
    const timeline = timelineOf([...records, idle(2_100, 1, { age: 100 })], limits)
    expect(Array.from(timeline.lanes, ({ opened }) => opened)).toEqual([true])
  })

  it('is every origin that has a lane', () => {
    const records: TimelineRecord[] = [open(0, 1, 1, 0, { origin: 'http://quiet' })]
    while (records.length < 500) records.push(wait(2_000, records.length % 2))
    expect(timelineOf(records, limits).groups.size).toBe(2)
  })

  it('is a bounded number of steps and marks', () => {
    const records = Array.from({ length: 500 }, (_, index) => (index % 2 ? learn(index, index) : wait(index, index)))
    const group = [...timelineOf(records, { ...limits, age: Infinity }).groups.values()][0]!
    expect(group.marks).toHaveLength(20)
    expect(group.marks.at(-1)?.time).toBe(499)
    expect(group.steps).toHaveLength(20)
    expect(group.waiting).toBe(498)
  })
})
