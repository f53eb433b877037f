/**
 * A real HAProxy in front of a Node server. It closes idle connections after its own `timeout http-keep-alive`, says
 * nothing of it, and passes the Keep-Alive header of the Node server on: what the client is told is not what holds.
 */
import { describe, expect, it } from 'vitest'
import { createPool } from '../../src/index.js'
import { describeWith, itWith } from '../support/requirements.js'
import { type Haproxy, withHaproxy } from '../support/servers/haproxy.js'
import { type RunningServer, withServer } from '../support/servers/node.js'
import { longestReusedIdle } from './allowance.js'
import { block } from './other-process.js'
import { sendAtRandomPace } from './pace.js'
import { closedBy, sendOk, trustingTests } from './pools.js'

// Side by side: they do little but wait.
describe.concurrent('HAProxy in front of Node', () => {
  for (const tls of [false, true]) {
    const needs = tls ? (['haproxy', 'openssl'] as const) : ('haproxy' as const)
    describeWith(needs, `over ${tls ? 'TLS' : 'TCP'}`, () => {
      it('costs no request away from the moment when it closes', async () => {
        await withProxiedServer({ tls }, async (proxy, server) => {
          const requests = 320
          const options = trustingTests()
          const pace = { requests, clients: 40, seed: 3, around: 1000, avoid: [0.9, 1.1] as const, options }
          const traffic = await sendAtRandomPace(proxy.origin, pace)
          expect(traffic.failures).toEqual([])
          expect(traffic.succeeded).toBe(requests)
          expect(server.requestCount()).toBe(requests)
          // It was the proxy that closed, and connections were used until shortly before.
          expect(traffic.closed['server-fin']).toBeGreaterThan(10)
          expect(longestReusedIdle(await proxy.accessLog(requests))).toBeGreaterThan(800)
        })
      })
    })
  }
})

describe('HAProxy', () => {
  for (const tls of [false, true]) {
    const title = `costs no request when it closes while the client is blocked, over ${tls ? 'TLS' : 'TCP'}`
    itWith(tls ? ['haproxy', 'openssl'] : 'haproxy', title, async () => {
      await withHaproxy({ keepAliveTimeout: '200ms', tls }, async ({ origin }) => {
        await using pool = createPool(trustingTests())
        await sendOk(pool, origin)
        for (let round = 0; round < 4; round++) {
          block(300)
          await sendOk(pool, origin)
        }
        const { stale = 0, 'server-fin': fin = 0 } = closedBy(pool)
        expect(stale + fin).toBe(4)
      })
    })
  }
})

/** HAProxy, which closes after a second, in front of a Node server that advertises five. */
async function withProxiedServer(
  options: { tls: boolean },
  body: (proxy: Haproxy, server: RunningServer) => Promise<void>,
): Promise<void> {
  await withServer({ keepAliveTimeout: 5000 }, async (server) => {
    const backend = `backend node\n  server node 127.0.0.1:${server.port}`
    const frontend = 'default_backend node\n  http-request allow'
    await withHaproxy({ ...options, keepAliveTimeout: '1s', frontend, extra: backend }, (proxy) => body(proxy, server))
  })
}
