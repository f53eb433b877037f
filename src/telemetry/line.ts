/**
 * A pool in one line, for logs and the console.
 */
import { type CloseReason, closeReasons } from '../reasons.js'
import { many } from '../timeline/format.js'
import type { PoolStats } from './stats.js'

/** `Pool(api): 3 active, 5 idle, 0 dialing, 0 waiting; 120 requests, 93 % reused, 1 replayed; 8 opened; …` */
export function lineOf(name: string, stats: PoolStats, end: 'open' | 'closing' | 'closed'): string {
  const { active, idle, suspect, dialing, waiting, requests, reused, replayed, opened, dialFailures, closed } = stats
  const now = [`${active} active`, `${idle} idle${suspect > 0 ? ` (${suspect} suspect)` : ''}`]
  now.push(`${dialing} dialing`, `${waiting} waiting`)
  const done = [many(requests, 'request')]
  if (requests > 0) done.push(`${Math.round((100 * reused) / requests)} % reused`)
  if (replayed > 0) done.push(`${replayed} replayed`)
  const connections = [`${opened} opened`]
  if (dialFailures > 0) connections.push(`${dialFailures} failed to open`)
  const parts = [now, done, connections, closesOf(closed)].filter((part) => part.length > 0)
  const state = end === 'open' ? '' : ` ${end};`
  return `Pool(${name}):${state} ${parts.map((part) => part.join(', ')).join('; ')}`
}

function closesOf(closed: Readonly<Record<CloseReason, number>>): string[] {
  const seen = closeReasons.filter((reason) => closed[reason] > 0).sort((a, b) => closed[b] - closed[a])
  return seen.length === 0 ? [] : [`closed: ${seen.map((reason) => `${closed[reason]} ${reason}`).join(', ')}`]
}
