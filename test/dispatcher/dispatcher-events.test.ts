import { once } from 'node:events'
import { Agent, Dispatcher } from 'undici'
import { describe, expect, it } from 'vitest'
import { close, request, respond, wait } from '../support/servers/script-steps.js'
import { get, legacyHandler, testPool, testScripted, testServer, turns, until } from './support.js'

it('is a Dispatcher of undici', () => {
  expect(testPool().dispatcher).toBeInstanceOf(Dispatcher)
})

describe('what dispatch returns', () => {
  it('is true while connections can be opened, false when the line is longer than what is being opened', async () => {
    const { origin } = await testServer()
    const pool = testPool({ maxConnections: 2 })
    const handlers = Array.from({ length: 4 }, () => legacyHandler())
    const returned = handlers.map(({ handler }) =>
      pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler),
    )
    expect(returned).toEqual([true, true, false, false])
    await Promise.all(handlers.map(({ told }) => told.ended))
    await turns()
    const { handler, told } = legacyHandler()
    expect(pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)).toBe(true)
    await told.ended
  })
})

describe("'drain'", () => {
  it('comes when nobody waits any more, with the origin', async () => {
    const { origin } = await testServer()
    const pool = testPool({ maxConnections: 1 })
    const drained = once(pool.dispatcher, 'drain')
    const handlers = Array.from({ length: 5 }, () => legacyHandler())
    const returned = handlers.map(({ handler }) =>
      pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler),
    )
    expect(returned.at(-1)).toBe(false)
    const [url] = await drained
    expect(url).toBeInstanceOf(URL)
    expect((url as URL).origin).toBe(origin)
    expect(pool.stats().waiting).toBe(0)
    await Promise.all(handlers.map(({ told }) => told.ended))
  })

  it('comes when those who waited gave up, and when they were refused', async () => {
    const { origin } = await testServer(() => {})
    const pool = testPool({ maxConnections: 1, acquireTimeout: 60 })
    const hanging = legacyHandler()
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, hanging.handler)
    await until(() => pool.stats().active === 1)
    for (const giveUp of [true, false]) {
      const drained = once(pool.dispatcher, 'drain')
      const { handler, told } = legacyHandler()
      expect(pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)).toBe(false)
      if (giveUp) told.abort(new Error('enough'))
      await Promise.all([drained, told.ended])
      expect(told.error).toMatchObject(giveUp ? { message: 'enough' } : { code: 'ERR_KEEPWISE_ACQUIRE_TIMEOUT' })
    }
  })

  it('comes once for each time somebody was told to hold back, and not otherwise', async () => {
    const { origin } = await testServer()
    const pool = testPool({ maxConnections: 1 })
    let drains = 0
    pool.dispatcher.on('drain', () => void drains++)
    await get(pool, origin)
    await get(pool, origin)
    await turns()
    expect(drains).toBe(0)
    await Promise.all([get(pool, origin), get(pool, origin), get(pool, origin)])
    await turns()
    expect(drains).toBe(1)
  })

  it('lets a producer that obeys it keep the line at one', async () => {
    const { origin } = await testServer()
    const pool = testPool({ maxConnections: 2 })
    let longest = 0
    const ended: Promise<void>[] = []
    for (let n = 0; n < 40; n++) {
      const { handler, told } = legacyHandler()
      ended.push(told.ended)
      const goOn = pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
      longest = Math.max(longest, pool.stats().waiting - pool.stats().dialing)
      if (!goOn) await once(pool.dispatcher, 'drain')
    }
    await Promise.all(ended)
    expect(longest).toBe(1)
    expect(pool.stats()).toMatchObject({ opened: 2, requests: 40, pending: 0 })
  })

  it('may be answered with a request from within the event', async () => {
    const { origin } = await testServer()
    const pool = testPool({ maxConnections: 1 })
    const again = legacyHandler()
    pool.dispatcher.once('drain', () => {
      pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, again.handler)
    })
    await Promise.all([get(pool, origin), get(pool, origin), again.told.ended])
    expect(again.told.body).toBe('ok')
    expect(pool.stats()).toMatchObject({ opened: 1, requests: 3, pending: 0 })
  })
})

describe("'connect', 'disconnect' and 'connectionError'", () => {
  /** Names of the events that a dispatcher emits, with what they carry, as one compares it. */
  function eventsOf(dispatcher: Dispatcher): unknown[] {
    const seen: unknown[] = []
    dispatcher.on('connect', (origin, targets) => void seen.push(['connect', origin.origin, targets[0] === dispatcher]))
    dispatcher.on('disconnect', (origin, targets, error) => {
      seen.push(['disconnect', origin.origin, targets[0] === dispatcher, error instanceof Error])
    })
    dispatcher.on('connectionError', (origin, targets, error) => {
      seen.push(['connectionError', origin.origin, targets[0] === dispatcher, error.code])
    })
    return seen
  }

  it('come as from undici’s agent: a connection that the server closes', async () => {
    const { origin } = await testScripted([request(), respond(), wait(20), close()])
    const pool = testPool()
    const agent = new Agent()
    const seen: unknown[][] = []
    for (const dispatcher of [pool.dispatcher, agent]) {
      const events = eventsOf(dispatcher)
      const { body } = await dispatcher.request({ origin, path: '/', method: 'GET' })
      await body.dump()
      await until(() => events.length === 2)
      seen.push(events)
    }
    await agent.close()
    expect(seen[0]).toEqual([
      ['connect', origin, true],
      ['disconnect', origin, true, true],
    ])
    expect(seen[0]).toEqual(seen[1])
  })

  it('come as from undici’s agent: a refused connection', async () => {
    const { origin, close } = await testServer()
    await close()
    const pool = testPool()
    const agent = new Agent()
    const seen: unknown[][] = []
    for (const dispatcher of [pool.dispatcher, agent]) {
      const events = eventsOf(dispatcher)
      await expect(dispatcher.request({ origin, path: '/', method: 'GET' })).rejects.toMatchObject({
        code: 'ECONNREFUSED',
      })
      seen.push(events)
    }
    await agent.close()
    expect(seen[0]).toEqual([['connectionError', origin, true, 'ECONNREFUSED']])
    expect(seen[0]).toEqual(seen[1])
  })

  it('come when the pool closes a connection itself', async () => {
    const { origin } = await testServer()
    const pool = testPool({ keepAliveTimeout: 0, keepAliveMaxTimeout: 1 })
    const events = eventsOf(pool.dispatcher)
    await get(pool, origin)
    await until(() => events.length === 2)
    expect(events).toEqual([
      ['connect', origin, true],
      ['disconnect', origin, true, true],
    ])
  })
})
