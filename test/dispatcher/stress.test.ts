import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Pool, PoolOptions } from '../../src/index.js'
import type { RunningServer } from '../support/servers/node.js'
import { legacyHandler, modernHandler, type Told, testPool, testServer, until } from './support.js'

/** Mulberry32: numbers from 0 to 1 that a seed decides. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A server that does what the path says, at a time that the path says: `/close/7`. */
function moody(): Promise<RunningServer> {
  return testServer({
    keepAliveTimeout: 1000,
    handler(request, response) {
      const [, what, delay] = request.url!.split('/')
      request.on('error', () => {}).resume()
      setTimeout(() => {
        switch (what) {
          case 'close':
            request.socket.destroy()
            break
          case 'reset':
            request.socket.resetAndDestroy()
            break
          case 'last':
            response.setHeader('connection', 'close').end('last')
            break
          case 'cut':
            response.writeHead(200, { 'content-length': 100 })
            response.write('cut')
            setTimeout(() => request.socket.destroy(), 2)
            break
          case 'large':
            response.end(Buffer.alloc(200_000, 'x'))
            break
          default:
            response.end('fine')
        }
      }, Number(delay))
    },
  })
}

const moods = ['fine', 'fine', 'fine', 'fine', 'last', 'large', 'close', 'reset', 'cut']

function bodyOf(random: () => number): unknown {
  const kind = random()
  if (kind < 0.5) return undefined
  if (kind < 0.7) return 'some text'
  if (kind < 0.9) return Readable.from(['in ', 'pieces'], { objectMode: false })
  return Readable.from(
    (async function* () {
      yield 'some'
      throw new Error('the body failed')
    })(),
    { objectMode: false },
  ).on('error', () => {})
}

function dispatchAny(pool: Pool, origins: string[], random: () => number): Told {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const { handler, told } = random() < 0.5 ? legacyHandler() : modernHandler()
  const body = bodyOf(random)
  const options = {
    origin: pick(origins),
    path: `/${pick(moods)}/${Math.floor(random() * 5)}`,
    method: body === undefined ? pick(['GET', 'HEAD', 'DELETE']) : 'POST',
    body,
    headers: random() < 0.05 ? { 'x y': 'invalid' } : {},
  }
  pool.dispatcher.dispatch(options as never, handler)
  if (random() < 0.3) {
    const abort = (): void => told.abort(new Error('aborted'))
    const when = random()
    if (told.error !== undefined) return told
    if (when < 0.3) abort()
    else if (when < 0.6) setImmediate(abort)
    else setTimeout(abort, random() * 10)
  }
  return told
}

const settings: [string, PoolOptions][] = [
  ['few connections', { maxConnections: 3 }],
  ['few connections in all, fifo', { maxTotalConnections: 4, scheduling: 'fifo' }],
  ['few requests on each', { maxConnections: 5, maxRequests: 3, maxIdleConnections: 1 }],
  ['short times', { maxConnections: 4, acquireTimeout: 30, keepAliveTimeout: 20, maxLifetime: 50, maxWaiting: 20 }],
]

describe('400 requests that go wrong in every way', () => {
  it.each(settings)('each end once, and the books balance (%s)', async (name, options) => {
    const seed = Number(process.env.KEEPWISE_SEED ?? Date.now() % 1_000_000)
    const random = randomFrom(seed)
    const servers = await Promise.all([moody(), moody()])
    const origins = servers.map(({ origin }) => origin)
    const pool = testPool(options)
    const limit = Math.min(
      (options.maxConnections ?? Infinity) * origins.length,
      options.maxTotalConnections ?? Infinity,
    )
    const all: Told[] = []
    const context = `${name}, KEEPWISE_SEED=${seed}`
    for (let burst = 0; burst < 40; burst++) {
      for (let n = 0; n < 10; n++) all.push(dispatchAny(pool, origins, random))
      const { active, idle, dialing } = pool.stats()
      expect(active + idle + dialing, context).toBeLessThanOrEqual(limit)
      await sleep(random() * 12)
    }
    await until(() => pool.stats().pending === 0, 8000)
    await until(() => pool.stats().active + pool.stats().dialing === 0)

    const endings = all.map(({ calls }) => calls.filter((call) => /onComplete|onResponseEnd|Error/.test(call)).length)
    expect(
      endings.filter((count) => count !== 1),
      context,
    ).toEqual([])
    const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b, 0)
    const { opened, closed, idle, waiting, origins: each } = pool.stats()
    expect(waiting, context).toBe(0)
    expect(opened - sum(closed), context).toBe(idle)
    for (const origin of Object.values(each)) expect(origin.opened - sum(origin.closed), context).toBe(origin.idle)
    // Nothing is open that the pool does not know of.
    await until(() => servers.reduce((open, server) => open + server.openConnections(), 0) === pool.stats().idle)
    await pool.close()
    await until(() => servers.every((server) => server.openConnections() === 0))
  })
})
