import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { testCertificates } from '../support/tls.js'
import { books, get, quietBooks, testPool, testServer, until } from './support.js'

describe('warm()', () => {
  it('opens one connection, or as many as it is asked for, and says how many are open', async () => {
    const server = await testServer()
    const pool = testPool()
    expect(await pool.warm(server.origin)).toBe(1)
    expect(await pool.warm(new URL(server.origin), 4)).toBe(4)
    expect(await pool.warm(server.origin, 2)).toBe(4)
    await until(() => server.connections.length === 4)
    expect(server.requestCount()).toBe(0)
    expect(books(pool)).toEqual(quietBooks({ idle: 4, opened: 4 }))
  })

  it.each([false, true])('spares the first requests the opening (tls: %s)', async (tls) => {
    const server = await testServer({ tls })
    const pool = testPool({ connect: { ca: tls ? testCertificates().ca : undefined } })
    await pool.warm(server.origin, 3)
    await sleep(20)
    await Promise.all([get(pool, server.origin), get(pool, server.origin), get(pool, server.origin)])
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([1, 1, 1])
    expect(books(pool)).toEqual(quietBooks({ idle: 3, opened: 3, requests: 3 }))
    expect(pool.stats()).toMatchObject({ reused: 3, waits: 0 })
  })

  it('opens no more than maxConnections, nor than maxTotalConnections', async () => {
    const server = await testServer()
    expect(await testPool({ maxConnections: 2 }).warm(server.origin, 5)).toBe(2)
    const other = await testServer()
    const pool = testPool({ maxTotalConnections: 3 })
    expect(await pool.warm(server.origin, 2)).toBe(2)
    expect(await pool.warm(other.origin, 2)).toBe(1)
    expect(books(pool)).toEqual(quietBooks({ idle: 3, opened: 3 }))
  })

  it('lets requests that come meanwhile have what it opens', async () => {
    const server = await testServer()
    const pool = testPool()
    const [open, body] = await Promise.all([pool.warm(server.origin), get(pool, server.origin)])
    expect([open, body]).toEqual([1, 'ok'])
    expect(server.connections).toHaveLength(1)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('rejects with the error of the connection that failed', async () => {
    const { origin, close } = await testServer()
    await close()
    const pool = testPool()
    await expect(pool.warm(origin, 2)).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      cause: { code: 'ERR_KEEPWISE_CONNECT' },
    })
    await until(() => pool.stats().dialing === 0)
    expect(books(pool)).toEqual(quietBooks({}))
  })

  it.each([0, -1, 1.5, Number.NaN, '2', null])('refuses %s connections, before it opens any', async (count) => {
    const { origin, connections } = await testServer()
    await expect(testPool().warm(origin, count as never)).rejects.toMatchObject({
      code: 'ERR_KEEPWISE_OPTION',
      option: 'connections',
    })
    expect(connections).toHaveLength(0)
  })

  it.each(['nonsense', 'ftp://there.test'])('refuses %s as an origin', async (origin) => {
    await expect(testPool().warm(origin)).rejects.toBeInstanceOf(TypeError)
  })
})

it('a warmed connection that the server closes leaves the pool, and nobody notices', async () => {
  const { origin, connections } = await testServer()
  const pool = testPool()
  await pool.warm(origin)
  await until(() => connections.length === 1)
  connections[0]!.socket.destroy()
  await until(() => pool.stats().idle === 0)
  expect(books(pool)).toEqual(quietBooks({ opened: 1, closed: { 'server-fin': 1 } }))
  expect(await get(pool, origin)).toBe('ok')
})

it('a warmed connection is kept for keepAliveTimeout', async () => {
  const { origin } = await testServer()
  const pool = testPool({ keepAliveTimeout: 60 })
  await pool.warm(origin)
  expect(pool.stats().idle).toBe(1)
  await until(() => pool.stats().idle === 0)
  expect(books(pool)).toEqual(quietBooks({ opened: 1, closed: { 'idle-timeout': 1 } }))
})
