/**
 * What stands above the lanes of an origin: its name, what became of its connections, how many requests waited.
 */
import { type Block, nothing } from './block.js'
import { many, shortened } from './format.js'
import { type Frame, MARGIN, rounded } from './geometry.js'
import { shape } from './shape.js'
import type { GroupView } from './view.js'

/** Height of the waiting curve. */
const CURVE = 34
/** Width of a character, about. */
const CHARACTER = 6.1

export function heading({ group, connections, ends }: GroupView, frame: Frame): Block {
  const { pool, origin } = group
  const closes = ends.map(([reason, count]) => `${count} ${reason}`).join(', ')
  const most = Math.floor((frame.width - 2 * MARGIN) / 7.6) - pool.name.length - 12
  const tail = [many(connections, 'connection'), closes].filter((part) => part !== '').join('; ')
  return {
    height: 40,
    draw: (y) => [
      shape(
        'text',
        { x: MARGIN, y: y + 14 },
        shape('tspan', { class: 'kw-origin' }, shortened(origin, most)),
        shape('tspan', { class: 'kw-faint kw-small', dx: 10 }, `pool ${pool.name} (${pool.id})`),
      ),
      shape(
        'text',
        { class: 'kw-faint kw-small', x: MARGIN, y: y + 31 },
        shortened(tail, Math.floor((frame.width - 2 * MARGIN) / CHARACTER)),
      ),
    ],
  }
}

/** Requests in line over time, as steps. Nothing, if nobody waited. */
export function waitingCurve({ waiting }: GroupView, frame: Frame): Block {
  if (waiting.length === 0) return nothing
  const most = Math.max(...waiting.map((step) => step.waiting), 1)
  return {
    height: CURVE + 8,
    draw: (y) => {
      const bottom = y + CURVE
      const level = (count: number): number => rounded(bottom - (count / most) * (CURVE - 4))
      const line = heights(waiting.map(({ time, waiting: count }) => [frame.x(time), count])).map(
        ([x, count]) => `H${x}V${level(count)}`,
      )
      return [
        shape('text', { x: MARGIN, y: bottom - 10 }, 'waiting requests'),
        shape('text', { class: 'kw-faint kw-small', x: frame.left - 8, y: y + 12, 'text-anchor': 'end' }, `${most}`),
        shape('text', { class: 'kw-faint kw-small', x: frame.left - 8, y: bottom, 'text-anchor': 'end' }, '0'),
        shape('path', { class: 'kw-grid', d: `M${frame.left} ${level(most)}H${frame.right}` }),
        shape(
          'path',
          { class: 'kw-waiting', d: `M${frame.left} ${bottom}${line.join('')}H${frame.right}V${bottom}z` },
          shape('title', {}, `waiting requests, at most ${most}`),
        ),
        shape(
          'text',
          { class: 'kw-faint kw-small', x: frame.right + 8, y: bottom },
          `waiting ${waiting.at(-1)?.waiting ?? 0}`,
        ),
      ]
    },
  }
}

/** Of steps on one pixel, the lowest and the highest, and the last one: a busy line has thousands. */
function heights(steps: readonly (readonly [x: number, count: number])[]): [number, number][] {
  const kept: [number, number][] = []
  for (let index = 0; index < steps.length; ) {
    const [x] = steps[index] as [number, number]
    let [least, most, last] = [Infinity, -Infinity, 0]
    let count = 0
    for (; index < steps.length && Math.abs((steps[index] as [number, number])[0] - x) < 0.5; index++, count++) {
      last = (steps[index] as [number, number])[1]
      least = Math.min(least, last)
      most = Math.max(most, last)
    }
    if (count > 2) kept.push([x, least], [x, most])
    else if (count === 2) kept.push([x, most])
    kept.push([x, last])
  }
  return kept
}
