/**
 * Node's own server: advertises `timeout` in whole seconds, and with maxRequestsPerSocket a `max` that never counts down:
 * it is the total. The request after that total is answered with 503.
 */
import { describe, expect, it } from 'vitest'
import { createPool } from '../../src/index.js'
import { itWith } from '../support/requirements.js'
import { type RunningServer, withServer } from '../support/servers/node.js'
import { fixedAllowance, longestReusedIdle, overuse, requestsPerConnection } from './allowance.js'
import { withOtherProcess } from './other-process.js'
import { sendAtRandomPace } from './pace.js'
import { closedBy, sendOk, trustingTests } from './pools.js'

const TOTAL = 5

// Side by side: they do little but wait.
describe.concurrent("Node's server", () => {
  for (const { tls, timeout, requests, clients } of [
    { tls: false, timeout: 1000, requests: 2_000, clients: 60 },
    { tls: true, timeout: 1000, requests: 500, clients: 25 },
    { tls: false, timeout: 2000, requests: 500, clients: 50 },
  ]) {
    const title = `with keepAliveTimeout ${timeout} and maxRequestsPerSocket ${TOTAL}, over ${tls ? 'TLS' : 'TCP'}`
    itWith(
      tls ? 'openssl' : [],
      `${title}, answers ${requests} requests at a random pace, none with 503`,
      async () => {
        const options = { tls, keepAliveTimeout: timeout, maxRequestsPerSocket: TOTAL }
        // In another process: in this one it would see late what the client has sent in time.
        await withOtherProcess(options, async ({ origin, accessLog }) => {
          const pace = { requests, clients, seed: 5, around: timeout, options: trustingTests() }
          const traffic = await sendAtRandomPace(origin, pace)
          expect(traffic.failures).toEqual([])
          expect(traffic.succeeded).toBe(requests)

          const log = await accessLog()
          expect(log).toHaveLength(requests)
          expect(overuse(log, fixedAllowance({ idle: timeout, requests: TOTAL }))).toEqual([])
          expect(Math.max(...requestsPerConnection(log))).toBe(TOTAL)
          expect(longestReusedIdle(log)).toBeGreaterThan(0.8 * timeout)
          expect(traffic.closed['advertised-timeout']).toBeGreaterThan(clients / 8)
          expect(traffic.closed['advertised-max']).toBeGreaterThan(clients / 8)
        })
      },
      60_000,
    )
  }

  it('serves exactly its total of requests on each connection, one after the other', async () => {
    await withServer({ maxRequestsPerSocket: TOTAL }, async (server) => {
      await using pool = createPool()
      for (let n = 0; n < 4 * TOTAL; n++) await sendOk(pool, server.origin)
      expect(requestsOf(server)).toEqual([TOTAL, TOTAL, TOTAL, TOTAL])
      expect(closedBy(pool)).toEqual({ 'advertised-max': 4 })

      await sendOk(pool, server.origin)
      expect(pool.explain(server.origin).maxRequests).toMatchObject({ value: TOTAL, source: 'advertised' })
    })
  })

  it('serves no more than its total on any connection when all are busy at once', async () => {
    await withServer({ maxRequestsPerSocket: TOTAL }, async (server) => {
      await using pool = createPool({ maxConnections: 4 })
      await Promise.all(Array.from({ length: 100 }, () => sendOk(pool, server.origin)))
      expect(server.requestCount()).toBe(100)
      expect(requestsOf(server)).toEqual(Array.from({ length: 20 }, () => TOTAL))
    })
  })

  for (const total of [1, 2]) {
    it(`may allow as few as ${total} on a connection`, async () => {
      await withServer({ maxRequestsPerSocket: total }, async (server) => {
        await using pool = createPool()
        for (let n = 0; n < 6; n++) await sendOk(pool, server.origin)
        expect(requestsOf(server)).toEqual(Array.from({ length: 6 / total }, () => total))
      })
    })
  }
})

/** How many requests each connection has served, leaving out those that were opened and never needed. */
function requestsOf({ connections }: RunningServer): number[] {
  return connections.map(({ requests }) => requests.length).filter((count) => count > 0)
}
