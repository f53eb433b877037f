/**
 * What is drawn of a timeline: a stretch of time, the origins in it and the lanes of each. Pure; says what it leaves out.
 */
import { DIAL_FAILED, type Lane, type Segment } from './lane.js'
import { groupKey, type Timeline } from './lanes.js'
import type { Mark, OriginGroup, Step } from './origin-group.js'

/** Lanes of a picture, if nothing else is asked for. */
export const MAX_LANES = 60

/** A picture of less than this, in milliseconds, is widened. */
const SHORTEST = 10

export interface ViewOptions {
  /** Milliseconds since 1970. @default the first record */
  readonly from?: number | undefined
  /** Milliseconds since 1970. @default the last record */
  readonly to?: number | undefined
  /** Origins whose name contains this. @default all */
  readonly origin?: string | undefined
  /** The most lanes; those that were opened last are drawn. @default 60 */
  readonly lanes?: number | undefined
}

export interface View {
  readonly from: number
  readonly to: number
  readonly groups: readonly GroupView[]
}

export interface GroupView {
  readonly group: OriginGroup
  /** In the order of their starts. */
  readonly lanes: readonly LaneView[]
  /** Lanes that are not drawn because there are too many. */
  readonly leftOut: number
  /** Of all its lanes in this stretch of time: connections, and those that ended in it, by reason, the most frequent first. */
  readonly connections: number
  readonly ends: readonly (readonly [reason: string, count: number])[]
  /** How many waited, over the stretch; empty if nobody did. */
  readonly waiting: readonly Step[]
  readonly marks: readonly Mark[]
}

export interface LaneView {
  readonly lane: Lane
  /** Within the stretch. */
  readonly segments: readonly Segment[]
  /** What it does at the end of the stretch, since when; undefined if it has ended. */
  readonly doing: Segment | undefined
}

export function viewOf(timeline: Timeline, options: ViewOptions = {}): View {
  const from = options.from ?? timeline.from ?? 0
  const to = Math.max(options.to ?? timeline.to ?? 0, from + SHORTEST)
  const shown = (lane: Lane): boolean => lane.start <= to && (lane.end === undefined || lane.end.at >= from)
  const byGroup = new Map<string, Lane[]>()
  for (const lane of timeline.lanes)
    if (shown(lane)) {
      const key = groupKey(lane.pool, lane.origin)
      const lanes = byGroup.get(key)
      if (lanes === undefined) byGroup.set(key, [lane])
      else lanes.push(lane)
    }
  const groups = [...timeline.groups]
    .filter(([, { origin }]) => options.origin === undefined || origin.includes(options.origin))
    .map(([key, group]) => ({ group, lanes: byGroup.get(key) ?? [] }))
    .sort((a, b) => a.group.pool.id - b.group.pool.id)
  const shares = shareOut(
    options.lanes ?? MAX_LANES,
    groups.map(({ lanes }) => lanes.length),
  )
  return {
    from,
    to,
    groups: groups
      .map(({ group, lanes }, index) => groupView(group, lanes, shares[index] as number, from, to))
      .filter(({ lanes, leftOut, waiting, marks }) => lanes.length + leftOut + waiting.length + marks.length > 0),
  }
}

function groupView(group: OriginGroup, lanes: readonly Lane[], share: number, from: number, to: number): GroupView {
  const ended = lanes.filter(({ end }) => end !== undefined && end.at <= to)
  const counts = new Map<string, number>()
  for (const { end } of ended) if (end) counts.set(end.reason, (counts.get(end.reason) ?? 0) + 1)
  return {
    group,
    lanes: [...lanes]
      .sort(byImportance)
      .slice(0, share)
      .sort((a, b) => a.start - b.start || number(a) - number(b))
      .map((lane) => laneView(lane, from, to)),
    leftOut: Math.max(lanes.length - share, 0),
    connections: lanes.filter(({ connection }) => connection !== undefined).length,
    ends: [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)),
    waiting: stepsIn(group.steps, from, to),
    marks: group.marks.filter(({ time }) => time >= from && time <= to),
  }
}

/** Which are drawn rather than others: connections rather than attempts, then those that began last. */
function byImportance(a: Lane, b: Lane): number {
  const failed = (lane: Lane): number => (lane.end?.reason === DIAL_FAILED ? 1 : 0)
  return failed(a) - failed(b) || b.start - a.start || number(b) - number(a)
}

const number = (lane: Lane): number => lane.connection?.id ?? lane.dial ?? 0

/** So many for all, as evenly as the wants allow. */
export function shareOut(most: number, wants: readonly number[]): number[] {
  const shares = wants.map(() => 0)
  let left = most
  const open = wants.map((_, index) => index).sort((a, b) => (wants[a] as number) - (wants[b] as number))
  open.forEach((index, place) => {
    shares[index] = Math.min(wants[index] as number, Math.floor(left / (open.length - place)))
    left -= shares[index] as number
  })
  return shares
}

function laneView(lane: Lane, from: number, to: number): LaneView {
  const segments = lane.segments(to)
  return {
    lane,
    segments: segments
      .map((each) => ({ state: each.state, from: Math.max(each.from, from), to: Math.min(each.to, to) }))
      .filter((each) => each.to > each.from),
    doing: lane.end === undefined || lane.end.at > to ? segments.at(-1) : undefined,
  }
}

/** The steps of a stretch, the first one at its beginning. */
function stepsIn(steps: readonly Step[], from: number, to: number): Step[] {
  const before = steps.findLast(({ time }) => time <= from)
  const within = steps.filter(({ time }) => time > from && time <= to)
  if ((before?.waiting ?? 0) === 0 && within.length === 0) return []
  return [{ time: from, waiting: before?.waiting ?? 0 }, ...within]
}
