/**
 * The records of whole pools under random use, as the recorder makes them, and the lanes that become of them: they say what the
 * pool itself says. `SEED=<number> npx vitest run test/timeline/model` repeats one.
 */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ConnectionState } from '../../src/pool/connection.js'
import { draw } from '../../src/timeline/draw.js'
import type { Lane, LaneState } from '../../src/timeline/lane.js'
import { groupKey, Timeline } from '../../src/timeline/lanes.js'
import type { TimelineRecord } from '../../src/timeline/record.js'
import { Recorder } from '../../src/timeline/recorder.js'
import { viewOf } from '../../src/timeline/view.js'
import { type ModelSettings, PoolModel } from '../support/model/pool-model.js'
import { textsOf } from './pictures.js'

const STEPS = 2_000
const seeds = process.env.SEED === undefined ? [11, 12] : [Number(process.env.SEED)]

const kinds: Record<string, ModelSettings> = {
  'a few connections to two origins': {
    options: { maxConnections: 4, keepAliveTimeout: 2_000, acquireTimeout: 3_000, maxRequests: 20, maxWaiting: 6 },
    origins: 2,
    kernel: true,
  },
  'peers that die, under a total cap': {
    options: { maxConnections: 4, maxTotalConnections: 7, maxIdleConnections: 3, scheduling: 'fifo' },
    origins: 3,
    kernel: true,
    liveness: { idle: 1_000, interval: 2_000, probes: 2 },
  },
  'without a kernel to ask': {
    options: { maxConnections: 5, keepAliveTimeout: 2_000, maxIdleConnections: 3 },
    origins: 2,
    kernel: false,
  },
}

/**
 * How the states of a connection look. Under a request, too, a peer may be asked whether it lives. The last two begin without an
 * event: what the lane was before stands until the next one.
 */
const drawnAs: Readonly<Record<ConnectionState, readonly LaneState[]>> = {
  active: ['active', 'probed'],
  idle: ['idle'],
  suspect: ['probed', 'idle', 'active'],
  settling: ['idle', 'active'],
  watched: ['idle', 'active', 'probed'],
  closed: [],
}

/** The records of a walk, and the pool at its end. */
async function walk(seed: number, settings: ModelSettings): Promise<{ model: PoolModel; records: TimelineRecord[] }> {
  const model = new PoolModel(seed, settings)
  const records: TimelineRecord[] = []
  const recorder = new Recorder(
    (record) => records.push(JSON.parse(JSON.stringify(record))),
    () => model.clock.now(),
  )
  recorder.start()
  for (let step = 0; step < STEPS; step++) await model.step()
  recorder.stop()
  return { model, records }
}

function timelineOf(records: Iterable<TimelineRecord>): Timeline {
  const timeline = new Timeline()
  for (const record of records) timeline.apply(record)
  return timeline
}

/** A lane has no gap and no overlap, and its time adds up. */
function expectWhole(lane: Lane, until: number): void {
  const end = lane.end?.at ?? until
  const segments = lane.segments(until)
  let at = segments[0]?.from ?? end
  for (const { from, to } of segments) {
    expect(from).toBe(at)
    expect(to).toBeGreaterThan(from)
    at = to
  }
  expect(at).toBe(end)
  for (const [index, { state }] of segments.entries()) expect(state).not.toBe(segments[index - 1]?.state)
}

/**
 * A listener that takes another request out of the line while it is told of one that waits: the number in that record was right
 * when it was written down, and is one too high when it is told. The next one is right again.
 */
function isMiscounted(records: readonly TimelineRecord[], origin: string): boolean {
  const last = records.findLastIndex((each) => each.event === 'wait' && each.origin === origin)
  const [before, wait] = [records[last - 1], records[last]]
  return before?.event === 'left' && before.origin === origin && before.time === wait?.time
}

const closesOf = (records: readonly TimelineRecord[]): Map<number, string> =>
  new Map(records.flatMap((each) => (each.event === 'close' ? [[each.connection.id, each.reason]] : [])))

const endsOf = (timeline: Timeline): Map<number, string> =>
  new Map(
    Array.from(timeline.lanes).flatMap(({ connection, end }) =>
      connection === undefined || end === undefined ? [] : [[connection.id, end.reason] as const],
    ),
  )

describe.each(Object.entries(kinds))('a pool under random use: %s', (_, settings) => {
  describe.each(seeds)('with seed %i', (seed) => {
    let model: PoolModel
    let records: TimelineRecord[]
    let timeline: Timeline
    let now: number

    beforeAll(async () => {
      ;({ model, records } = await walk(seed, settings))
      timeline = timelineOf(records)
      now = model.clock.now()
    })

    it('has lanes without gap and overlap', () => {
      expect(timeline.lanes.size).toBeGreaterThan(50)
      for (const lane of timeline.lanes) expectWhole(lane, now)
    })

    it('has an end for each close, with its reason, and for no other connection', () => {
      const closes = closesOf(records)
      expect(new Set(closes.values()).size).toBeGreaterThan(4)
      expect(endsOf(timeline)).toEqual(closes)
    })

    it('has those lanes open that the pool has open, and active that are', () => {
      const open = new Map(
        Array.from(timeline.lanes)
          .filter(({ connection, end }) => connection !== undefined && end === undefined)
          .map((lane) => [lane.connection?.id, lane.segments(now + 1).at(-1)?.state]),
      )
      const alive = model.origins.flatMap((origin) => [...origin.connections])
      expect([...open.keys()].sort()).toEqual(alive.map(({ id }) => id).sort())
      for (const { id, state } of alive) expect(drawnAs[state], `#${id} is ${state}`).toContain(open.get(id))
    })

    it('has as many waiting as the pool, and as many dials under way', () => {
      for (const { target, state } of model.origins) {
        const group = timeline.groups.get(groupKey(model.rig.core.identity, target.origin))
        if (!isMiscounted(records, target.origin)) expect(group?.waiting ?? 0).toBe(state.waiting)
      }
      const dialling = Array.from(timeline.lanes).filter(({ connection, end }) => connection === undefined && !end)
      expect(dialling).toHaveLength(model.rig.dialer.running.length)
    })

    it('gives the reason of each close a word in the picture', () => {
      const words = textsOf(draw(viewOf(timeline, { lanes: 100_000 }))).map((text) => text.split(' ')[0])
      const counts = new Map<string, number>()
      for (const word of words) if (word !== undefined) counts.set(word, (counts.get(word) ?? 0) + 1)
      const expected = new Map<string, number>()
      for (const reason of closesOf(records).values()) expected.set(reason, (expected.get(reason) ?? 0) + 1)
      for (const [reason, count] of expected) expect([reason, counts.get(reason)]).toEqual([reason, count])
    })

    it('has whole lanes and the same ends from a log that begins anywhere', () => {
      fc.assert(
        fc.property(fc.nat(records.length), (begin) => {
          const rest = records.slice(begin)
          const partly = timelineOf(rest)
          for (const lane of partly.lanes) expectWhole(lane, now)
          expect(endsOf(partly)).toEqual(closesOf(rest))
        }),
        { numRuns: 10 },
      )
    })

    it('has the same lanes when records come out of order, as long as those of one moment do not', () => {
      fc.assert(
        fc.property(fc.array(fc.nat(records.length - 2), { maxLength: 300 }), (swaps) => {
          const mixed = [...records]
          for (const index of swaps) {
            const [a, b] = [mixed[index]!, mixed[index + 1]!]
            if (a.time !== b.time) mixed.splice(index, 2, b, a)
          }
          const other = timelineOf(mixed)
          const told = (each: Timeline): string[] =>
            Array.from(each.lanes, (lane) =>
              JSON.stringify([lane.origin, lane.connection?.id, lane.dial, lane.segments(now), lane.end?.reason]),
            ).sort()
          expect(told(other)).toEqual(told(timeline))
        }),
        { numRuns: 5 },
      )
    })
  })
})
