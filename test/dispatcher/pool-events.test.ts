import { describe, expect, it } from 'vitest'
import type { Pool, PoolEvent } from '../../src/index.js'
import { books, get, legacyHandler, quietBooks, testPool, testServer, turns, until } from './support.js'

const names: PoolEvent[] = ['open', 'idle', 'close', 'wait']

interface Heard {
  name: PoolEvent
  payload: Record<string, unknown> & { connection: Record<string, unknown> }
}

/** Everything that a pool emits, in order. */
function listenTo(pool: Pool): Heard[] {
  const heard: Heard[] = []
  for (const name of names) pool.on(name, (payload: unknown) => void heard.push({ name, payload: payload as never }))
  return heard
}

describe('events', () => {
  it('tell the life of a connection', async () => {
    const { origin, port, connections } = await testServer({ keepAliveTimeout: 7000 })
    const pool = testPool()
    const heard = listenTo(pool)
    await get(pool, origin)
    await get(pool, origin)
    await pool.close()
    expect(heard.map(({ name }) => name)).toEqual(['wait', 'open', 'idle', 'idle', 'close'])
    const [waited, opened, first, second, closed] = heard.map(({ payload }) => payload)
    expect(waited).toEqual({ origin, waiting: 1 })
    const identity = {
      id: 1,
      origin,
      localPort: connections[0]!.clientPort,
      remoteAddress: '127.0.0.1',
      remotePort: port,
    }
    expect(opened).toEqual({
      connection: expect.objectContaining({ ...identity, requests: 0, idle: 0 }),
      dial: 1,
      dialTime: expect.any(Number),
    })
    expect(opened!.connection.advertisedTimeout).toBeUndefined()
    expect(first).toEqual({
      connection: expect.objectContaining({ ...identity, requests: 1, idle: 0, advertisedTimeout: 7000 }),
    })
    expect(second).toEqual({ connection: expect.objectContaining({ ...identity, requests: 2, idle: 0 }) })
    expect(closed).toEqual({ connection: expect.objectContaining({ ...identity, requests: 2 }), reason: 'pool-closed' })
    expect(closed!.connection.age).toBeGreaterThan(0)
  })

  it('name what broke a connection', async () => {
    const { origin } = await testServer((request) => void request.socket.resetAndDestroy())
    const pool = testPool()
    const heard = listenTo(pool)
    await expect(get(pool, origin)).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(heard.map(({ name }) => name)).toEqual(['wait', 'open', 'close'])
    expect(heard[2]!.payload).toEqual({
      connection: expect.objectContaining({ id: 1, requests: 1, idle: 0 }),
      reason: 'reset',
      error: expect.objectContaining({ code: 'ECONNRESET' }),
    })
  })

  it('count those who wait', async () => {
    const { origin } = await testServer()
    const pool = testPool({ maxConnections: 1 })
    const heard = listenTo(pool)
    await Promise.all([get(pool, origin), get(pool, origin), get(pool, origin)])
    const waits = heard.filter(({ name }) => name === 'wait').map(({ payload }) => payload)
    expect(waits).toEqual([1, 2, 3].map((waiting) => ({ origin, waiting })))
    await get(pool, origin)
    expect(heard.filter(({ name }) => name === 'wait')).toHaveLength(3)
  })

  it('carry a snapshot, which does not change afterwards', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const heard = listenTo(pool)
    await get(pool, origin)
    const before = structuredClone(heard[1]!.payload)
    await get(pool, origin)
    expect(heard[1]!.payload).toEqual(before)
  })

  it('of a request that is handed a used connection in line say nothing of idling', async () => {
    const { origin } = await testServer()
    const pool = testPool({ maxConnections: 1 })
    const heard = listenTo(pool)
    await Promise.all([get(pool, origin), get(pool, origin)])
    await until(() => pool.stats().idle === 1)
    expect(heard.map(({ name }) => name)).toEqual(['wait', 'wait', 'open', 'idle'])
  })
})

describe('listeners', () => {
  it('are taken off again', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    let calls = 0
    const listener = (): void => void calls++
    pool.on('idle', listener)
    await get(pool, origin)
    pool.off('idle', listener)
    await get(pool, origin)
    expect(calls).toBe(1)
  })

  it('once are called once, and can be taken off before', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    let calls = 0
    const listener = (): void => void calls++
    const never = (): void => void (calls += 100)
    expect(pool.once('idle', listener)).toBe(pool)
    pool.once('idle', never).off('idle', never)
    await get(pool, origin)
    await get(pool, origin)
    expect(calls).toBe(1)
  })

  it('that throw harm neither the pool nor the others, and are warned about', async () => {
    const { origin } = await testServer()
    const pool = testPool({ maxConnections: 1 })
    const warnings: (Error & { code?: string })[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    try {
      const others: string[] = []
      for (const name of names) {
        pool.on(name, () => {
          throw new Error(`thrown over ${name}`)
        })
        pool.on(name, () => void others.push(name))
      }
      expect(await Promise.all([get(pool, origin), get(pool, origin)])).toEqual(['ok', 'ok'])
      await pool.close()
      expect(others).toEqual(['wait', 'wait', 'open', 'idle', 'close'])
      expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 2, closed: { 'pool-closed': 1 } }))
      await turns()
      const ours = warnings.filter(({ code }) => code === 'KEEPWISE_LISTENER')
      expect(ours).toHaveLength(5)
      expect(ours[0]!.message).toContain('thrown over wait')
    } finally {
      process.off('warning', note)
    }
  })

  it.each(names)('may destroy the pool over %s', async (name) => {
    const { origin } = await testServer()
    const pool = testPool({ maxConnections: 1, ...(name === 'close' && { maxRequests: 2 }) })
    pool.on(name, () => pool.destroy())
    const handlers = Array.from({ length: 3 }, () => legacyHandler())
    for (const { handler } of handlers) pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await Promise.all(handlers.map(({ told }) => told.ended))
    for (const { told } of handlers) if (told.error) expect(told.error).toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
    await until(() => pool.stats().dialing === 0)
    const { closed, opened, ...rest } = books(pool)
    expect(rest).toMatchObject({ active: 0, idle: 0, dialing: 0, waiting: 0, pending: 0 })
    expect(Object.values(closed).reduce((sum, count) => sum + count, 0)).toBe(opened)
  })

  it.each(names)('may send a request over %s', async (name) => {
    const { origin } = await testServer()
    const pool = testPool({ maxConnections: 1, ...(name === 'close' && { maxRequests: 2 }) })
    const { handler, told } = legacyHandler()
    pool.once(name, () => void pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler))
    const bodies = await Promise.all([get(pool, origin), get(pool, origin)])
    expect(bodies).toEqual(['ok', 'ok'])
    await told.ended
    expect(told.body).toBe('ok')
    expect(books(pool)).toMatchObject({
      active: 0,
      waiting: 0,
      pending: 0,
      requests: 3,
      opened: name === 'close' ? 2 : 1,
    })
  })
})
