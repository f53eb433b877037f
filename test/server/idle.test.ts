/** When an idle connection is closed: a moment after what was advertised, and never on a request that came in time. */
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.js'
import { loadNative } from '../../src/liveness/native.js'
import { ManualClock } from '../support/manual-clock.js'
import { itWith } from '../support/requirements.js'
import type { Handler } from '../support/servers/node.js'
import { exchange, get, withKept } from './support.js'

/** Lets sockets get on, and what waits for two turns. */
async function settle(clock?: ManualClock): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await pause(5)
    clock?.turn()
  }
}

describe('an idle connection', () => {
  it('is closed at timeout + buffer after its last response, not a millisecond before', async () => {
    const clock = new ManualClock()
    const keep = { timeout: 5_000, buffer: 1_000, liveness: false } as const
    await withKept({ keep, tools: { clock } }, async ({ connect, keeper }) => {
      const client = await connect()
      await exchange(client, get())
      clock.advance(5_000)
      await exchange(client, get())
      clock.advance(5_999)
      await settle(clock)
      expect(client.ended).toBe(false)
      expect(keeper.stats()).toMatchObject({ idle: 1, timedOut: 0 })
      clock.advance(1)
      await settle(clock)
      expect(client.ended).toBe(true)
      expect(keeper.stats()).toMatchObject({ idle: 0, timedOut: 1 })
      expect(clock.timers).toBe(0)
    })
  })

  it('is closed so in real time as well, and not before by Node', async () => {
    await withKept({ keep: { timeout: 300, buffer: 200 }, keepAliveTimeout: 1 }, async ({ connect, connections }) => {
      const client = await connect()
      await exchange(client, get())
      const { requests } = connections[0]!
      await client.until(({ ended }) => ended)
      await settle()
      const idle = connections[0]!.closedAt! - requests[0]!.finishedAt!
      expect(idle).toBeGreaterThanOrEqual(498) // clocks of whole milliseconds
      expect(idle).toBeLessThan(900)
    })
  })

  it.each([0, 500])('costs %i more ms of buffer', async (buffer) => {
    const clock = new ManualClock()
    const keep = { timeout: 5_000, buffer, liveness: false } as const
    await withKept({ keep, tools: { clock } }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, get())
      clock.advance(4_999 + buffer)
      await settle(clock)
      expect(client.ended).toBe(false)
      clock.advance(1)
      await settle(clock)
      expect(client.ended).toBe(true)
    })
  })

  it('is never closed without a timeout, nor before its first request', async () => {
    const clock = new ManualClock()
    const keep = { timeout: Infinity, liveness: false } as const
    await withKept({ keep, tools: { clock } }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, get())
      clock.advance(10_000_000)
      await settle(clock)
      expect(client.ended).toBe(false)
      expect(clock.timers).toBe(0)
    })
    await withKept({ keep: { ...keep, timeout: 5_000 }, tools: { clock } }, async ({ connect }) => {
      const client = await connect()
      clock.advance(10_000_000)
      await settle(clock)
      expect(client.ended).toBe(false)
    })
  })

  it('is not closed while a request comes in bit by bit, though it is if no more of it comes', async () => {
    const clock = new ManualClock()
    const keep = { timeout: 5_000, buffer: 0, liveness: false } as const
    await withKept({ keep, tools: { clock } }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, get())
      for (const part of ['GET / HT', 'TP/1.1\r\nho', 'st: test\r\n']) {
        client.send(part)
        await settle(clock)
        clock.advance(4_999)
        await settle(clock)
      }
      await exchange(client, '\r\n')
      client.send('GET / HT')
      await settle(clock)
      clock.advance(5_000)
      await settle(clock)
      expect(client.ended).toBe(false)
      clock.advance(5_000)
      await settle(clock)
      expect(client.ended).toBe(true)
    })
  })

  it('is not closed on a request that waits in the kernel because the event loop was blocked', async () => {
    for (const native of [undefined, 'as it is'] as const) {
      const tools = native === undefined ? { native } : {}
      await withKept({ keep: { timeout: 100, buffer: 20, liveness: false }, tools }, async (kept) => {
        const client = await kept.connect()
        await exchange(client, get())
        await pause(30)
        client.send(get())
        // Sent, though nobody has read it: the timer is due before the next poll.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
        await client.until(({ received, closed }) => closed || received.split('HTTP/1.1 200').length === 3)
        expect(kept.requestCount()).toBe(2)
        expect(client.error).toBeUndefined()
      })
    }
  })

  itWith(
    ['linux', 'koffi'],
    'is not closed on what has arrived and nobody has read, unless nobody reads it',
    async () => {
      const clock = new ManualClock()
      let unread = 0
      const native = { ...loadNative().native!, unread: () => unread }
      const keep = { timeout: 5_000, buffer: 0, liveness: false } as const
      await withKept({ keep, tools: { clock, native } }, async ({ connect, keeper }) => {
        const client = await connect()
        for (let i = 0; i < 2; i++) {
          await exchange(client, get())
          unread = 20
          clock.advance(5_000)
          await settle(clock)
          expect(keeper.stats()).toMatchObject({ idle: 1, timedOut: 0 })
        }
        clock.advance(1)
        await settle(clock)
        expect(keeper.stats()).toMatchObject({ idle: 0, timedOut: 1 })
      })
    },
  )

  it("is not closed sooner by the server's timeout for silence, which is back with the next request", async () => {
    const silent: number[] = []
    const handler: Handler = ({ url }, response) => {
      if (url !== '/never') response.end('ok')
    }
    await withKept({ handler, keep: { timeout: 60_000, liveness: false } }, async ({ server, connect }) => {
      server.timeout = 100
      server.on('timeout', (socket) => {
        silent.push(performance.now())
        socket.destroy()
      })
      const client = await connect()
      await exchange(client, get())
      await pause(300)
      expect(silent).toEqual([])
      expect(client.ended).toBe(false)
      client.send(get('/never'))
      await client.until(({ ended }) => ended)
      expect(silent).toHaveLength(1)
    })
  })

  for (const tls of [false, true])
    itWith(
      ['koffi', 'linux', ...(tls ? (['openssl'] as const) : [])],
      `has its time counted from when the client has all of a large response${tls ? ', over TLS' : ''}`,
      async () => {
        const clock = new ManualClock()
        const handler: Handler = (_, response) => void response.end(`${'x'.repeat(1_000_000)}ok`)
        const keep = { timeout: 5_000, buffer: 1_000, liveness: false } as const
        await withKept({ handler, tls, keep, tools: { clock } }, async ({ connect, keeper }) => {
          const client = await connect()
          client.socket.pause()
          client.send(get())
          // All of it is in the kernels, and nobody reads it.
          await expect.poll(() => keeper.stats()).toMatchObject({ requests: 1, idle: 1 })
          clock.advance(20_000)
          await settle(clock)
          expect(keeper.stats()).toMatchObject({ idle: 1 })
          client.socket.resume()
          await client.until(({ received }) => received.endsWith('ok'))
          await settle(clock)
          clock.advance(5_999)
          await settle(clock)
          expect(client.ended).toBe(false)
          clock.advance(1_001)
          await settle(clock)
          expect(client.ended).toBe(true)
        })
      },
    )

  it('has its time counted from its last response, though one before was large', async () => {
    const clock = new ManualClock()
    const handler: Handler = ({ url }, response) => void response.end(`${'x'.repeat(Number(url?.slice(1)))}ok`)
    const keep = { timeout: 5_000, buffer: 1_000, liveness: false } as const
    await withKept({ handler, keep, tools: { clock } }, async ({ connect }) => {
      const client = await connect()
      await exchange(client, get('/20000'))
      await exchange(client, get('/1'))
      clock.advance(6_000)
      await settle(clock)
      expect(client.ended).toBe(true)
    })
  })

  it('leaves no timer behind when its server is kept no more', async () => {
    const clock = new ManualClock()
    await withKept({ tools: { clock } }, async ({ connect, keeper }) => {
      const client = await connect()
      await exchange(client, get())
      expect(clock.timers).toBe(1)
      expect(clock.holding).toBe(0)
      client.socket.destroy()
      await expect.poll(() => keeper.stats().idle).toBe(0)
      expect(clock.timers).toBe(0)
    })
    expect(systemClock.now()).toBeGreaterThan(0)
  })
})
