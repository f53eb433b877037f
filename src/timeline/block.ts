/**
 * Parts of a picture that stand one below the other.
 */
import type { Shape } from './shape.js'

export interface Block {
  readonly height: number
  /** @param y where it begins */
  draw(y: number): Shape[]
}

export const gap = (height: number): Block => ({ height, draw: () => [] })

export const nothing = gap(0)

export const sum = (blocks: readonly Block[]): number => blocks.reduce((all, { height }) => all + height, 0)

export function stacked(blocks: readonly Block[], top: number): Shape[] {
  let y = top
  return blocks.flatMap((block) => {
    const shapes = block.draw(y)
    y += block.height
    return shapes
  })
}
