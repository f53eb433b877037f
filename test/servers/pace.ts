/**
 * Traffic at a random pace, from many clients side by side: bursts, runs of requests one after the other, and pauses,
 * many of them about as long as the server lets a connection idle. Seeded: the same choices in every run.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { type CloseReason, createPool, type PoolOptions } from '../../src/index.js'

export interface Pace {
  /** Requests of all clients together. */
  requests: number
  /** Each has a pool of its own, and so a handful of connections that really idle. */
  clients: number
  seed: number
  /** Pauses are drawn around this time, in milliseconds: the server's idle timeout. */
  around: number
  /** Parts of `around` that pauses never come near, for servers that do not say when they close. */
  avoid?: readonly [from: number, to: number]
  options?: PoolOptions
}

/** What came of it, counted over all clients after their pools were closed. */
export interface Traffic {
  /** Status 200 and the whole body. */
  succeeded: number
  /** Everything else, in words. */
  failures: string[]
  opened: number
  reused: number
  /** Closed connections by reason; reasons that did not occur are not there. */
  closed: Partial<Record<CloseReason, number>>
}

/** Connections of one client at most. */
export const LARGEST_BURST = 5

export async function sendAtRandomPace(url: string, pace: Pace): Promise<Traffic> {
  const traffic: Traffic = { succeeded: 0, failures: [], opened: 0, reused: 0, closed: {} }
  const share = Math.floor(pace.requests / pace.clients)
  const first = pace.requests - share * (pace.clients - 1)
  await Promise.all(
    Array.from({ length: pace.clients }, (_, index) =>
      runClient(url, index === 0 ? first : share, randomFrom(pace.seed + index), pace, traffic),
    ),
  )
  return traffic
}

async function runClient(
  url: string,
  requests: number,
  random: () => number,
  pace: Pace,
  traffic: Traffic,
): Promise<void> {
  const pool = createPool({ maxConnections: LARGEST_BURST, ...pace.options })
  const send = async () => {
    const method = random() < 0.5 ? 'GET' : 'POST'
    const body = method === 'POST' ? 'the body of a request' : null
    const started = performance.now()
    try {
      const response = await request(url, { dispatcher: pool.dispatcher, method, body })
      await response.body.text()
      if (response.statusCode === 200) traffic.succeeded++
      else traffic.failures.push(`${method}: status ${response.statusCode}`)
    } catch (error) {
      const { message, cause } = error as Error
      const after = Math.round(performance.now() - started)
      traffic.failures.push(`${method}: ${message} after ${after} ms (${(cause as Error | undefined)?.message})`)
    }
  }
  for (let left = requests, step = Math.floor(random() * PAUSES.length); left > 0; step++) {
    const count = Math.min(left, 1 + Math.floor(random() * LARGEST_BURST))
    left -= count
    if (random() < 0.5) await Promise.all(Array.from({ length: count }, send))
    else for (let n = 0; n < count; n++) await send()
    if (left > 0) await sleep(pauseOf(PAUSES[step % PAUSES.length]!, pace, random()))
  }
  await pool.close()
  const { opened, reused, closed } = pool.stats()
  traffic.opened += opened
  traffic.reused += reused
  for (const [reason, count] of Object.entries(closed) as [CloseReason, number][])
    if (count > 0) traffic.closed[reason] = (traffic.closed[reason] ?? 0) + count
}

/** `late`: about as long as the timeout, on both sides of it; `some`: anything shorter. In turn, so that no client is lazy. */
const PAUSES = ['short', 'late', 'short', 'short', 'some', 'short', 'late', 'short'] as const

function pauseOf(kind: (typeof PAUSES)[number], { around, avoid }: Pace, chance: number): number {
  const pause = kind === 'short' ? 20 * chance : kind === 'late' ? around * (0.85 + 0.3 * chance) : around * chance
  if (avoid === undefined || pause < around * avoid[0] || pause > around * avoid[1]) return pause
  return around * (chance < 0.5 ? avoid[0] : avoid[1])
}

/** Mulberry32: small, and good enough to choose pauses. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
