/**
 * A real nginx: advertises its timeout only when it is told to (`keepalive_timeout 2s 2s`), never a `max`, and says
 * `Connection: close` in the last answer that `keepalive_requests` allows.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createPool } from '../../src/index.js'
import { describeWith } from '../support/requirements.js'
import { withNginx } from '../support/servers/nginx.js'
import { fixedAllowance, longestReusedIdle, overuse, requestsPerConnection } from './allowance.js'
import { sendAtRandomPace } from './pace.js'
import { closedBy, sendOk, trustingTests } from './pools.js'

const PERMITTED = 7

// Side by side: they do little but wait.
describe.concurrent('nginx', () => {
  for (const { tls, requests, clients } of [
    { tls: false, requests: 1_500, clients: 150 },
    { tls: true, requests: 500, clients: 40 },
  ]) {
    describeWith(tls ? ['nginx', 'openssl'] : 'nginx', `that advertises, over ${tls ? 'TLS' : 'TCP'}`, () => {
      it(`answers ${requests} requests at a random pace without a failure, no connection used past its hints`, async () => {
        await withNginx({ keepaliveTimeout: '2s 2s', keepaliveRequests: PERMITTED, tls }, async (nginx) => {
          const pace = { requests, clients, seed: 7, around: 2000, options: trustingTests() }
          const traffic = await sendAtRandomPace(nginx.origin, pace)
          expect(traffic.failures).toEqual([])
          expect(traffic.succeeded).toBe(requests)

          const log = await nginx.accessLog(requests)
          expect(log).toHaveLength(requests)
          expect(overuse(log, fixedAllowance({ idle: 2000, requests: PERMITTED }))).toEqual([])
          expect(Math.max(...requestsPerConnection(log))).toBe(PERMITTED)
          expect(longestReusedIdle(log)).toBeGreaterThan(1700)
          expect(traffic.closed['advertised-timeout']).toBeGreaterThan(clients / 8)
          expect(traffic.closed['server-close']).toBeGreaterThan(clients / 8)
        })
      }, 60_000)
    })
  }

  describeWith('nginx', 'of any kind', () => {
    it('has said Connection: close when keepalive_requests is reached', async () => {
      await withNginx({ keepaliveRequests: PERMITTED }, async (nginx) => {
        await using pool = createPool()
        for (let n = 0; n < 3 * PERMITTED; n++) await sendOk(pool, nginx.origin)
        expect(requestsPerConnection(await nginx.accessLog(3 * PERMITTED))).toEqual([PERMITTED, PERMITTED, PERMITTED])
        expect(closedBy(pool)).toEqual({ 'server-close': 3 })
      })
    })

    it('is told apart: an advertised timeout counts, a silent one does not', async () => {
      await withNginx({ keepaliveTimeout: '2s 2s' }, (loud) =>
        withNginx({ keepaliveTimeout: '3s' }, async (silent) => {
          await using pool = createPool()
          for (const { origin } of [loud, silent]) await sendOk(pool, origin)
          expect(pool.explain(loud.origin).idleTimeout.source).toBe('advertised')
          expect(pool.explain(loud.origin).idleTimeout.value).toBeLessThanOrEqual(2000 - 50)
          expect(pool.explain(silent.origin).idleTimeout.source).toBe('automatic')
        }),
      )
    })

    it('that closes after 3 s without having said so costs no request away from that moment', async () => {
      const silence = { keepaliveTimeout: '3s', keepaliveRequests: PERMITTED }
      await withNginx(silence, async (nginx) => {
        const pace = { requests: 480, clients: 60, seed: 11, around: 3000, avoid: [0.95, 1.05] as const }
        const traffic = await sendAtRandomPace(nginx.origin, pace)
        expect(traffic.failures).toEqual([])
        expect(traffic.succeeded).toBe(480)
        expect(Math.max(...requestsPerConnection(await nginx.accessLog(480)))).toBeLessThanOrEqual(PERMITTED)
        expect(traffic.closed['server-fin']).toBeGreaterThan(10)
        expect(traffic.closed['server-close']).toBeGreaterThan(10)
      })
    })

    it('closes nothing itself when keepAliveTimeout is shorter than its silent timeout', async () => {
      await withNginx({ keepaliveTimeout: '2s' }, async (nginx) => {
        await using pool = createPool({ keepAliveTimeout: 1000 })
        await sendOk(pool, nginx.origin)
        await sleep(1200)
        await sendOk(pool, nginx.origin)
        expect(requestsPerConnection(await nginx.accessLog(2))).toEqual([1, 1])
        expect(closedBy(pool)).toEqual({ 'idle-timeout': 1 })
      })
    })

    it('that reloads its configuration costs no request', async () => {
      await withNginx({ keepaliveTimeout: '60s 60s' }, async (nginx) => {
        await using pool = createPool()
        for (let round = 0; round < 3; round++) {
          await Promise.all([sendOk(pool, nginx.origin), sendOk(pool, nginx.origin)])
          nginx.reload()
          await sleep(250)
        }
        await sendOk(pool, nginx.origin)
        expect(pool.stats().opened).toBe(7)
        expect(closedBy(pool)).toEqual({ 'server-fin': 6 })
      })
    })
  })
})
