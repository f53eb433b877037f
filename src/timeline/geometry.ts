/**
 * Where things stand in a picture, in pixels: names on the left, time in the middle, how lanes end on the right.
 */
import { scaleLinear, scaleUtc } from 'd3-scale'

export const NARROWEST = 640
export const WIDEST = 10_000

/** From the edges of the picture. */
const NAMES = 236
const ENDS = 168
/** Room around all. */
export const MARGIN = 16

export const LANE = 18

/** The stretch of time on the paper. */
export interface Frame {
  readonly from: number
  readonly to: number
  readonly width: number
  readonly left: number
  readonly right: number
  /** Where a moment stands. */
  x(moment: number): number
}

export function frameOf(from: number, to: number, width: number): Frame {
  const [left, right] = [NAMES, width - ENDS]
  const scale = scaleLinear([from, to], [left, right]).clamp(true)
  return { from, to, width, left, right, x: (moment) => rounded(scale(moment)) }
}

/** The moments that the axis names. */
export function ticksOf({ from, to, left, right }: Frame): number[] {
  return scaleUtc([from, to], [left, right])
    .ticks(Math.max(2, Math.floor((right - left) / 110)))
    .map(Number)
}

/** Ticks back from now: milliseconds, 0 and below. */
export function ticksBack({ from, to, left, right }: Frame): number[] {
  const unit = unitBack({ from, to })
  const most = (to - from) / unit
  return scaleLinear([-most, 0], [left, right])
    .ticks(Math.max(2, Math.floor((right - left) / 90)))
    .map((count) => count * unit)
}

/** Minutes for what is long, else seconds. */
export const unitBack = ({ from, to }: Pick<Frame, 'from' | 'to'>): number => (to - from > 150_000 ? 60_000 : 1_000)

export const rounded = (pixels: number): number => Math.round(pixels * 10) / 10
