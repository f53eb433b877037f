/** Pools as the tests against real servers want them, and the plainest requests to send through them. */
import { request } from 'undici'
import { systemClock } from '../../src/clock.js'
import { createPool, type Pool, type PoolOptions } from '../../src/index.js'
import { resolveOptions } from '../../src/options/pool-options.js'
import { Pool as PoolOnGround } from '../../src/pool.js'
import { testCertificates } from '../support/tls.js'

const WHY = 'left out by the test'

/** A pool as on a machine without native access. */
export function poolWithoutKernel(options?: PoolOptions): Pool {
  return new PoolOnGround(resolveOptions(options), { clock: systemClock, native: { why: WHY } })
}

/** The two kinds of pool that the same things are asked of. */
export const kinds = [
  { kind: 'with a kernel to ask', make: createPool, canAsk: true },
  { kind: 'without a kernel to ask', make: poolWithoutKernel, canAsk: false },
] as const

export const trustingTests = (): PoolOptions => ({ connect: { ca: testCertificates().ca } })

/** A GET that is answered with status 200. */
export async function sendOk(pool: Pool, url: string): Promise<void> {
  const response = await request(url, { dispatcher: pool.dispatcher })
  await response.body.dump()
  if (response.statusCode !== 200) throw new Error(`${url}: status ${response.statusCode}`)
}

/** The reasons of the connections closed so far that occurred. */
export function closedBy(pool: Pool): Record<string, number> {
  return Object.fromEntries(Object.entries(pool.stats().closed).filter(([, count]) => count > 0))
}
