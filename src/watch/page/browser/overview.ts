/**
 * What the page shows, section by section: each origin of each pool, with its numbers, and what the timeline has of it.
 */
import type { PoolIdentity } from '../../../registry.js'
import type { Timeline } from '../../../timeline/lanes.js'
import { groupKey } from '../../../timeline/lanes.js'
import type { GroupView } from '../../../timeline/view.js'
import { viewOf } from '../../../timeline/view.js'
import type { Known } from './feed.js'

/** Lanes of all sections together. */
export const MOST_LANES = 80

type OriginStats = Known['pools'][number]['stats']['origins'][string]

export interface Section {
  readonly key: string
  readonly pool: PoolIdentity
  readonly origin: string
  /** Of each way to speak to the origin (other TLS options make another one) that the pool keeps numbers of. */
  readonly stats: readonly OriginStats[]
  /** What is drawn; undefined if nothing happened in the window. */
  readonly group: GroupView | undefined
}

export function sectionsOf(timeline: Timeline, known: Known | undefined, from: number, to: number): Section[] {
  const sections = new Map<string, { pool: PoolIdentity; origin: string; stats: OriginStats[]; group?: GroupView }>()
  for (const { pool, stats } of known?.pools ?? [])
    for (const [key, numbers] of Object.entries(stats.origins)) {
      // A key is the origin, and after a space what else sets it apart.
      const origin = key.split(' ')[0] as string
      const section = sections.get(groupKey(pool, origin))
      if (section === undefined) sections.set(groupKey(pool, origin), { pool, origin, stats: [numbers] })
      else section.stats.push(numbers)
    }
  for (const group of viewOf(timeline, { from, to, lanes: MOST_LANES }).groups) {
    const { pool, origin } = group.group
    const section = sections.get(groupKey(pool, origin))
    if (section === undefined) sections.set(groupKey(pool, origin), { pool, origin, stats: [], group })
    else section.group = group
  }
  return Array.from(sections, ([key, { group, ...section }]) => ({ key, ...section, group })).sort(
    (a, b) => a.pool.id - b.pool.id || (a.origin < b.origin ? -1 : 1),
  )
}

export const total = (stats: readonly OriginStats[], name: NumberOf<OriginStats>): number =>
  stats.reduce((sum, each) => sum + (each[name] as number), 0)

type NumberOf<Type> = { [Name in keyof Type]: Type[Name] extends number ? Name : never }[keyof Type]

/** Closes by reason, the most frequent first; those that never happened are left out. */
export function closesOf(stats: readonly OriginStats[]): [reason: string, count: number][] {
  const counts = new Map<string, number>()
  for (const { closed } of stats)
    for (const [reason, count] of Object.entries(closed))
      if (count > 0) counts.set(reason, (counts.get(reason) ?? 0) + count)
  return [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
}
