/**
 * A real Apache: advertises `timeout` and a `max` that counts down. With MaxKeepAliveRequests 5 its answers on one
 * connection say max=5, 4, 3, 2, 1 and, to the sixth, `Connection: close`: the hints allow six requests.
 */
import { describe, expect, it } from 'vitest'
import { createPool } from '../../src/index.js'
import { describeWith } from '../support/requirements.js'
import { withApache } from '../support/servers/apache.js'
import { allowanceInHeaders, longestReusedIdle, overuse, requestsPerConnection } from './allowance.js'
import { LARGEST_BURST, sendAtRandomPace } from './pace.js'
import { closedBy, sendOk, trustingTests } from './pools.js'

const PERMITTED = 6
const CLIENTS = 100
/** Short of threads Apache closes idle connections unannounced, which is not what is looked at here. */
const THREADS = CLIENTS * LARGEST_BURST + 20
const limits = { maxKeepAliveRequests: 5, keepAliveTimeout: 1, threads: THREADS }

// Side by side: they do little but wait.
describe.concurrent('Apache', () => {
  for (const { tls, requests, clients } of [
    { tls: false, requests: 10_000, clients: CLIENTS },
    { tls: true, requests: 1_000, clients: 25 },
  ]) {
    describeWith(tls ? ['apache2', 'openssl'] : 'apache2', `over ${tls ? 'TLS' : 'TCP'}`, () => {
      it(`answers ${requests} requests at a random pace without a failure, no connection used past its hints`, async () => {
        await withApache({ ...limits, tls }, async (apache) => {
          const pace = { requests, clients, seed: 20_181, around: 1000, options: trustingTests() }
          const traffic = await sendAtRandomPace(apache.origin, pace)
          expect(traffic.failures).toEqual([])
          expect(traffic.succeeded).toBe(requests)

          const log = await apache.accessLog(requests)
          expect(log).toHaveLength(requests)
          expect(overuse(log, allowanceInHeaders)).toEqual([])
          expect(Math.max(...requestsPerConnection(log))).toBe(PERMITTED)
          // It came close: connections were reused late, and both hints ended some.
          expect(longestReusedIdle(log)).toBeGreaterThan(800)
          expect(traffic.closed['advertised-timeout']).toBeGreaterThan(clients / 8)
          expect(traffic.closed['advertised-max']).toBeGreaterThan(clients / 8)
        })
      }, 60_000)

      it('is sent as many requests on a connection as its max permits, and not one more', async () => {
        await withApache({ maxKeepAliveRequests: 5, tls }, async (apache) => {
          await using pool = createPool(trustingTests())
          const remaining: (number | undefined)[] = []
          pool.on('idle', ({ connection }) => remaining.push(connection.remaining))
          for (let n = 0; n < 2 * PERMITTED; n++) await sendOk(pool, apache.origin)

          const log = await apache.accessLog(2 * PERMITTED)
          expect(requestsPerConnection(log)).toEqual([PERMITTED, PERMITTED])
          expect(log.map(({ keepAliveHeader }) => keepAliveHeader?.replace(/^.*max=/, ''))).toEqual([
            ...['5', '4', '3', '2', '1', undefined],
            ...['5', '4', '3', '2', '1', undefined],
          ])
          expect(remaining).toEqual([5, 4, 3, 2, 1, 5, 4, 3, 2, 1])
          expect(closedBy(pool)).toEqual({ 'advertised-max': 2 })
        })
      })
    })
  }
})
