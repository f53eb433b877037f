/**
 * A drawn view as elements of the page.
 */
import { h, type VNode } from 'preact'
import type { Shape } from '../../../timeline/shape.js'

export function elements(shape: Shape): VNode {
  const children = shape.children.map((child) => (typeof child === 'string' ? child : elements(child)))
  return h(shape.tag, shape.attributes, ...children)
}
