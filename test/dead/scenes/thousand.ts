/**
 * A thousand connections that die at once, half of them under a request.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Chronicle, type Entry, type Errand, entries, type Outcome } from '../../support/wire/chronicle.js'
import { monotonic } from '../../support/wire/clock.js'
import { servers } from '../../support/wire/programs.js'
import type { Wire } from '../../support/wire/wire.js'
import { codesOf, FACES, LIVENESS, PROMISED, post } from './common.js'
import { dialsTo } from './dials.js'

const BUSY = 500
const IDLE = 500
const NEXT = 200
/** How many connections are opened at a time, unless `connect.concurrency` says otherwise. */
const CONCURRENCY = 32

export interface Thousand {
  cutAt: number
  /** Until the wire was mended. */
  diary: Entry[]
  outcomes: Outcome[]
  lag: number
  /** How many connections it tried to open, in a second in which none could be. */
  dialing: number
  next: Outcome[]
}

export async function playThousand(wire: Wire): Promise<Thousand> {
  const server = await wire.server.node(servers.scenes)
  const { ports } = (await server.call('listen')) as { ports: [number] }
  const origin = `http://${wire.server.address}:${ports[0]}`
  const client = await Chronicle.start(wire)
  await client.open('pool', { maxConnections: BUSY + IDLE, liveness: LIVENESS })
  await client.warm('pool', origin, BUSY + IDLE)
  const busy = Array.from({ length: BUSY }, (_, index) =>
    post({ id: `busy ${index}`, pool: 'pool', via: FACES[index % 2]!, url: `${origin}/never` }),
  )
  await client.begin(busy)
  await server.call(
    'arrived',
    busy.map(({ id }) => id),
  )
  await client.lag()
  await wire.cut('both', { ports })
  const cutAt = monotonic()
  await sleep(PROMISED)
  const outcomes = await client.settled(busy)
  const lag = await client.lag()
  const diary = await client.diary('pool')

  const dialsSince = monotonic()
  const next = Array.from({ length: NEXT }, (_, index): Errand => {
    return { id: `next ${index}`, pool: 'pool', via: FACES[index % 2]!, url: `${origin}/` }
  })
  await client.begin(next)
  await sleep(1_000)
  const dialing = await dialsTo(wire, dialsSince, ({ targetPort }) => targetPort === ports[0])
  await wire.mend('both', { ports })
  return { cutAt, diary, outcomes, lag, dialing, next: await client.settled(next) }
}

export function describeThousand(thousand: () => Thousand): void {
  describe('a thousand connections that die at once', () => {
    it('are all reported and closed in time, half of them under a request', () => {
      const { diary, outcomes, cutAt } = thousand()
      const before = diary.filter(({ at }) => at < cutAt)
      const open = entries(before, 'open').length - entries(before, 'close').length
      const closed = entries(diary, 'close').filter(({ at }) => at > cutAt && at < cutAt + PROMISED)
      // One that was just being asked when it was to be used may have made room for another.
      expect(open).toBeGreaterThan(0.95 * (BUSY + IDLE))
      expect(closed).toHaveLength(open)
      expect(closed.filter(({ reason }) => reason !== 'dead' && reason !== 'evicted')).toEqual([])
      const dead = new Set(entries(diary, 'dead').map(({ connection }) => connection.id))
      // Each is told of, unless it was asked because another one had died.
      expect(closed.filter(({ reason, connection }) => reason === 'dead' && !dead.has(connection.id))).toEqual([])
      expect(closed.filter(({ reason }) => reason === 'dead').length).toBeGreaterThanOrEqual(BUSY)
      expect(outcomes).toHaveLength(BUSY)
      for (const outcome of outcomes) {
        expect(codesOf(outcome).sort()).toEqual(['ERR_KEEPWISE_PEER_DEAD', 'ETIMEDOUT'])
        expect(outcome.settledAt - cutAt).toBeLessThan(PROMISED)
      }
    })

    it('leave the process responsive', () => {
      expect(thousand().lag).toBeLessThan(500)
    })

    it('are not all dialed again at once, and the requests that come then are answered when the wire is mended', () => {
      const { dialing, next } = thousand()
      expect(dialing).toBeGreaterThan(0)
      expect(dialing).toBeLessThanOrEqual(CONCURRENCY)
      expect(next).toHaveLength(NEXT)
      expect(next.filter(({ status }) => status !== 200)).toEqual([])
    })
  })
}
