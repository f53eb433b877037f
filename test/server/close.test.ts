/** A server that closes: whoever is on its connections is answered, or told in time. */
import http from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { loadNative } from '../../src/liveness/native.js'
import { constant } from '../../src/server/announce.js'
import { keepAlive } from '../../src/server.js'
import { ManualClock } from '../support/manual-clock.js'
import { RawClient } from '../support/raw-client.js'
import { itWith } from '../support/requirements.js'
import type { Handler } from '../support/servers/node.js'
import { exchange, get, hintOf, responsesOf, withKept } from './support.js'

async function settle(clock: ManualClock): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await pause(5)
    clock.turn()
  }
}

/** Whether it has settled by now, and with what. */
async function outcome<T>(promise: Promise<T>): Promise<T | 'pending'> {
  return Promise.race([promise, pause(20, 'pending' as const)])
}

const keep = { timeout: 60_000, max: 9, liveness: false } as const

describe('close()', () => {
  it('answers a request that comes on an idle connection in the grace time, says close, and ends the others then', async () => {
    const clock = new ManualClock()
    await withKept({ keep, tools: { clock } }, async ({ connect, keeper }) => {
      const [used, idle, fresh] = [await connect(), await connect(), await connect()]
      await exchange(used, get())
      await exchange(idle, get())
      const closing = keeper.close({ grace: 2_000 })
      keeper.restore() // which close does itself, when it is done
      clock.advance(1_999)
      await settle(clock)
      expect([used, idle, fresh].map(({ ended }) => ended)).toEqual([false, false, false])
      await exchange(used, get())
      await used.until(({ ended }) => ended)
      expect(responsesOf(used).map(hintOf)).toEqual(['keep-alive timeout=60, max=8', 'close'])
      expect(await outcome(closing)).toBe('pending')
      clock.advance(1)
      await settle(clock)
      expect([idle, fresh].map(({ ended }) => ended)).toEqual([true, true])
      expect(await closing).toEqual({ connections: 0, requests: 0 })
      expect(clock.timers).toBe(0)
    })
  })

  it('lets a connection that would have been closed sooner anyway end in its time', async () => {
    const clock = new ManualClock()
    await withKept({ keep: { ...keep, timeout: 500, buffer: 0 }, tools: { clock } }, async ({ connect, keeper }) => {
      const client = await connect()
      await exchange(client, get())
      const closing = keeper.close({ grace: 2_000 })
      clock.advance(500)
      await settle(clock)
      expect(client.ended).toBe(true)
      expect(await closing).toEqual({ connections: 0, requests: 0 })
    })
  })

  it('has a response that is awaited say close; one that has begun ends in its time, and its connection after the grace', async () => {
    const clock = new ManualClock()
    const running: http.ServerResponse[] = []
    const handler: Handler = ({ url }, response) => {
      running.push(response)
      if (url === '/begun') response.writeHead(200, { 'content-length': 2 }).flushHeaders()
    }
    await withKept({ handler, keep, tools: { clock } }, async ({ connect, keeper }) => {
      const [awaited, begun] = [await connect(), await connect()]
      awaited.send(get())
      await expect.poll(() => running.length).toBe(1)
      begun.send(get('/begun'))
      await begun.until(({ received }) => received.endsWith('\r\n\r\n'))
      const closing = keeper.close({ grace: 1_000, limit: 100_000 })
      clock.advance(50_000)
      await settle(clock)
      expect([awaited.ended, begun.ended]).toEqual([false, false])
      for (const response of running) response.end('ok')
      await awaited.until(({ ended }) => ended)
      await begun.until(({ received }) => received.endsWith('ok'))
      expect([awaited, begun].flatMap((client) => responsesOf(client)).map(hintOf)).toEqual([
        'close',
        'keep-alive timeout=60, max=8',
      ])
      await settle(clock)
      clock.advance(999)
      await settle(clock)
      expect(begun.ended).toBe(false)
      expect(await outcome(closing)).toBe('pending')
      clock.advance(1)
      await settle(clock)
      expect(await closing).toEqual({ connections: 0, requests: 0 })
    })
  })

  it('answers all that were pipelined, and has the last of them say close', async () => {
    const running: http.ServerResponse[] = []
    const handler: Handler = (_, response) => void running.push(response)
    await withKept({ handler, keep }, async ({ connect, keeper }) => {
      const client = await connect()
      client.send(get() + get())
      await expect.poll(() => running.length).toBe(2)
      const closing = keeper.close()
      client.send(get()) // behind the last one
      await expect.poll(() => keeper.stats().refused).toBe(1)
      for (const response of running) response.end('ok')
      await client.until(({ ended }) => ended)
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive timeout=60, max=8', 'close'])
      expect(await closing).toEqual({ connections: 0, requests: 0 })
    })
  })

  it('answers those that have connected and were not accepted yet', async () => {
    await withKept({ keep }, async ({ connect, keeper, connections }) => {
      const opening = Array.from({ length: 30 }, () => connect())
      await new Promise((resolve) => process.nextTick(resolve)) // the kernel has made them all
      const closing = keeper.close({ grace: 10_000 })
      expect(connections).toEqual([])
      const ask = async (client: RawClient) => {
        await exchange(client, get())
        await client.until(({ ended }) => ended)
        expect(responsesOf(client).map(hintOf)).toEqual(['close'])
        expect(client.error).toBeUndefined()
      }
      await Promise.all(opening.map(async (client) => ask(await client)))
      expect(await closing).toEqual({ connections: 0, requests: 0 })
    })
  })

  itWith(['linux', 'koffi'], 'stops accepting when nobody waits for it, or at last all the same', async () => {
    const clock = new ManualClock()
    for (const [waiting, looks] of [
      [3, 4],
      [Infinity, 100],
    ] as const) {
      let asked = 0
      const native = {
        ...loadNative().native!,
        getBytes(_fd: number, _level: number, _name: number, target: Buffer) {
          target.fill(0).writeUInt32LE(asked++ < waiting ? 1 : 0, 24)
          return target.length
        },
      }
      await withKept({ keep: { ...keep, liveness: false }, tools: { clock, native } }, async ({ keeper, server }) => {
        const closing = keeper.close()
        for (let turn = 1; turn < 2 * looks; turn++) clock.turn()
        expect(server.listening).toBe(true)
        clock.turn()
        expect(server.listening).toBe(false)
        await closing
      })
    }
  })

  it('goes on accepting for as long as it is told to', async () => {
    const clock = new ManualClock()
    await withKept({ keep, tools: { clock } }, async ({ connect, keeper, server }) => {
      const before = await connect()
      await exchange(before, get())
      const closing = keeper.close({ accept: 3_000, grace: 1_000 })
      clock.advance(2_999)
      await settle(clock)
      const client = await connect()
      await exchange(client, get())
      await client.until(({ ended }) => ended)
      expect(responsesOf(client).map(hintOf)).toEqual(['close'])
      clock.advance(1)
      await settle(clock)
      expect(server.listening).toBe(false)
      await expect(connect()).rejects.toThrow(/ECONNREFUSED/)
      clock.advance(999)
      await settle(clock)
      expect(before.ended).toBe(false)
      clock.advance(1)
      await settle(clock)
      expect(await closing).toEqual({ connections: 0, requests: 0 })
    })
  })

  for (const tls of [false, true])
    itWith(
      tls ? 'openssl' : [],
      `ends at the limit what is left, and tells how much${tls ? ', over TLS' : ''}`,
      async () => {
        const clock = new ManualClock()
        const aborted: boolean[] = []
        const handler: Handler = ({ url }, response) => {
          if (url === '/hangs') response.on('close', () => aborted.push(!response.writableFinished))
          else response.end('ok')
        }
        await withKept({ handler, tls, keep, tools: { clock } }, async ({ connect, keeper, server }) => {
          server.on('upgrade', (_request, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
          const [idle, hangs, upgraded] = [await connect(), await connect(), await connect()]
          await exchange(idle, get())
          hangs.send(get('/hangs'))
          await exchange(upgraded, get('/', 'connection: upgrade', 'upgrade: x'), '\r\n\r\n')
          await expect.poll(() => keeper.stats()).toMatchObject({ active: 1, idle: 1, upgraded: 1 })
          const closing = keeper.close({ grace: 10_000, limit: 4_000 })
          clock.advance(3_999)
          expect(await outcome(closing)).toBe('pending')
          clock.advance(1)
          expect(await closing).toEqual({ connections: 3, requests: 1 })
          expect(aborted).toEqual([true])
          expect(clock.timers).toBe(0)
          await idle.until(({ ended }) => ended)
        })
      },
    )

  itWith('openssl', 'waits for a client that has not finished its handshake, and ends it at the limit', async () => {
    const clock = new ManualClock()
    await withKept({ tls: true, keep, tools: { clock } }, async ({ connect, keeper, port }) => {
      const [ready, raw] = [await connect(), await RawClient.open(`http://127.0.0.1:${port}`)]
      const closing = keeper.close({ grace: 0, limit: 1_000 })
      await settle(clock)
      clock.advance(1)
      await settle(clock)
      await ready.until(({ ended }) => ended)
      ready.socket.destroy()
      await expect.poll(() => keeper.stats().idle).toBe(0)
      expect(await outcome(closing)).toBe('pending')
      expect(raw.ended).toBe(false)
      clock.advance(999)
      expect(await closing).toEqual({ connections: 1, requests: 0 })
      await raw.until(({ ended, closed }) => ended || closed)
      raw.socket.destroy()
    })
  })

  it('at the limit stops accepting as well', async () => {
    const clock = new ManualClock()
    await withKept({ keep, tools: { clock } }, async ({ keeper, server }) => {
      const closing = keeper.close({ accept: 3_000, limit: 1_000 })
      clock.advance(1_000)
      expect(server.listening).toBe(false)
      expect(await closing).toEqual({ connections: 0, requests: 0 })
    })
  })

  it('keeps the process alive while it has something to wait for', async () => {
    const clock = new ManualClock()
    await withKept({ keep, tools: { clock } }, async ({ keeper }) => {
      keeper.close({ accept: 3_000 })
      expect(clock.holding).toBe(2)
      clock.advance(3_000)
    })
  })

  it('gives the same promise to everybody, and the server as it was: it can listen and be kept again', async () => {
    await withKept({ keep, keepAliveTimeout: 7_000 }, async ({ connect, keeper, server, port }) => {
      let closes = 0
      server.on('close', () => closes++)
      const closing = keeper.close()
      expect(keeper.close({ limit: 1 })).toBe(closing)
      expect(keeper.stats().closing).toBe(true)
      await closing
      expect(closes).toBe(1)
      expect(Object.hasOwn(server, 'emit')).toBe(false)
      expect(Object.hasOwn(server, 'closeIdleConnections')).toBe(false)
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
      const client = await connect()
      await exchange(client, get())
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive timeout=7'])
    })
  })

  it('works for a server that somebody has closed already', async () => {
    await withKept({ keep }, async ({ connect, keeper, server }) => {
      const client = await connect()
      client.send('GET /')
      await expect.poll(() => keeper.stats().idle).toBe(1)
      await pause(20)
      server.close()
      const closing = keeper.close({ limit: 60_000 })
      expect(await outcome(closing)).toBe('pending')
      client.socket.destroy()
      expect(await closing).toEqual({ connections: 0, requests: 0 })
    })
    const never = keepAlive(http.createServer())
    expect(await never.close()).toEqual({ connections: 0, requests: 0 })
  })

  it('says close by documented means where Node is not as known', async () => {
    const clock = new ManualClock()
    const running: http.ServerResponse[] = []
    const handler: Handler = (_, response) => void running.push(response)
    await withKept({ handler, keep, tools: { clock, announcer: constant } }, async ({ connect, keeper }) => {
      const [client, other] = [await connect(), await connect()]
      client.send(get())
      await expect.poll(() => running.length).toBe(1)
      const closing = keeper.close()
      other.send(get())
      await expect.poll(() => running.length).toBe(2)
      for (const response of running) response.end('ok')
      for (const each of [client, other]) {
        await each.until(({ ended }) => ended)
        expect(responsesOf(each).map(hintOf)).toEqual(['close'])
      }
      await settle(clock)
      expect(await closing).toEqual({ connections: 0, requests: 0 })
    })
  })
})

describe('restore()', () => {
  it('leaves the server as it was, and requests under way and to come to Node', async () => {
    const running: http.ServerResponse[] = []
    const handler: Handler = ({ url }, response) => void (url === '/slow' ? running.push(response) : response.end('ok'))
    const settings = { keepAliveTimeout: 7_000, maxRequestsPerSocket: 5 }
    await withKept({ handler, ...settings, keep }, async ({ connect, keeper, server, connections }) => {
      const before = { ...settings }
      const client = await connect()
      client.send(get('/slow'))
      await expect.poll(() => running.length).toBe(1)
      keeper.restore()
      keeper.restore() // which has nothing left to do
      expect({ keepAliveTimeout: server.keepAliveTimeout, maxRequestsPerSocket: server.maxRequestsPerSocket }).toEqual(
        before,
      )
      expect(Object.hasOwn(server, 'emit')).toBe(false)
      running[0]?.end('ok')
      await client.until(({ received }) => received.endsWith('ok'))
      const { socket } = connections[0]!
      await expect.poll(() => socket.timeout).toBe(8_000) // Node's own timer, a second longer than it says
      await exchange(client, get())
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive timeout=60, max=8', 'keep-alive timeout=7, max=5'])
      await expect.poll(() => socket.timeout).toBe(8_000)
      expect(socket.listenerCount('error')).toBe(1)
      expect(keeper.stats()).toMatchObject({ active: 0, idle: 0, requests: 1 })
    })
  })

  it('still closes a connection that idles in the time that was promised, unless a request has come', async () => {
    const clock = new ManualClock()
    await withKept({ keep: { ...keep, timeout: 5_000, buffer: 0 }, tools: { clock } }, async ({ connect, keeper }) => {
      const [idle, used] = [await connect(), await connect()]
      await exchange(idle, get())
      await exchange(used, get())
      keeper.restore()
      await exchange(used, get())
      clock.advance(4_999)
      await settle(clock)
      expect(idle.ended).toBe(false)
      clock.advance(1)
      await settle(clock)
      expect([idle.ended, used.ended]).toEqual([true, false])
      expect(clock.timers).toBe(0)
    })
  })

  it('puts back what the server had of its own', async () => {
    await withKept({ keep }, async ({ keeper, server }) => {
      keeper.restore()
      const own = {
        emit: (...rest: Parameters<http.Server['emit']>) => http.Server.prototype.emit.apply(server, rest),
        closeIdleConnections: () => http.Server.prototype.closeIdleConnections.call(server),
      }
      Object.assign(server, own)
      const next = keepAlive(server)
      expect(server.emit).not.toBe(own.emit)
      await next.close({ grace: 0 })
      expect({ emit: server.emit, closeIdleConnections: server.closeIdleConnections }).toEqual(own)
      expect(Object.hasOwn(server, 'closeIdleConnections')).toBe(true)
    })
  })

  it('leaves an emit that somebody else has put over it, and passes everything on', async () => {
    await withKept({ keep }, async ({ connect, keeper, server }) => {
      const below = server.emit
      const seen: unknown[] = []
      const theirs = function (this: http.Server, ...args: Parameters<typeof below>) {
        seen.push(args[0])
        return Reflect.apply(below, this, args)
      }
      server.emit = theirs as typeof below
      keeper.restore()
      expect(server.emit).toBe(theirs)
      const client = await connect()
      await exchange(client, get())
      expect(seen).toEqual(expect.arrayContaining(['connection', 'request']))
      expect(keeper.stats()).toMatchObject({ accepted: 0, requests: 0 })
    })
  })

  it('takes connections that were there before the server was kept with their next request', async () => {
    await withKept({ keep }, async ({ connect, keeper, server }) => {
      keeper.restore()
      const client = await connect()
      await exchange(client, get())
      const next = keepAlive(server, { timeout: 9_000, max: 9 })
      await exchange(client, get())
      expect(responsesOf(client).map(hintOf)).toEqual(['keep-alive timeout=5', 'keep-alive timeout=9, max=8'])
      expect(next.stats()).toMatchObject({ accepted: 1, requests: 1, idle: 1 })
      next.restore()
    })
  })
})
