/** What the doctor is doing, as it goes on. */
import type { Evidence } from './idle-evidence.js'
import { seconds } from './words.js'

export const stages = ['connecting', 'cost', 'requests', 'idle'] as const
export type Stage = (typeof stages)[number]

export interface Progress {
  readonly stage: Stage
  /** A line for a person. */
  readonly text: string
}

/** @param longest the longest that connections are left idle, in milliseconds */
export function idleText(elapsed: number, longest: number, { alive, ended, dead }: Evidence): string {
  const known = [
    ...(alive > 0 ? [`alive at ${seconds(alive)}`] : []),
    ...(ended.length > 0 ? [`closed at ${seconds(Math.min(...ended.map(({ age }) => age)))}`] : []),
    ...(dead.length > 0 ? [`gone at ${seconds(Math.min(...dead.map(({ age }) => age)))}`] : []),
  ]
  const so = known.length === 0 ? '' : `; ${known.join(', ')}`
  return `idle connections, for ${seconds(longest)} at the most: ${Math.floor(elapsed / 1000)} s${so}`
}
