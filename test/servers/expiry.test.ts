/** On the wire, an idle connection ends when it should: the client closes first, and as much earlier as the margin says. */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { createPool, type Pool } from '../../src/index.js'
import { itWith, missing } from '../support/requirements.js'
import { withServer } from '../support/servers/node.js'
import { clientEnd, request, respond } from '../support/servers/script-steps.js'
import { withScripted } from '../support/servers/scripted.js'
import { testCertificates } from '../support/tls.js'
import { closedBy, kinds, poolWithoutKernel, sendOk, trustingTests } from './pools.js'

const TIMEOUT = 1000
/** The server's clock may have started a little later than the client's. */
const EARLY = 5
/** What lies between a timer of the client and the server that sees the FIN. */
const LATE = 25

beforeAll(() => {
  // Made now: to wait for openssl would block the event loop, and so raise the automatic margins.
  if (missing('openssl') === undefined) testCertificates()
})

// Side by side: they do little but wait.
describe.concurrent('a connection whose server advertised timeout=1', () => {
  const cases: { margin: number | 'auto'; tls?: boolean }[] = [
    { margin: 'auto' },
    { margin: 'auto', tls: true },
    { margin: 300 },
    { margin: 100, tls: true },
  ]
  for (const { kind, make } of kinds) {
    for (const { margin, tls = false } of cases) {
      const title = `is closed by a client ${kind} at the timeout less its margin (${margin}${tls ? ', TLS' : ''})`
      itWith(tls ? 'openssl' : [], title, async () => {
        const script = [request(), respond({ headers: { 'keep-alive': `timeout=${TIMEOUT / 1000}` } }), clientEnd()]
        await withScripted(
          script,
          async ({ origin, connection, log }) => {
            await using pool = make({ ...trustingTests(), keepAliveMargin: margin })
            const idle = watchIdle(pool, origin)
            await sendOk(pool, origin)
            await (await connection(1)).clientEnd()

            if (margin === 'auto') expect(idle.margin).toBeGreaterThanOrEqual(50)
            else expect(idle.margin).toBe(margin)
            expect(idle.allowed).toBe(TIMEOUT - idle.margin)
            const at = (what: string) => log.find((event) => event.what === what)!.at
            expectClosedInTime(at('sent'), at('client-end'), idle)
            expect(closedBy(pool)).toEqual({ 'advertised-timeout': 1 })
          },
          { tls },
        )
      })
    }
  }
})

describe.concurrent('a connection to a Node server', () => {
  it('is closed by the client before the keepAliveTimeout that the server advertises', async () => {
    await withServer({ keepAliveTimeout: TIMEOUT }, async ({ origin, connections }) => {
      await using pool = createPool()
      const idle = watchIdle(pool, origin)
      await sendOk(pool, origin)
      const { requests } = connections[0]!
      const closedAt = await closing(connections[0]!)
      expectClosedInTime(requests[0]!.finishedAt!, closedAt, idle)
      expect(closedBy(pool)).toEqual({ 'advertised-timeout': 1 })
    })
  })

  it('is not kept when the server advertises timeout=0', async () => {
    await withServer({ keepAliveTimeout: 400 }, async ({ origin, connections }) => {
      await using pool = createPool()
      for (let n = 0; n < 3; n++) await sendOk(pool, origin)
      expect(closedBy(pool)).toEqual({ 'advertised-timeout': 3 })
      expect(connections.map(({ requests }) => requests.length)).toEqual([1, 1, 1])
    })
  })
})

describe.concurrent('a connection whose server advertised nothing', () => {
  const cases: { title: string; make: () => Pool; allowed: number; source: 'automatic' | 'option' }[] = [
    {
      title: 'after keepAliveTimeout',
      make: () => createPool({ keepAliveTimeout: 300 }),
      allowed: 300,
      source: 'option',
    },
    { title: 'after 4 s where no kernel can be asked', make: poolWithoutKernel, allowed: 4000, source: 'automatic' },
  ]
  for (const { title, make, allowed, source } of cases) {
    it(`is closed by the client ${title}`, async () => {
      await withServer({ keepAliveTimeout: 0 }, async ({ origin, connections }) => {
        await using pool = make()
        const idle = watchIdle(pool, origin)
        await sendOk(pool, origin)
        expect(pool.explain(origin).idleTimeout).toMatchObject({ value: allowed, source })
        const { requests } = connections[0]!
        const closedAt = await closing(connections[0]!)
        expectClosedInTime(requests[0]!.finishedAt!, closedAt, idle)
        expect(closedBy(pool)).toEqual({ 'idle-timeout': 1 })
      })
    })
  }

  itWith(['linux', 'koffi'], 'may idle for 30 s where the kernel can be asked', async () => {
    await withServer({ keepAliveTimeout: 0 }, async ({ origin }) => {
      await using pool = createPool()
      await sendOk(pool, origin)
      expect(pool.explain(origin).idleTimeout).toMatchObject({ value: 30_000, source: 'automatic' })
    })
  })
})

/** What held when the connection became idle: 'auto' depends on the moment. */
interface IdleWatch {
  allowed: number
  margin: number
  /** When a plain timer fired that was set at that moment for `allowed`: on a busy machine all timers are late. */
  timerAt: number
}

function watchIdle(pool: Pool, origin: string): IdleWatch {
  const watch: IdleWatch = { allowed: Number.NaN, margin: Number.NaN, timerAt: Infinity }
  pool.once('idle', () => {
    const { idleTimeout, margin } = pool.explain(origin)
    watch.allowed = idleTimeout.value
    watch.margin = margin.value
    setTimeout(() => (watch.timerAt = performance.now()), Math.ceil(watch.allowed))
  })
  return watch
}

/** As seen by the server: no earlier than the client was to close, and no later than a timer could. */
function expectClosedInTime(answeredAt: number, closedAt: number, { allowed, timerAt }: IdleWatch): void {
  expect(closedAt - answeredAt).toBeGreaterThanOrEqual(allowed - EARLY)
  expect(closedAt).toBeLessThan(timerAt + LATE)
}

async function closing(connection: { closedAt?: number }, timeout = 6000): Promise<number> {
  const deadline = performance.now() + timeout
  for (;;) {
    if (connection.closedAt !== undefined) return connection.closedAt
    if (performance.now() > deadline) throw new Error(`The connection is still open after ${timeout} ms`)
    await sleep(5)
  }
}
