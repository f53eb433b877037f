/**
 * What happened at one moment of an origin: what was learned, sent again, refused, or could not be opened.
 */
import { type Block, nothing } from './block.js'
import { shortened, span, timeOfDay } from './format.js'
import { type Frame, MARGIN, rounded } from './geometry.js'
import { glyph } from './glyph.js'
import type { Mark } from './origin-group.js'
import { type Shape, shape } from './shape.js'
import type { GroupView } from './view.js'

/** Of a row. */
const HEIGHT = 17
/** Rows that the words of marks may take: those that find no room stand below them without. */
const MOST_ROWS = 3
/** Marks of the same words that are as near as this are drawn as one. All in pixels. */
const NEAREST = 10
/** Half the width of a sign, with the room around it. */
const GLYPH = 8
/** Widths of characters, about. */
const CHARACTER = 6.1
const BOLD_CHARACTER = 6.9

/** Marks of the same words, side by side. */
interface Cluster {
  readonly mark: Mark
  readonly words: string
  readonly x: number
  count: number
}

/** What happened at one moment, with its words where there is room. Nothing, if nothing did. */
export function marksRow({ marks }: GroupView, frame: Frame): Block {
  const clusters = clustered(marks, frame)
  if (clusters.length === 0) return nothing
  const rows = new Rows(frame)
  const places = clusters.map((cluster) => rows.place(cluster))
  return {
    height: rows.count * HEIGHT + 6,
    draw: (y) => [
      shape('text', { x: MARGIN, y: y + 12 }, 'events'),
      ...clusters.map((cluster, index) => {
        const { row, words } = places[index] as Place
        return drawMark(cluster, y + (row ?? rows.count - 1) * HEIGHT + HEIGHT / 2, words)
      }),
    ],
  }
}

/** Where a mark stands: in a row of those with words, or undefined for the one below; and on which side it has them. */
interface Place {
  readonly row: number | undefined
  readonly words: 'right' | 'left' | undefined
}

/** Rows of marks, each filled from the left. */
class Rows {
  /** Where each ends. */
  readonly #ends: number[] = []
  #hasWordless = false

  constructor(private readonly frame: Frame) {}

  /** Of all, the one for marks without words included. */
  get count(): number {
    return this.#ends.length + (this.#hasWordless ? 1 : 0)
  }

  place({ x, mark, words, count }: Cluster): Place {
    const width = 16 + textOf(words, count).length * (isBad(mark) ? BOLD_CHARACTER : CHARACTER)
    const isLeft = x + width > this.frame.width - MARGIN
    const [left, right] = isLeft ? [x - width, x + GLYPH] : [x - GLYPH, x + width]
    let row = this.#ends.findIndex((end) => end <= left)
    if (row < 0 && this.#ends.length < MOST_ROWS) row = this.#ends.length
    if (row < 0) {
      this.#hasWordless = true
      return { row: undefined, words: undefined }
    }
    this.#ends[row] = right
    return { row, words: isLeft ? 'left' : 'right' }
  }
}

function clustered(marks: readonly Mark[], frame: Frame): Cluster[] {
  const clusters: Cluster[] = []
  const latest = new Map<string, Cluster>()
  for (const mark of marks) {
    const x = frame.x(mark.time)
    const words = wordsOf(mark)
    const near = latest.get(words)
    if (near !== undefined && x - near.x <= NEAREST) near.count++
    else {
      const cluster = { mark, words, x, count: 1 }
      latest.set(words, cluster)
      clusters.push(cluster)
    }
  }
  return clusters
}

function drawMark({ mark, words, x, count }: Cluster, middle: number, side: Place['words']): Shape {
  const more = count > 1 ? ` and ${count - 1} more` : ''
  const attributes = { class: `kw-small kw-over${isBad(mark) ? ' kw-bad' : ''}`, y: middle + 4 }
  return shape(
    'g',
    { class: `kw-mark kw-mark-${mark.event}` },
    shape('title', {}, `${aboutMark(mark)}${more}`),
    glyph(mark.event, x, middle),
    side === 'right' && shape('text', { ...attributes, x: rounded(x + 9) }, textOf(words, count)),
    side === 'left' && shape('text', { ...attributes, x: rounded(x - 9), 'text-anchor': 'end' }, textOf(words, count)),
  )
}

const textOf = (words: string, count: number): string => (count > 1 ? `${words} × ${count}` : words)

const isBad = ({ event }: Mark): boolean => event === 'refused' || event === 'dial-failed'

function wordsOf(mark: Mark): string {
  switch (mark.event) {
    case 'learn':
      return typeof mark.timeout === 'number' ? `learned ${span(mark.timeout)}` : 'learned: no timeout'
    case 'replay':
      return `replay ${shortened(mark.method, 12)} (${shortened(mark.verdict, 12)})`
    case 'refused':
      return `refused ${shortened((mark.error.code ?? '').replace('ERR_KEEPWISE_', ''), 18)}`.trimEnd()
    case 'dial-failed':
      return `dial failed ${shortened(mark.error.code ?? '', 22)}`.trimEnd()
  }
}

function aboutMark(mark: Mark): string {
  const at = `${timeOfDay(mark.time, 1)} UTC`
  switch (mark.event) {
    case 'learn':
      return `${wordsOf(mark)} for ${mark.address}, ${at}`
    case 'replay':
      return `${wordsOf(mark)}, attempt ${mark.attempt}, ${at}`
    default:
      return `${wordsOf(mark)}, ${at}\n${mark.error.message}`
  }
}
