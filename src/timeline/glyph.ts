/**
 * The signs of what happens at one moment.
 */
import type { Mark } from './origin-group.js'
import { type Shape, shape } from './shape.js'

/** A diamond for what was learned, a triangle for what was sent again, a cross for what failed. */
export function glyph(event: Mark['event'], x: number, y: number): Shape {
  switch (event) {
    case 'learn':
      return shape('path', { class: 'kw-learned', d: `M${x} ${y - 5}l5 5l-5 5l-5 -5z` })
    case 'replay':
      return shape('path', { class: 'kw-again', d: `M${x - 4} ${y - 5}l9 5l-9 5z` })
    default:
      return shape('path', { class: 'kw-broken', d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8` })
  }
}
