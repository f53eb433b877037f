/** Origins that share `maxTotalConnections`: real traffic, and none of them starves. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createPool, type Pool } from '../../src/index.js'
import { type RunningServer, withServer } from '../support/servers/node.js'
import { closedBy, sendOk } from './pools.js'

const CAP = 4
const SERVICE_TIME = 5

describe(`two origins and maxTotalConnections ${CAP}`, () => {
  it('share the connections when both have more to do than these can carry', async () => {
    await withServers(2, async (servers) => {
      await using pool = createPool({ maxTotalConnections: CAP })
      const most = watchConnections(pool)
      // All at once, the first origin's in front of the other's.
      await Promise.all(servers.flatMap(({ origin }) => Array.from({ length: 150 }, () => sendOk(pool, origin))))
      expect(servers.map((server) => server.requestCount())).toEqual([150, 150])
      expect(most.open).toBe(CAP)
      expect(pool.stats()).toMatchObject({ waiting: 0, pending: 0, requests: 300 })
    })
  })

  it('do not wait for idle connections of each other', async () => {
    await withServers(2, async ([first, second]) => {
      await using pool = createPool({ maxTotalConnections: CAP })
      await Promise.all(Array.from({ length: CAP }, () => sendOk(pool, first!.origin)))
      expect(pool.stats()).toMatchObject({ idle: CAP, opened: CAP })
      const asked = performance.now()
      await sendOk(pool, second!.origin)
      expect(performance.now() - asked).toBeLessThan(500)
      expect(pool.stats()).toMatchObject({ idle: CAP, opened: CAP + 1 })
      expect(closedBy(pool)).toEqual({ surplus: 1 })
    })
  })

  it('both go on when one of them never stops asking', async () => {
    await withServers(2, async ([busy, quiet]) => {
      await using pool = createPool({ maxTotalConnections: CAP })
      const most = watchConnections(pool)
      let stop = false
      const loops = Array.from({ length: 30 }, async () => {
        while (!stop) await sendOk(pool, busy!.origin)
      })
      await sleep(50)
      const waits: number[] = []
      for (let n = 0; n < 40; n++) {
        const asked = performance.now()
        await sendOk(pool, quiet!.origin)
        waits.push(performance.now() - asked)
        await sleep(10)
      }
      stop = true
      await Promise.all(loops)
      expect(Math.max(...waits)).toBeLessThan(500)
      expect(busy!.requestCount()).toBeGreaterThan(100)
      expect(most.open).toBe(CAP)
    })
  })
})

async function withServers(count: number, body: (servers: RunningServer[]) => Promise<void>): Promise<void> {
  const handler = async (_request: unknown, response: { end(text: string): unknown }) => {
    await sleep(SERVICE_TIME)
    response.end('ok')
  }
  const start = (servers: RunningServer[]): Promise<void> =>
    servers.length === count ? body(servers) : withServer(handler, (server) => start([...servers, server]))
  await start([])
}

/** The most connections that were open at once. */
function watchConnections(pool: Pool): { open: number } {
  const most = { open: 0 }
  let open = 0
  pool.on('open', () => (most.open = Math.max(most.open, ++open)))
  pool.on('close', () => open--)
  return most
}
