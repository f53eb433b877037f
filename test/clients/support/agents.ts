/** Pools for these tests, by their agents, and how to say that nothing is left over in one. */
import { expect } from 'vitest'
import type { Pool, PoolOptions, PoolStats } from '../../../src/index.js'
import { testPool } from '../../dispatcher/support.js'
import { testCertificates } from '../../support/tls.js'
import { type Service, testService } from './service.js'

/** A pool that is destroyed when the test is over. */
export const agentPool = testPool

interface Setting {
  readonly service: Service
  readonly pool: Pool
}

/** A service, and a pool that trusts it. */
export async function setUp(options: PoolOptions = {}, { tls = false } = {}): Promise<Setting> {
  const { ca } = testCertificates()
  return { service: await testService({ tls }), pool: agentPool({ ...options, connect: { ca, ...options.connect } }) }
}

/** For `describe.each`: cases that are the same over both. */
export const schemes = [
  { scheme: 'http', setUp: (options?: PoolOptions) => setUp(options) },
  { scheme: 'https', setUp: (options?: PoolOptions) => setUp(options, { tls: true }) },
] as const

type Numbers = Pick<PoolStats, 'idle' | 'opened' | 'requests' | 'reused' | 'replayed' | 'dialFailures'>

/** Waits until nothing is under way in a pool and its numbers are those given. */
export async function expectWhole(
  pool: Pool,
  numbers: Partial<Numbers> & { closed?: Partial<PoolStats['closed']> },
): Promise<void> {
  const nothing = { active: 0, dialing: 0, waiting: 0, pending: 0 }
  await expect.poll(() => pool.stats(), { timeout: 3000, interval: 5 }).toMatchObject({ ...nothing, ...numbers })
}
