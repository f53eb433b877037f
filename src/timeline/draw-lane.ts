/**
 * A connection as a lane: its name, what it did, and the word for why it was closed at its end.
 */
import { laneName, many, shortened, span, timeOfDay } from './format.js'
import { type Frame, LANE, MARGIN, rounded } from './geometry.js'
import { DIAL_FAILED, type LaneEnd, type LaneState, laneStates, type Segment } from './lane.js'
import { NAME_CHARACTER } from './palette.js'
import { type Shape, shape } from './shape.js'
import type { LaneView } from './view.js'

/** Half the height of a bar, by state. */
const HALF: Readonly<Record<LaneState, number>> = { unseen: 0, dialling: 5, active: 6, idle: 2.5, probed: 5 }

/** What is narrower than this is drawn as wide, and what is nearer to each other as one: both in pixels. */
const NARROWEST = 1.2
const NEAREST = 0.6
/** From this width on a bar is an element of its own and has a tooltip. */
const TOLD = 20

/** How a connection ends when nobody meant it to: the other end, the network, or something on it broke it off. */
const BROKEN: ReadonlySet<string> = new Set([
  ...['server-fin', 'reset', 'stale', 'poisoned', 'dead', 'evicted', 'aborted', 'error'],
  DIAL_FAILED,
])

/** Reasons that leave open what went wrong: the code of the error tells. */
const TOLD_BY_CODE: ReadonlySet<string> = new Set(['reset', 'dead', 'aborted', 'error', DIAL_FAILED])

/** Characters after the end of a lane: the sans font is about so wide. */
const END_CHARACTER = 6.2

export function drawLane(view: LaneView, frame: Frame, y: number, id: string): Shape {
  const { lane, segments, doing } = view
  const middle = y + LANE / 2
  const most = Math.floor((frame.left - MARGIN - 8) / NAME_CHARACTER)
  return shape(
    'g',
    { class: 'kw-lane', key: `${lane.pool.id}/${lane.dial}/${lane.connection?.id}` },
    shape('title', {}, about(view)),
    shape('text', { class: 'kw-name', x: MARGIN, y: middle + 4 }, laneName(lane, most)),
    shape('path', { class: 'kw-grid', d: `M${frame.left} ${middle}H${frame.right}` }),
    laneStates.flatMap((state) => bars(state, segments, frame, middle, id)),
    lane.end !== undefined && doing === undefined
      ? ending(lane.end, frame, middle)
      : doing !== undefined && still(doing, frame, middle),
  )
}

/** Consecutive segments of one state that stand so near to each other that they are one bar. */
interface Run {
  readonly left: number
  right: number
  readonly from: number
  to: number
  count: number
}

function runs(state: LaneState, segments: readonly Segment[], { x }: Frame): Run[] {
  const found: Run[] = []
  for (const segment of segments) {
    if (segment.state !== state) continue
    const left = x(segment.from)
    const right = Math.max(x(segment.to), left + NARROWEST)
    const last = found.at(-1)
    if (last !== undefined && left <= last.right + NEAREST) {
      last.right = Math.max(last.right, right)
      last.to = segment.to
      last.count++
    } else found.push({ left, right, from: segment.from, to: segment.to, count: 1 })
  }
  return found
}

/** The bars of one state: wide ones with a tooltip each, the rest in one path. */
function bars(state: LaneState, segments: readonly Segment[], frame: Frame, middle: number, id: string): Shape[] {
  const half = HALF[state]
  const fill = state === 'dialling' || state === 'probed' ? `url(#${id}-${state})` : undefined
  const outline = ({ left, right }: Run): string =>
    half === 0
      ? `M${rounded(left)} ${middle}H${rounded(right)}`
      : `M${rounded(left)} ${middle - half}H${rounded(right)}v${2 * half}H${rounded(left)}z`
  const all = runs(state, segments, frame)
  const told = all.filter(({ left, right }) => right - left >= TOLD)
  const rest = all.filter(({ left, right }) => right - left < TOLD)
  return [
    ...told.map((run) =>
      shape('path', { class: `kw-${state}`, fill, d: outline(run) }, shape('title', {}, aboutRun(state, run))),
    ),
    ...(rest.length === 0 ? [] : [shape('path', { class: `kw-${state}`, fill, d: rest.map(outline).join('') })]),
  ]
}

/** Why it ended, in the very word of the events and the documentation; then, where it adds to that, the code of its error as far as there is room. */
function ending(end: LaneEnd, frame: Frame, middle: number): Shape[] {
  const x = frame.x(end.at)
  const isBroken = BROKEN.has(end.reason)
  const room = Math.floor((frame.width - MARGIN - x - 8) / END_CHARACTER) - end.reason.length - 1
  const code = TOLD_BY_CODE.has(end.reason) ? end.error?.code : undefined
  return [
    isBroken
      ? shape('path', { class: 'kw-broken', d: `M${x - 4} ${middle - 4}l8 8m0 -8l-8 8` })
      : shape('path', { class: 'kw-stop', d: `M${x} ${middle - 7}v14` }),
    shape(
      'text',
      { class: `kw-end kw-small kw-over${isBroken ? ' kw-bad' : ''}`, x: rounded(x + 8), y: middle + 4 },
      code === undefined ? end.reason : `${end.reason} ${shortened(code, room)}`,
    ),
  ]
}

/** What an open connection does at the end of the picture. */
const still = ({ state, from, to }: Segment, frame: Frame, middle: number): Shape =>
  shape(
    'text',
    { class: 'kw-still kw-small kw-faint', x: frame.right + 8, y: middle + 4 },
    state === 'unseen' ? 'open' : `${state} ${span(to - from)}`,
  )

function aboutRun(state: LaneState, { from, to, count }: Run): string {
  const when = `${timeOfDay(from, 1)} to ${timeOfDay(to, 1)} UTC`
  return count === 1 ? `${state} ${span(to - from)}, ${when}` : `${state} ${count} times, ${when}`
}

/** All that is known of the lane: its tooltip. */
function about({ lane, doing }: LaneView): string {
  const { connection, end, start, opened, last } = lane
  const first = segmentOf(lane, 'dialling')
  return [
    `${laneName(lane)}, ${lane.origin}`,
    connection !== undefined && many(connection.requests, 'request'),
    connection !== undefined && (opened ? `opened in ${span(first)}` : 'open before the log begins'),
    typeof connection?.advertisedTimeout === 'number' && `advertised timeout ${span(connection.advertisedTimeout)}`,
    typeof connection?.rtt === 'number' && `round trip ${span(connection.rtt)}`,
    end !== undefined && doing === undefined && `${end.reason} after ${span(last - start)}`,
    end?.error !== undefined && [end.error.code, end.error.message].filter(Boolean).join(': '),
  ]
    .filter((line) => line !== false)
    .join('\n')
}

const segmentOf = (lane: LaneView['lane'], state: LaneState): number =>
  lane
    .segments(lane.last)
    .filter((each) => each.state === state)
    .reduce((sum, { from, to }) => sum + (to - from), 0)
