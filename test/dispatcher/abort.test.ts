import { Readable } from 'node:stream'
import { errors } from 'undici'
import { describe, expect, it } from 'vitest'
import type { Pool, PoolOptions } from '../../src/index.js'
import type { RunningServer } from '../support/servers/node.js'
import {
  books,
  get,
  legacyHandler,
  modernHandler,
  quietBooks,
  type Told,
  testPool,
  testServer,
  turns,
  until,
} from './support.js'

const reason = new Error('enough')

/** Dispatches a GET; what its handler is told. */
function dispatch(pool: Pool, origin: string, path = '/', newer = false): Told {
  const { handler, told } = newer ? modernHandler() : legacyHandler()
  pool.dispatcher.dispatch({ origin, path, method: 'GET' }, handler)
  return told
}

/** Answers at once, but for what is told to hang: `/silent` never answers, `/endless` never ends its answer. */
function service(): Promise<RunningServer> {
  return testServer((request, response) => {
    if (request.url === '/silent') return
    if (request.url === '/endless') response.write('beginning')
    else request.resume().on('end', () => response.end('ok'))
  })
}

/** A pool with one connection that has served one request and is idle. */
async function warmPool(origin: string, options?: PoolOptions): Promise<Pool> {
  const pool = testPool(options)
  await get(pool, origin)
  await until(() => pool.stats().idle === 1)
  return pool
}

/** The reason arrives as the error, once, and nothing after it. */
async function expectAborted(told: Told, error: unknown = reason): Promise<void> {
  await told.ended
  expect(told.error).toBe(error)
  const calls = told.calls.length
  await turns()
  expect(told.calls).toHaveLength(calls)
}

describe('an abort before the request is taken', () => {
  it('takes no connection, by a signal that has aborted already', async () => {
    const { origin, connections } = await service()
    const pool = testPool()
    const signal = AbortSignal.abort(reason)
    await expect(pool.dispatcher.request({ origin, path: '/', method: 'GET', signal })).rejects.toBe(reason)
    await turns()
    expect(connections).toHaveLength(0)
    expect(books(pool)).toEqual(quietBooks({}))
  })

  it.each([
    ['onConnect', () => legacyHandler({ onConnect: (abort) => abort(reason) })],
    ['onRequestStart', () => modernHandler({ onRequestStart: (controller) => controller.abort(reason) })],
  ])('takes no connection, from within %s', async (_, handlerOf) => {
    const { origin, connections } = await service()
    const pool = testPool()
    const { handler, told } = handlerOf()
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await expectAborted(told)
    expect(connections).toHaveLength(0)
    expect(books(pool)).toEqual(quietBooks({}))
  })

  it('leaves an idle connection idle', async () => {
    const { origin } = await service()
    const pool = await warmPool(origin)
    const { handler, told } = legacyHandler({ onConnect: (abort) => abort(reason) })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await expectAborted(told)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })
})

describe('an abort while it waits in line', () => {
  it('takes the request out of the line; the others are served in their order', async () => {
    const { origin, connections } = await service()
    const pool = testPool({ maxConnections: 1 })
    const endless = dispatch(pool, origin, '/endless')
    await until(() => endless.body !== '')
    const line = ['/a', '/b', '/c', '/d', '/e'].map((path) => dispatch(pool, origin, path))
    expect(books(pool)).toMatchObject({ active: 1, waiting: 5, pending: 6, opened: 1 })

    line[0]!.abort(reason)
    line[2]!.abort(reason)
    line[4]!.abort(reason)
    expect(books(pool)).toMatchObject({ active: 1, waiting: 2, pending: 3, dialing: 0, opened: 1 })
    for (const index of [0, 2, 4]) await expectAborted(line[index]!)

    endless.abort(reason)
    await Promise.all(line.map(({ ended }) => ended))
    await expectAborted(endless)
    expect(connections.flatMap(({ requests }) => requests.map(({ path }) => path))).toEqual(['/endless', '/b', '/d'])
    expect(line.filter(({ statusCode }) => statusCode === 200)).toHaveLength(2)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 2, requests: 3, closed: { aborted: 1 } }))
  })

  it('of all who wait, leaves nothing behind', async () => {
    const { origin } = await service()
    const pool = testPool({ maxConnections: 1 })
    const endless = dispatch(pool, origin, '/endless')
    await until(() => endless.body !== '')
    const line = Array.from({ length: 20 }, () => dispatch(pool, origin, '/', true))
    for (const told of line) told.abort(reason)
    await Promise.all(line.map((told) => expectAborted(told)))
    expect(books(pool)).toMatchObject({ active: 1, waiting: 0, pending: 1, opened: 1, requests: 1 })
    endless.abort(reason)
    await until(() => pool.stats().active === 0)
    await turns()
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
  })
})

describe('an abort while its connection is being opened', () => {
  /** A pool whose dials wait until `answer` is called. */
  function slowlyResolving(options?: PoolOptions): { pool: Pool; answer: () => void; asked: () => number } {
    const waiting: (() => void)[] = []
    let asked = 0
    const lookup = (_: string, { all }: { all?: boolean }, callback: (...result: unknown[]) => void): void => {
      asked++
      const address = '127.0.0.1'
      waiting.push(() => (all ? callback(null, [{ address, family: 4 }]) : callback(null, address, 4)))
    }
    const pool = testPool({ ...options, connect: { lookup: lookup as never } })
    return { pool, asked: () => asked, answer: () => waiting.splice(0).forEach((answer) => void answer()) }
  }

  it('fails at once; the connection is kept for the next request', async () => {
    const { port, connections } = await service()
    const { pool, answer, asked } = slowlyResolving()
    const origin = `http://slow.test:${port}`
    const told = dispatch(pool, origin)
    await until(() => asked() === 1)
    expect(books(pool)).toMatchObject({ dialing: 1, waiting: 1, pending: 1 })
    told.abort(reason)
    await expectAborted(told)
    expect(books(pool)).toEqual(quietBooks({ dialing: 1 }))
    answer()
    await until(() => pool.stats().idle === 1)
    expect(await get(pool, origin)).toBe('ok')
    expect(connections).toHaveLength(1)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('leaves the dial to another who waits', async () => {
    const { port, connections } = await service()
    const { pool, answer, asked } = slowlyResolving({ maxConnections: 1 })
    const origin = `http://slow.test:${port}`
    const first = dispatch(pool, origin)
    const second = dispatch(pool, origin)
    await until(() => asked() === 1)
    first.abort(reason)
    await expectAborted(first)
    answer()
    await second.ended
    expect(second.body).toBe('ok')
    expect(asked()).toBe(1)
    expect(connections).toHaveLength(1)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('drops dials that have not begun and that nobody wants any more', async () => {
    const { port } = await service()
    const slow = slowlyResolving()
    const limited = testPool({
      connect: {
        concurrency: 1,
        lookup: ((_: string, __: unknown, callback: (...result: unknown[]) => void) =>
          setTimeout(() => callback(null, [{ address: '127.0.0.1', family: 4 }]), 30)) as never,
      },
    })
    await slow.pool.close()
    const origin = `http://slow.test:${port}`
    const requests = Array.from({ length: 5 }, () => dispatch(limited, origin))
    await turns()
    expect(limited.stats().dialing).toBe(5)
    for (const told of requests) told.abort(reason)
    await Promise.all(requests.map((told) => expectAborted(told)))
    await until(() => limited.stats().dialing === 0)
    expect(books(limited)).toEqual(quietBooks({ idle: 1, opened: 1 }))
  })
})

describe('an abort after it was given a connection and before anything was written', () => {
  it.each([
    ['older', false],
    ['newer', true],
  ])('keeps the idle connection, with a handler of the %s shape', async (_, newer) => {
    const { origin, requestCount, connections } = await service()
    const pool = await warmPool(origin)
    const told = dispatch(pool, origin, '/never', newer)
    expect(books(pool)).toMatchObject({ active: 1, idle: 0, pending: 1 })
    told.abort(reason)
    await expectAborted(told)
    await until(() => pool.stats().idle === 1)
    expect(await get(pool, origin)).toBe('ok')
    expect(connections).toHaveLength(1)
    expect(requestCount()).toBe(2)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it('keeps it through a signal, with a body', async () => {
    const { origin, requestCount } = await service()
    const pool = await warmPool(origin)
    const controller = new AbortController()
    const { signal } = controller
    const sent = pool.dispatcher.request({ origin, path: '/never', method: 'POST', body: 'words', signal })
    controller.abort(reason)
    await expect(sent).rejects.toBe(reason)
    await until(() => pool.stats().active === 0)
    await get(pool, origin)
    expect(requestCount()).toBe(2)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it('keeps it through a signal, with a stream as the body, which is destroyed', async () => {
    const { origin, requestCount } = await service()
    const pool = await warmPool(origin)
    const controller = new AbortController()
    const { signal } = controller
    const body = Readable.from(['words'], { objectMode: false })
    const sent = pool.dispatcher.request({ origin, path: '/never', method: 'POST', body, signal })
    controller.abort(reason)
    await expect(sent).rejects.toBe(reason)
    await until(() => pool.stats().active === 0)
    await get(pool, origin)
    expect(body.destroyed).toBe(true)
    expect(requestCount()).toBe(2)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it('gives the connection to the next in line', async () => {
    const { origin, connections } = await service()
    const pool = await warmPool(origin, { maxConnections: 1 })
    const first = dispatch(pool, origin, '/never')
    const second = dispatch(pool, origin, '/second')
    const third = dispatch(pool, origin, '/third')
    expect(books(pool)).toMatchObject({ active: 1, waiting: 2 })
    first.abort(reason)
    await Promise.all([expectAborted(first), second.ended, third.ended])
    expect(connections.map(({ requests }) => requests.map(({ path }) => path))).toEqual([['/', '/second', '/third']])
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 3 }))
  })

  it('of many in a row, one after the other, ends with the one connection', async () => {
    const { origin, connections, requestCount } = await service()
    const pool = await warmPool(origin, { maxConnections: 1 })
    const dropped = Array.from({ length: 50 }, () => dispatch(pool, origin, '/never'))
    const last = dispatch(pool, origin, '/last')
    for (const told of dropped) told.abort(reason)
    await Promise.all(dropped.map((told) => expectAborted(told)))
    await last.ended
    expect(last.body).toBe('ok')
    expect(connections).toHaveLength(1)
    expect(requestCount()).toBe(2)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })
})

describe('an abort under way', () => {
  it.each([
    ['older', false],
    ['newer', true],
  ])('while it waits for headers: closes the connection, %s shape', async (_, newer) => {
    const { origin, openConnections } = await service()
    const pool = await warmPool(origin)
    const told = dispatch(pool, origin, '/silent', newer)
    await turns(10)
    told.abort(reason)
    await expectAborted(told)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 2, closed: { aborted: 1 } }))
    await until(() => openConnections() === 0)
    expect(await get(pool, origin)).toBe('ok')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 2, requests: 3, closed: { aborted: 1 } }))
  })

  it('while it sends its body: closes the connection, destroys the body', async () => {
    const { origin, openConnections } = await testServer(() => {})
    const pool = testPool()
    const body = new Readable({ read: () => {} })
    body.push('beginning')
    const controller = new AbortController()
    const { signal } = controller
    const sent = pool.dispatcher.request({ origin, path: '/', method: 'POST', body, signal })
    await until(() => pool.stats().active === 1 && body.readableFlowing === true)
    await turns()
    controller.abort(reason)
    await expect(sent).rejects.toBe(reason)
    await until(() => body.destroyed)
    await until(() => openConnections() === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
  })

  it('while it reads the body: closes the connection', async () => {
    const { origin, openConnections } = await service()
    const pool = testPool()
    const told = dispatch(pool, origin, '/endless')
    await until(() => told.body === 'beginning')
    told.abort(reason)
    await expectAborted(told)
    await until(() => openConnections() === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
  })

  it.each(['onHeaders', 'onData'] as const)('from within %s', async (method) => {
    const { origin } = await service()
    const pool = testPool()
    const { handler, told } = legacyHandler({
      [method]: () => {
        told.abort(reason)
        return true
      },
    })
    pool.dispatcher.dispatch({ origin, path: '/endless', method: 'GET' }, handler)
    await expectAborted(told)
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
    expect(await get(pool, origin)).toBe('ok')
  })

  it('by destroying the response body', async () => {
    const { origin } = await service()
    const pool = testPool()
    const { body } = await pool.dispatcher.request({ origin, path: '/endless', method: 'GET' })
    body.on('error', () => {}).destroy()
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
  })

  it('lets the next in line have a new connection', async () => {
    const { origin } = await service()
    const pool = testPool({ maxConnections: 1 })
    const first = dispatch(pool, origin, '/silent')
    await until(() => pool.stats().active === 1)
    await turns()
    const second = dispatch(pool, origin)
    first.abort(reason)
    await Promise.all([expectAborted(first), second.ended])
    expect(second.body).toBe('ok')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 2, requests: 2, closed: { aborted: 1 } }))
  })
})

describe('an abort after the response', () => {
  it('has no effect', async () => {
    const { origin } = await service()
    const pool = testPool()
    const told = dispatch(pool, origin)
    await told.ended
    told.abort(reason)
    await turns()
    expect(told.error).toBeUndefined()
    expect(told.calls.at(-1)).toBe('onComplete')
    expect(await get(pool, origin)).toBe('ok')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it('has no effect on the request that has its connection now', async () => {
    const { origin } = await service()
    const pool = testPool({ maxConnections: 1 })
    const first = dispatch(pool, origin)
    await first.ended
    const second = dispatch(pool, origin, '/endless')
    await until(() => second.body !== '')
    first.abort(reason)
    await turns()
    expect(second.error).toBeUndefined()
    expect(pool.stats()).toMatchObject({ active: 1, pending: 1 })
  })

  it.each([
    ['onComplete', () => legacyHandler],
    ['onResponseEnd', () => modernHandler],
  ] as const)('from within %s, has no effect', async (method, handlerOf) => {
    const { origin } = await service()
    const pool = testPool()
    const { handler, told } = handlerOf()({ [method]: () => told.abort(reason) })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await told.ended
    await turns()
    expect(told.error).toBeUndefined()
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })
})

describe('an abort', () => {
  it('twice is once', async () => {
    const { origin } = await service()
    const pool = testPool()
    const told = dispatch(pool, origin, '/silent')
    await until(() => pool.stats().active === 1)
    told.abort(reason)
    told.abort(new Error('another reason'))
    await expectAborted(told)
    expect(told.calls.filter((call) => call === 'onError')).toHaveLength(1)
  })

  it.each(['/silent', '/'])('without a reason has one of its own, as in undici (%s)', async (path) => {
    const { origin } = await service()
    const pool = path === '/' ? await warmPool(origin) : testPool()
    const told = dispatch(pool, origin, path)
    if (path === '/silent') {
      await until(() => pool.stats().active === 1)
      await turns()
    }
    told.abort()
    await told.ended
    expect(told.error).toBeInstanceOf(errors.RequestAbortedError)
    expect(told.error?.code).toBe('UND_ERR_ABORTED')
  })

  it.each(['/silent', '/endless'])('gives the reason back as it was: it is the caller’s own (%s)', async (path) => {
    const { origin } = await service()
    const pool = testPool()
    const own = Object.freeze(new Error('frozen'))
    const told = dispatch(pool, origin, path)
    await until(() => pool.stats().active === 1 && (path === '/silent' || told.body !== ''))
    await turns()
    told.abort(own)
    await expectAborted(told, own)

    const controller = new AbortController()
    const { signal } = controller
    const answer = pool.dispatcher.request({ origin, path, method: 'GET', signal }).then(({ body }) => body.text())
    await until(() => pool.stats().active === 1)
    await turns(10)
    controller.abort()
    await expect(answer).rejects.toBe(signal.reason)
    expect((signal.reason as Error).cause).toBeUndefined()
  })
})
