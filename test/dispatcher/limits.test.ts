import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { books, get, legacyHandler, modernHandler, quietBooks, testPool, testServer, turns, until } from './support.js'

describe('connections', () => {
  it('are at most maxConnections: 2 for 50 requests at once', async () => {
    let running = 0
    let most = 0
    const server = await testServer(async (_, response) => {
      most = Math.max(most, ++running)
      await sleep(2)
      running--
      response.end('ok')
    })
    const pool = testPool({ maxConnections: 2 })
    const bodies = await Promise.all(Array.from({ length: 50 }, () => get(pool, server.origin)))
    expect(bodies).toEqual(Array(50).fill('ok'))
    expect(server.connections).toHaveLength(2)
    expect(most).toBe(2)
    expect(books(pool)).toEqual(quietBooks({ idle: 2, opened: 2, requests: 50 }))
    expect(pool.stats()).toMatchObject({ reused: 48, waits: 50 })
  })

  it('are as many as there are requests at once, where the limit allows', async () => {
    const server = await testServer()
    const pool = testPool()
    await Promise.all(Array.from({ length: 20 }, () => get(pool, server.origin)))
    expect(server.connections).toHaveLength(20)
    await Promise.all(Array.from({ length: 20 }, () => get(pool, server.origin)))
    expect(server.connections).toHaveLength(20)
    expect(books(pool)).toEqual(quietBooks({ idle: 20, opened: 20, requests: 40 }))
  })

  it('of a pool are at most maxTotalConnections, and an idle one makes room', async () => {
    const servers = [await testServer(), await testServer(), await testServer()]
    const pool = testPool({ maxTotalConnections: 2 })
    for (let round = 0; round < 2; round++) for (const { origin } of servers) await get(pool, origin)
    expect(books(pool)).toEqual(quietBooks({ idle: 2, opened: 6, requests: 6, closed: { surplus: 4 } }))
    const all = await Promise.all(servers.flatMap(({ origin }) => Array.from({ length: 10 }, () => get(pool, origin))))
    expect(all).toEqual(Array(30).fill('ok'))
    expect(pool.stats().active + pool.stats().idle).toBeLessThanOrEqual(2)
    expect(pool.stats().pending).toBe(0)
  })
})

describe('twenty requests one after the other use one connection', () => {
  it('awaited', async () => {
    const server = await testServer()
    const pool = testPool()
    for (let n = 0; n < 20; n++) await get(pool, server.origin)
    expect(server.connections).toHaveLength(1)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 20 }))
  })

  it.each([
    ['onComplete', legacyHandler],
    ['onResponseEnd', modernHandler],
  ] as const)('each from within %s of the one before', async (method, handlerOf) => {
    const server = await testServer()
    const pool = testPool()
    const statuses: (number | undefined)[] = []
    await new Promise<void>((resolve) => {
      const next = (): void => {
        const { handler, told } = handlerOf({
          [method]: () => {
            statuses.push(told.statusCode)
            if (statuses.length === 20) resolve()
            else next()
          },
        })
        pool.dispatcher.dispatch({ origin: server.origin, path: '/', method: 'GET' }, handler)
      }
      next()
    })
    await turns()
    expect(statuses).toEqual(Array(20).fill(200))
    expect(server.connections).toHaveLength(1)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 20 }))
  })

  it('with POST, HEAD and streams in between', async () => {
    const server = await testServer((request, response) => {
      request.resume().on('end', () => response.end('ok'))
    })
    const pool = testPool()
    async function* words(): AsyncGenerator<string> {
      yield 'streamed'
    }
    for (let n = 0; n < 5; n++) {
      for (const options of [
        { method: 'POST', body: 'text' },
        { method: 'HEAD' },
        { method: 'PUT', body: words() as never },
        { method: 'GET' },
      ] as const) {
        const { body } = await pool.dispatcher.request({ origin: server.origin, path: '/', ...options })
        await body.dump()
      }
    }
    expect(server.connections).toHaveLength(1)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 20 }))
  })

  it('with pauses in between', async () => {
    const server = await testServer()
    const pool = testPool()
    for (let n = 0; n < 20; n++) {
      await get(pool, server.origin)
      await sleep(5)
    }
    expect(server.connections).toHaveLength(1)
  })
})

describe('a connection', () => {
  it('serves at most maxRequests, and the last one says so', async () => {
    const lasts: (string | undefined)[] = []
    const server = await testServer((request, response) => {
      lasts.push(request.headers.connection)
      response.end('ok')
    })
    const pool = testPool({ maxRequests: 3 })
    for (let n = 0; n < 7; n++) await get(pool, server.origin)
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([3, 3, 1])
    expect(lasts).toEqual(['keep-alive', 'keep-alive', 'close', 'keep-alive', 'keep-alive', 'close', 'keep-alive'])
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 3, requests: 7, closed: { 'max-requests': 2 } }))
  })

  it('of a server that names a max is used that often and no more', async () => {
    const server = await testServer({ maxRequestsPerSocket: 4 })
    const pool = testPool()
    for (let n = 0; n < 9; n++) expect(await get(pool, server.origin)).toBe('ok')
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([4, 4, 1])
    expect(pool.stats().dialFailures).toBe(0)
    expect(books(pool)).toMatchObject({ idle: 1, opened: 3, requests: 9 })
  })

  it('is closed when it has idled for keepAliveTimeout', async () => {
    const { origin } = await testServer({ keepAliveTimeout: 0 })
    const pool = testPool({ keepAliveTimeout: 60 })
    await get(pool, origin)
    expect(pool.stats().idle).toBe(1)
    await until(() => pool.stats().idle === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { 'idle-timeout': 1 } }))
  })

  it('is closed when it has idled for what the server advertised, less the margin', async () => {
    const { origin } = await testServer({ keepAliveTimeout: 1000 })
    const pool = testPool({ keepAliveMargin: 900 })
    const before = performance.now()
    await get(pool, origin)
    await until(() => pool.stats().idle === 0)
    expect(performance.now() - before).toBeGreaterThanOrEqual(100)
    expect(performance.now() - before).toBeLessThan(600)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { 'advertised-timeout': 1 } }))
  })
})

it('requests that wait longer than acquireTimeout, or are too many, fail and say how things stood', async () => {
  const { origin } = await testServer(() => {})
  const pool = testPool({ maxConnections: 1, maxWaiting: 1, acquireTimeout: 50 })
  const hanging = legacyHandler()
  pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, hanging.handler)
  await until(() => pool.stats().active === 1)
  const waiting = get(pool, origin)
  await expect(get(pool, origin)).rejects.toMatchObject({
    code: 'ERR_KEEPWISE_QUEUE_FULL',
    state: { origin, active: 1, idle: 0, dialing: 0, waiting: 1, maxConnections: 1 },
  })
  await expect(waiting).rejects.toMatchObject({
    code: 'ERR_KEEPWISE_ACQUIRE_TIMEOUT',
    state: { origin, active: 1, waiting: 1 },
  })
  expect(books(pool)).toMatchObject({ active: 1, waiting: 0, pending: 1, opened: 1, requests: 1 })
})
