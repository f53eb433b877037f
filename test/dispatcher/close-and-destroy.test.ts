import { Client, errors } from 'undici'
import { describe, expect, it } from 'vitest'
import { ClosedError, type Pool } from '../../src/index.js'
import {
  books,
  catchingUncaught,
  get,
  legacyHandler,
  modernHandler,
  quietBooks,
  testPool,
  testServer,
  turns,
  until,
} from './support.js'

/** A server that answers only when it is told to. */
async function gated() {
  let open!: () => void
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const server = await testServer(async (_, response) => {
    await gate
    response.end('late')
  })
  return { ...server, open }
}

describe('a pool that closes', () => {
  it('finishes what runs and what waits, refuses what is new, closes what is idle', async () => {
    const { origin, open, openConnections } = await gated()
    const other = await testServer()
    const pool = testPool({ maxConnections: 1 })
    await get(pool, other.origin)
    const running = get(pool, origin)
    const waiting = get(pool, origin)
    await until(() => pool.stats().active === 1)
    expect(pool.dispatcher).toMatchObject({ closed: false, destroyed: false })

    let closed = false
    const closing = pool.close().then(() => (closed = true))
    expect(pool.dispatcher).toMatchObject({ closed: true, destroyed: false })
    expect(pool.stats()).toMatchObject({ idle: 0, active: 1, waiting: 1 })
    await expect(get(pool, origin)).rejects.toBeInstanceOf(ClosedError)
    await expect(get(pool, other.origin)).rejects.toMatchObject({
      code: 'ERR_KEEPWISE_CLOSED',
      cause: expect.any(errors.ClientClosedError),
    })
    await turns(10)
    expect(closed).toBe(false)

    open()
    expect(await Promise.all([running, waiting])).toEqual(['late', 'late'])
    await closing
    expect(pool.dispatcher).toMatchObject({ closed: true, destroyed: true })
    await until(() => openConnections() + other.openConnections() === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 2, requests: 3, closed: { 'pool-closed': 2 } }))
  })

  it('has the handler told, in both shapes', async () => {
    const pool = testPool()
    await pool.close()
    for (const { handler, told } of [legacyHandler(), modernHandler()]) {
      expect(pool.dispatcher.dispatch({ origin: 'http://127.0.0.1:9', path: '/', method: 'GET' }, handler)).toBe(false)
      await told.ended
      expect(told.error).toMatchObject({ code: 'ERR_KEEPWISE_CLOSED', name: 'ClosedError' })
      expect(told.calls).toHaveLength(1)
    }
    expect(pool.stats().pending).toBe(0)
  })

  it('waits for dials whose requests still want them', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const request = get(pool, origin)
    await pool.close()
    expect(await request).toBe('ok')
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { 'pool-closed': 1 } }))
  })

  it('gives up dials that nobody wants', async () => {
    const pool = testPool({ connect: { lookup: () => {} } })
    const { handler, told } = legacyHandler()
    pool.dispatcher.dispatch({ origin: 'http://slow.test', path: '/', method: 'GET' }, handler)
    await turns()
    told.abort(new Error('enough'))
    expect(pool.stats()).toMatchObject({ dialing: 1, waiting: 0 })
    await pool.close()
    expect(books(pool)).toEqual(quietBooks({}))
  })

  it('that has nothing to do is closed at once, and stays it', async () => {
    const pool = testPool()
    await pool.close()
    await pool.close()
    pool.destroy()
    expect(pool.dispatcher).toMatchObject({ closed: true, destroyed: true })
  })

  it('closes with `await using` as well', async () => {
    const { origin, openConnections } = await testServer()
    const pool = testPool()
    await get(pool, origin)
    await pool[Symbol.asyncDispose]()
    expect(pool.dispatcher).toMatchObject({ closed: true, destroyed: true })
    await until(() => openConnections() === 0)
  })

  it('refuses to warm', async () => {
    const pool = testPool()
    await pool.close()
    await expect(pool.warm('http://127.0.0.1:9')).rejects.toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
  })
})

describe('a pool that is destroyed', () => {
  it('fails what runs, waits and dials, and closes every connection', async () => {
    const { origin, openConnections } = await gated()
    const other = await testServer()
    const pool = testPool({ maxConnections: 1, connect: { lookup: () => {} } })
    await get(pool, other.origin)
    const failing = [get(pool, origin), get(pool, origin), get(pool, 'http://slow.test')]
    await until(() => pool.stats().active === 1 && pool.stats().dialing === 1)
    pool.destroy()
    const outcomes = await Promise.allSettled(failing)
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'ERR_KEEPWISE_CLOSED', cause: expect.any(errors.ClientDestroyedError) },
      })
    expect(pool.dispatcher).toMatchObject({ closed: true, destroyed: true })
    await until(() => openConnections() + other.openConnections() === 0)
    await until(() => pool.stats().dialing === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 2, requests: 2, closed: { 'pool-closed': 2 } }))
    await expect(get(pool, origin)).rejects.toMatchObject({
      code: 'ERR_KEEPWISE_CLOSED',
      cause: expect.any(errors.ClientDestroyedError),
    })
  })

  it('fails them with the error that was given', async () => {
    const { origin } = await gated()
    const pool = testPool({ maxConnections: 1 })
    const failing = [get(pool, origin), get(pool, origin)]
    await until(() => pool.stats().active === 1)
    const own = new Error('we are leaving')
    pool.destroy(own)
    for (const outcome of await Promise.allSettled(failing))
      expect(outcome).toEqual({ status: 'rejected', reason: own })
    expect(own.cause).toBeUndefined()
  })

  it('fails a response that is being read', async () => {
    const { origin } = await testServer((_, response) => void response.write('beginning'))
    const pool = testPool()
    const { body } = await pool.dispatcher.request({ origin, path: '/', method: 'GET' })
    pool.destroy()
    await expect(body.text()).rejects.toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { 'pool-closed': 1 } }))
  })

  it('fails a request that was given a connection and not written', async () => {
    const { origin, requestCount } = await testServer()
    const pool = testPool()
    await get(pool, origin)
    const { handler, told } = legacyHandler()
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    pool.destroy()
    await told.ended
    expect(told.error).toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
    await turns()
    expect(requestCount()).toBe(1)
    expect(pool.stats()).toMatchObject({ pending: 0, active: 0, idle: 0, waiting: 0, dialing: 0 })
  })

  it('while it closes, ends the closing', async () => {
    const { origin } = await gated()
    const pool = testPool()
    const failing = get(pool, origin)
    await until(() => pool.stats().active === 1)
    const closing = pool.close()
    pool.destroy()
    await expect(failing).rejects.toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
    await closing
  })

  it('from within a handler', async () => {
    const { origin } = await testServer()
    const pool = testPool({ maxConnections: 1 })
    const waiting = Array.from({ length: 3 }, () => legacyHandler())
    const { handler, told } = legacyHandler({
      onHeaders() {
        pool.destroy()
        return true
      },
    })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    for (const { handler } of waiting) pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await Promise.all([told, ...waiting.map(({ told }) => told)].map(({ ended }) => ended))
    expect([told, ...waiting.map(({ told }) => told)].map(({ error }) => error?.code)).toEqual(
      Array(4).fill('ERR_KEEPWISE_CLOSED'),
    )
    expect(pool.stats()).toMatchObject({ pending: 0, active: 0, idle: 0, waiting: 0, dialing: 0 })
  })
})

describe('the dispatcher', () => {
  it('closes the pool, with a promise or a callback', async () => {
    const { origin } = await testServer()
    for (const close of [
      (pool: Pool) => pool.dispatcher.close(),
      (pool: Pool) => new Promise<void>((resolve) => pool.dispatcher.close(() => resolve())),
    ]) {
      const pool = testPool()
      const request = get(pool, origin)
      await close(pool)
      expect(await request).toBe('ok')
      expect(pool.dispatcher).toMatchObject({ closed: true, destroyed: true })
    }
  })

  it.each<[string, (pool: Pool, error: Error) => Promise<unknown>]>([
    ['nothing', (pool) => pool.dispatcher.destroy()],
    ['an error', (pool, error) => pool.dispatcher.destroy(error)],
    ['null', (pool) => pool.dispatcher.destroy(null)],
    ['a callback', (pool) => new Promise<void>((resolve) => pool.dispatcher.destroy(() => resolve()))],
    [
      'an error and a callback',
      (pool, error) => new Promise<void>((resolve) => pool.dispatcher.destroy(error, () => resolve())),
    ],
  ])(
    'destroys the pool, given %s, and is done when all requests have failed and all sockets are closed',
    async (_, destroy) => {
      const { origin, openConnections } = await gated()
      const pool = testPool({ maxConnections: 2 })
      const handlers = Array.from({ length: 4 }, () => legacyHandler())
      for (const { handler } of handlers) pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
      await until(() => openConnections() === 2)
      const own = new Error('we are leaving')
      await destroy(pool, own)
      for (const { told } of handlers) {
        expect(told.error).toBeDefined()
        if (told.error !== own) expect(told.error).toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
      }
      expect(pool.stats()).toMatchObject({ pending: 0, active: 0, waiting: 0 })
    },
  )

  it.each(['close', 'destroy'] as const)('takes no other callback for %s than undici', async (method) => {
    const pool = testPool()
    const client = new Client('http://127.0.0.1:9')
    const outcome = (dispatcher: { close: unknown; destroy: unknown }): unknown => {
      const call = (dispatcher[method] as (...args: unknown[]) => unknown).bind(dispatcher)
      try {
        return method === 'close' ? call('callback') : call(null, 'callback')
      } catch (error) {
        const { name, message } = error as Error
        return { name, message }
      }
    }
    expect(outcome(client)).toEqual({ name: 'InvalidArgumentError', message: 'invalid callback' })
    expect(outcome(pool.dispatcher)).toEqual(outcome(client))
    await client.destroy()
  })

  it('can be closed and destroyed any number of times', async () => {
    const pool = testPool()
    const caught = await catchingUncaught(async () => {
      await Promise.all([pool.dispatcher.close(), pool.dispatcher.close(), pool.close()])
      await Promise.all([pool.dispatcher.destroy(), pool.dispatcher.destroy()])
    })
    expect(caught).toEqual([])
  })
})
