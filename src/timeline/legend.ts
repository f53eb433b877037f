/**
 * What the signs of a picture mean.
 */
import type { Block } from './block.js'
import { MARGIN } from './geometry.js'
import { glyph } from './glyph.js'
import { patterns } from './palette.js'
import { type Shape, shape } from './shape.js'

/** What the signs mean, in as many rows as it takes. */
export function legend(width: number, id: string): Block {
  const swatch = (state: string, half: number, fill?: string) => (x: number, y: number) =>
    shape('path', { class: `kw-${state}`, fill, d: `M${x} ${y - half}h24v${2 * half}h-24z` })
  const entries: readonly (readonly [words: string, sign: (x: number, y: number) => Shape])[] = [
    ['dialling', swatch('dialling', 5, `url(#${id}-dialling)`)],
    ['active', swatch('active', 6)],
    ['idle', swatch('idle', 2.5)],
    ['probed: its peer is asked', swatch('probed', 5, `url(#${id}-probed)`)],
    ['open before the log', (x, y) => shape('path', { class: 'kw-unseen', d: `M${x} ${y}h24` })],
    ['closed as meant', (x, y) => shape('path', { class: 'kw-stop', d: `M${x + 12} ${y - 7}v14` })],
    ['broken off, or failed', (x, y) => glyph('refused', x + 12, y)],
    ['learned', (x, y) => glyph('learn', x + 12, y)],
    ['sent again', (x, y) => glyph('replay', x + 12, y)],
  ]
  let [x, row] = [MARGIN, 0]
  const places = entries.map(([words]) => {
    const wide = 24 + 7 + words.length * 6.2 + 18
    if (x + wide > width - MARGIN) [x, row] = [MARGIN, row + 1]
    const place = { x, row }
    x += wide
    return place
  })
  return {
    height: (row + 1) * 20 + 4,
    draw: (y) =>
      entries.flatMap(([words, sign], index) => {
        const { x, row } = places[index] as { x: number; row: number }
        const middle = y + row * 20 + 8
        return [sign(x, middle), shape('text', { class: 'kw-small', x: x + 31, y: middle + 4 }, words)]
      }),
  }
}

/** As a picture of its own, for a page that has several. */
export function drawLegend(width: number, id: string): Shape {
  const block = legend(width, id)
  const attributes = { width, height: block.height, viewBox: `0 0 ${width} ${block.height}`, class: 'kw', role: 'img' }
  return shape('svg', { ...attributes, 'aria-label': 'What the signs mean' }, patterns(id), block.draw(0))
}
