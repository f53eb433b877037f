/**
 * Draws a view: the same picture for a file and for the page. Pure: what it returns is data.
 */

import { type Block, gap, stacked, sum } from './block.js'
import { heading, waitingCurve } from './draw-group.js'
import { drawLane } from './draw-lane.js'
import { marksRow } from './draw-marks.js'
import { day, many, span, timeOfDay } from './format.js'
import { type Frame, frameOf, LANE, MARGIN, ticksBack, ticksOf, unitBack } from './geometry.js'
import { legend } from './legend.js'
import { light, patterns, sheet } from './palette.js'
import { type Shape, shape } from './shape.js'
import type { GroupView, View } from './view.js'

export const DEFAULT_WIDTH = 1_200

export interface DrawOptions {
  /** Pixels. @default 1200 */
  readonly width?: number | undefined
  /** Stands before the ids in the picture, so that two can stand on one page. @default 'kw' */
  readonly id?: string
  /**
   * `'clock'`: the time of day, in UTC, and a title and a style sheet of its own, for a file. `'back'`: how long ago, on a page
   * that has both. @default 'clock'
   */
  readonly axis?: 'clock' | 'back'
}

export function draw(view: View, { width = DEFAULT_WIDTH, id = 'kw', axis = 'clock' }: DrawOptions = {}): Shape {
  const frame = frameOf(view.from, view.to, width)
  const isFile = axis === 'clock'
  const above = isFile ? [title(view, frame), legend(width, id)] : []
  const groups = view.groups.flatMap((group) => groupBlocks(group, frame, id, isFile))
  const body = groups.length > 0 ? groups : [message('Nothing happened in this stretch of time.')]
  const axisTop = sum(above) + (isFile ? MARGIN : 0)
  const bodyTop = axisTop + AXIS
  const height = Math.ceil(bodyTop + sum(body) + MARGIN)
  const words = `Connections over time: ${summary(view)}`
  return shape(
    'svg',
    {
      ...{ xmlns: 'http://www.w3.org/2000/svg', width, height, viewBox: `0 0 ${width} ${height}` },
      ...{ class: 'kw', role: 'img', 'aria-label': words },
    },
    isFile && shape('title', {}, words),
    isFile && shape('style', {}, sheet(light)),
    patterns(id),
    isFile && shape('rect', { class: 'kw-ground', x: 0.5, y: 0.5, width: width - 1, height: height - 1, rx: 8 }),
    stacked(above, MARGIN),
    drawAxis(frame, axisTop, height - MARGIN, axis),
    stacked(body, bodyTop),
  )
}

const AXIS = 30

function drawAxis(frame: Frame, top: number, bottom: number, axis: 'clock' | 'back'): Shape {
  const { left, right, to } = frame
  const moments = axis === 'clock' ? ticksOf(frame) : ticksBack(frame).map((back) => to + back)
  const step = moments.length > 1 ? (moments[1] as number) - (moments[0] as number) : frame.to - frame.from
  const unit = unitBack(frame)
  const label = (moment: number): string => {
    if (axis === 'clock') return timeOfDay(moment, step)
    const back = Math.round((moment - to) / unit)
    return back === 0 ? 'now' : `${back} ${unit === 1_000 ? 's' : 'min'}`
  }
  return shape(
    'g',
    { class: 'kw-axis' },
    shape('text', { class: 'kw-faint kw-small', x: MARGIN, y: top + 14 }, axis === 'clock' ? 'time (UTC)' : 'time'),
    shape('path', { class: 'kw-rule', d: `M${left} ${top + 22}H${right}` }),
    moments.map((moment) => [
      shape('path', { class: 'kw-grid', d: `M${frame.x(moment)} ${top + 22}V${bottom}` }),
      shape('path', { class: 'kw-rule', d: `M${frame.x(moment)} ${top + 18}V${top + 22}` }),
      shape(
        'text',
        { class: 'kw-faint kw-small', x: frame.x(moment), y: top + 14, 'text-anchor': 'middle' },
        label(moment),
      ),
    ]),
  )
}

function groupBlocks(group: GroupView, frame: Frame, id: string, hasHeading: boolean): Block[] {
  return [
    ...(hasHeading ? [gap(10), heading(group, frame)] : []),
    waitingCurve(group, frame),
    marksRow(group, frame),
    ...group.lanes.map((lane) => ({ height: LANE, draw: (y: number) => [drawLane(lane, frame, y, id)] })),
    ...(group.leftOut > 0 ? [message(leftOut(group))] : []),
  ]
}

const leftOut = ({ leftOut: count, lanes }: GroupView): string =>
  `${many(count, 'lane')} left out: the ${lanes.length} that were opened last are drawn`

function title(view: View, frame: Frame): Block {
  const { from, to } = view
  const until = day(from) === day(to) ? '' : `${day(to)} `
  const stretch = `${day(from)} ${timeOfDay(from, 1)} to ${until}${timeOfDay(to, 1)} UTC, ${span(to - from)}`
  return {
    height: 46,
    draw: (y) => [
      shape('text', { class: 'kw-title', x: MARGIN, y: y + 14 }, 'Connections over time'),
      shape('text', { class: 'kw-faint', x: MARGIN, y: y + 34 }, `${stretch}: ${summary(view)}`),
      shape(
        'text',
        { class: 'kw-faint kw-small', x: frame.width - MARGIN, y: y + 14, 'text-anchor': 'end' },
        'keepwise timeline',
      ),
    ],
  }
}

function summary({ groups }: View): string {
  const total = (count: (group: GroupView) => number): number => groups.reduce((all, group) => all + count(group), 0)
  const connections = many(
    total((group) => group.connections),
    'connection',
  )
  return `${connections} to ${many(groups.length, 'origin')}`
}

const message = (words: string): Block => ({
  height: 24,
  draw: (y) => [shape('text', { class: 'kw-faint kw-small', x: MARGIN, y: y + 16 }, words)],
})
