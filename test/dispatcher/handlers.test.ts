import type { Duplex } from 'node:stream'
import { Client, type Dispatcher } from 'undici'
import { describe, expect, it } from 'vitest'
import { interim, request, respond } from '../support/servers/script-steps.js'
import {
  books,
  catchingUncaught,
  get,
  legacyHandler,
  modernHandler,
  quietBooks,
  type Told,
  testPool,
  testScripted,
  testServer,
  turns,
  until,
} from './support.js'

/** A request with everything that handlers are told of: a body, an interim response, a body, trailers. */
const everything = [
  request(),
  interim(103, 'Early Hints', { link: '</style.css>' }),
  respond({ framing: 'chunked', body: 'hello', trailers: { 'x-sum': '5' } }),
]

const post = { path: '/', method: 'POST', body: 'sent' } as const

describe('a handler of the older shape', () => {
  it('is told everything, in order', async () => {
    const { origin } = await testScripted(everything)
    const pool = testPool()
    const { handler, told } = legacyHandler()
    expect(pool.dispatcher.dispatch({ origin, ...post }, handler)).toBe(true)
    expect(told.calls).toEqual(['onConnect'])
    await told.ended
    expect(told.calls).toEqual([
      'onConnect',
      'onBodySent',
      'onRequestSent',
      'onResponseStarted',
      'onHeaders 103',
      'onResponseStarted',
      'onHeaders 200',
      'onData',
      'onComplete',
    ])
    expect(told.body).toBe('hello')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('gets raw headers, the status text, a resume function and raw trailers', async () => {
    const { origin } = await testScripted([
      respond({
        status: 201,
        reason: 'Made It',
        framing: 'chunked',
        headers: { 'X-Name': 'value' },
        trailers: { 'X-T': '1' },
      }),
    ])
    const pool = testPool()
    let seen: unknown[] = []
    const { handler, told } = legacyHandler({
      onHeaders(statusCode, headers, resume, statusText) {
        seen = [statusCode, headers.map(String), typeof resume, statusText]
        return true
      },
      onComplete: (trailers) => void seen.push(trailers?.map(String)),
    })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await told.ended
    const headers = ['transfer-encoding', 'chunked', 'X-Name', 'value']
    expect(seen).toEqual([201, headers, 'function', 'Made It', ['X-T', '1']])
  })

  it('pauses the response by returning false, and resumes it', async () => {
    const { origin } = await testServer((_, response) => void response.end('x'.repeat(300_000)))
    const pool = testPool()
    let resume!: () => void
    let paused = false
    let pauses = 0
    const { handler, told } = legacyHandler({
      onHeaders(_, __, resumeResponse) {
        resume = resumeResponse
        return true
      },
      onData() {
        expect(paused).toBe(false)
        paused = true
        pauses++
        setTimeout(() => {
          paused = false
          resume()
        }, 1)
        return false
      },
    })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await told.ended
    expect(told.error).toBeUndefined()
    expect(told.body).toHaveLength(300_000)
    expect(pauses).toBeGreaterThan(1)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('is handed the socket of an upgrade', async () => {
    const { origin, server } = await testServer()
    server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
    })
    const pool = testPool()
    let socket: Duplex | undefined
    const { handler, told } = legacyHandler({ onUpgrade: (_, __, handed) => void (socket = handed) })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET', upgrade: 'echo' }, handler)
    await told.ended
    expect(told.calls.at(-1)).toBe('onUpgrade 101')
    expect(socket?.writable).toBe(true)
    socket?.destroy()
  })
})

describe('a handler of the newer shape', () => {
  it('is told everything, in order', async () => {
    const { origin } = await testScripted(everything)
    const pool = testPool()
    const { handler, told } = modernHandler()
    expect(pool.dispatcher.dispatch({ origin, ...post }, handler)).toBe(true)
    expect(told.calls).toEqual(['onRequestStart'])
    await told.ended
    expect(told.calls).toEqual([
      'onRequestStart',
      'onResponseStart 103',
      'onResponseStart 200',
      'onResponseData',
      'onResponseEnd',
    ])
    expect(told.body).toBe('hello')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('gets parsed headers and trailers, and raw ones from its controller', async () => {
    const { origin } = await testScripted([
      respond({ framing: 'chunked', headers: { 'Set-Cookie': ['a=1', 'b=2'] }, trailers: { 'X-T': '1' } }),
    ])
    const pool = testPool()
    const seen: unknown[] = []
    const { handler, told } = modernHandler({
      onResponseStart(controller, statusCode, headers, statusMessage) {
        seen.push(statusCode, statusMessage, headers, (controller.rawHeaders as Buffer[]).map(String))
      },
      onResponseEnd(controller, trailers) {
        seen.push({ ...trailers }, (controller.rawTrailers as Buffer[]).map(String))
      },
    })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await told.ended
    expect(seen).toEqual([
      200,
      'OK',
      { 'transfer-encoding': 'chunked', 'set-cookie': ['a=1', 'b=2'] },
      ['transfer-encoding', 'chunked', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'],
      { 'x-t': '1' },
      ['X-T', '1'],
    ])
  })

  it('pauses and resumes the response through its controller', async () => {
    const { origin } = await testServer((_, response) => void response.end('x'.repeat(300_000)))
    const pool = testPool()
    let pauses = 0
    const { handler, told } = modernHandler({
      onResponseData(controller) {
        expect(controller.paused).toBe(false)
        pauses++
        controller.pause()
        expect(controller.paused).toBe(true)
        setTimeout(() => controller.resume(), 1)
      },
    })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await told.ended
    expect(told.error).toBeUndefined()
    expect(told.body).toHaveLength(300_000)
    expect(pauses).toBeGreaterThan(1)
  })

  it('aborts through its controller, which says so', async () => {
    const { origin } = await testServer((_, response) => void response.write('beginning'))
    const pool = testPool()
    const reason = new Error('enough')
    let controller!: Dispatcher.DispatchController
    const { handler, told } = modernHandler({
      onRequestStart: (given) => void (controller = given),
      onResponseData: () => controller.abort(reason),
    })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await told.ended
    expect([controller.aborted, controller.reason]).toEqual([true, reason])
    expect(told.error).toBe(reason)
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
  })

  it('is handed the socket of an upgrade', async () => {
    const { origin, server } = await testServer()
    server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
    })
    const pool = testPool()
    const seen: unknown[] = []
    const { handler, told } = modernHandler({
      onRequestUpgrade(_, statusCode, headers, socket) {
        seen.push(statusCode, headers.upgrade, socket.writable)
        socket.destroy()
      },
    })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET', upgrade: 'echo' }, handler)
    await told.ended
    expect(seen).toEqual([101, 'echo', true])
  })

  it('needs none of its methods but the first', async () => {
    const { origin, requestCount } = await testServer()
    const pool = testPool()
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, { onRequestStart() {} })
    await until(() => pool.stats().idle === 1)
    expect(requestCount()).toBe(1)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })
})

const NOBODY = 'http://127.0.0.1:9'

/** What a call does on the pool, and on undici's own client. */
async function asUndici(call: (dispatcher: Dispatcher) => unknown): Promise<{ pool: unknown; client: unknown }> {
  const client = new Client(NOBODY)
  const pool = testPool()
  const outcome = (dispatcher: Dispatcher): unknown => {
    try {
      return call(dispatcher)
    } catch (error) {
      const { name, message, code } = error as Error & { code: string }
      return { name, message, code }
    }
  }
  try {
    return { pool: outcome(pool.dispatcher), client: outcome(client) }
  } finally {
    await client.destroy()
  }
}

describe('a handler that lacks something', () => {
  it.each([null, undefined, 'handler', 5])('is refused as undici does: %s', async (handler) => {
    const { pool, client } = await asUndici((dispatcher) =>
      dispatcher.dispatch({ origin: NOBODY, path: '/', method: 'GET' }, handler as never),
    )
    expect(pool).toMatchObject({ message: 'handler must be an object' })
    expect(pool).toEqual(client)
  })

  it.each(['onConnect', 'onHeaders', 'onData', 'onComplete'] as const)(
    'is told of a missing %s through its onError, as by undici',
    async (method) => {
      const { pool, client } = await asUndici((dispatcher) => {
        const { handler, told } = legacyHandler()
        delete handler[method]
        const returned = dispatcher.dispatch({ origin: NOBODY, path: '/', method: 'GET' }, handler)
        return { returned, calls: told.calls, name: told.error?.name, message: told.error?.message }
      })
      expect(pool).toMatchObject({ returned: false, calls: ['onError'], message: `invalid ${method} method` })
      expect(pool).toEqual(client)
    },
  )

  it('is refused without onError', async () => {
    const { pool, client } = await asUndici((dispatcher) => {
      const { handler } = legacyHandler()
      delete handler.onError
      return dispatcher.dispatch({ origin: NOBODY, path: '/', method: 'GET' }, handler)
    })
    expect(pool).toMatchObject({ name: 'InvalidArgumentError', message: 'invalid onError method' })
    expect(pool).toEqual(client)
  })

  it('needs onUpgrade for an upgrade and for CONNECT', async () => {
    for (const options of [
      { path: '/', method: 'GET', upgrade: 'echo' },
      { path: 'there.test:443', method: 'CONNECT' },
    ] as const) {
      const { pool, client } = await asUndici((dispatcher) => {
        const { handler, told } = legacyHandler()
        delete handler.onUpgrade
        dispatcher.dispatch({ origin: NOBODY, ...options }, handler)
        return told.error?.message
      })
      expect(pool).toBe('invalid onUpgrade method')
      expect(pool).toEqual(client)
    }
  })
})

const boom = new Error('thrown by a handler')
const throwBoom = (): never => {
  throw boom
}

describe('a handler that throws', () => {
  it.each([
    ['legacy', 'onConnect', { opened: 0, requests: 0, closed: {} }],
    ['legacy', 'onBodySent', { opened: 1, requests: 1, closed: { aborted: 1 } }],
    ['legacy', 'onHeaders', { opened: 1, requests: 1, closed: { aborted: 1 } }],
    ['legacy', 'onData', { opened: 1, requests: 1, closed: { aborted: 1 } }],
    ['modern', 'onRequestStart', { opened: 0, requests: 0, closed: {} }],
    ['modern', 'onResponseStart', { opened: 1, requests: 1, closed: { aborted: 1 } }],
    ['modern', 'onResponseData', { opened: 1, requests: 1, closed: { aborted: 1 } }],
  ] as const)(
    'gets its own error back, %s in %s, and costs its own connection only',
    async (shape, method, expected) => {
      const { origin } = await testServer((request, response) => {
        request.resume().on('end', () => response.end('hello'))
      })
      const pool = testPool()
      const { handler, told } = handlerOf(shape, { [method]: throwBoom })
      pool.dispatcher.dispatch({ origin, ...post }, handler)
      await told.ended
      expect(told.error).toBe(boom)
      expect(boom.cause).toBeUndefined()
      await until(() => pool.stats().active === 0)
      expect(books(pool)).toEqual(quietBooks(expected))
      expect(await get(pool, origin)).toBe('hello')
      expect(told.calls.filter((call) => call.endsWith('Error'))).toHaveLength(1)
    },
  )

  it.each([
    ['legacy', 'onComplete'],
    ['modern', 'onResponseEnd'],
  ] as const)('after the response, %s in %s, keeps the connection', async (shape, method) => {
    const { origin, connections } = await testServer()
    const pool = testPool()
    const { handler, told } = handlerOf(shape, { [method]: throwBoom })
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
    await until(() => told.error !== undefined)
    expect(told.error).toBe(boom)
    expect(await get(pool, origin)).toBe('ok')
    expect(connections).toHaveLength(1)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it.each([
    ['legacy', 'onError'],
    ['modern', 'onResponseError'],
  ] as const)(
    'over a failed connect, %s in %s, keeps nobody else who waited for it from being told',
    async (shape, method) => {
      const { origin, close } = await testServer()
      await close()
      const pool = testPool({ maxConnections: 1 })
      const others: Told[] = []
      const caught = await catchingUncaught(async () => {
        const { handler } = handlerOf(shape, { [method]: throwBoom })
        pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
        for (let n = 0; n < 2; n++) {
          const { handler, told } = legacyHandler()
          others.push(told)
          pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
        }
        await until(() => pool.stats().pending === 0, 1000)
      })
      expect(caught).toEqual([boom])
      expect(others.map(({ error }) => error?.code)).toEqual(['ECONNREFUSED', 'ECONNREFUSED'])
      expect(books(pool)).toEqual(quietBooks({}))
      expect(pool.stats().dialFailures).toBe(1)
    },
  )

  it.each([
    ['legacy', 'onError'],
    ['modern', 'onResponseError'],
  ] as const)('over a broken connection, %s in %s, leaves the books in order', async (shape, method) => {
    const { origin } = await testServer((request, response) => {
      if (request.url === '/broken') request.socket.destroy()
      else response.end('fine')
    })
    const pool = testPool({ maxConnections: 1 })
    const caught = await catchingUncaught(async () => {
      const { handler, told } = handlerOf(shape, { [method]: throwBoom })
      pool.dispatcher.dispatch({ origin, path: '/broken', method: 'GET' }, handler)
      await told.ended
      await turns()
    })
    expect(caught).toEqual([boom])
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { 'server-fin': 1 } }))
    expect(await get(pool, origin)).toBe('fine')
  })

  it.each([
    ['legacy', 'onError'],
    ['modern', 'onResponseError'],
  ] as const)('when the pool is destroyed, %s in %s, keeps nobody else from being told', async (shape, method) => {
    const { origin } = await testServer(() => {})
    const pool = testPool({ maxConnections: 1 })
    const others: Told[] = []
    const first = legacyHandler()
    pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, first.handler)
    await until(() => pool.stats().active === 1)
    const caught = await catchingUncaught(async () => {
      const { handler } = handlerOf(shape, { [method]: throwBoom })
      pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
      for (let n = 0; n < 2; n++) {
        const { handler, told } = legacyHandler()
        others.push(told)
        pool.dispatcher.dispatch({ origin, path: '/', method: 'GET' }, handler)
      }
      try {
        pool.destroy()
      } catch (error) {
        // Thrown at the caller of destroy() or left uncaught: both are heard.
        throwLater(error)
      }
      await until(() => pool.stats().pending === 0, 1000)
    })
    expect(caught).toEqual([boom])
    expect([first.told, ...others].map(({ error }) => error?.code)).toEqual(Array(3).fill('ERR_KEEPWISE_CLOSED'))
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { 'pool-closed': 1 } }))
  })
})

function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}

function handlerOf(shape: 'legacy' | 'modern', overrides: Record<string, () => never>) {
  return shape === 'legacy' ? legacyHandler(overrides) : modernHandler(overrides)
}
