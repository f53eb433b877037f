/**
 * Looks into pictures: what is written in them, and where.
 */
import type { Shape } from '../../src/timeline/shape.js'

/** Every element, with those in it. */
export function* elementsOf(shape: Shape): Generator<Shape> {
  yield shape
  for (const child of shape.children) if (typeof child !== 'string') yield* elementsOf(child)
}

export const contentOf = (shape: Shape): string =>
  shape.children.map((child) => (typeof child === 'string' ? child : contentOf(child))).join('')

/** What is written, tooltips excepted. */
export const textsOf = (shape: Shape): string[] => textElementsOf(shape).map(contentOf)

export const textElementsOf = (shape: Shape): Shape[] => [...elementsOf(shape)].filter(({ tag }) => tag === 'text')

/** Elements of a class. */
export const ofClass = (shape: Shape, name: string): Shape[] =>
  [...elementsOf(shape)].filter(({ attributes }) =>
    String(attributes.class ?? '')
      .split(' ')
      .includes(name),
  )
