/** The agents and the dispatcher of a pool are faces of one thing: its connections, caps, line, events and numbers. */
import { describe, expect, it } from 'vitest'
import type { CloseReason, Pool } from '../../src/index.js'
import { loadNative } from '../../src/liveness/native.js'
import { resolveOptions } from '../../src/options/pool-options.js'
import { Pool as PoolOn } from '../../src/pool.js'
import { books, get, quietBooks, send, testScripted, testServer, turns, until } from '../dispatcher/support.js'
import { ManualClock } from '../support/manual-clock.js'
import {
  bytes,
  clientEnd,
  close,
  forever,
  halfClose,
  repeat,
  request,
  requestHead,
  reset,
  respond,
  send as sendBytes,
  wait,
} from '../support/servers/script-steps.js'
import type { Script } from '../support/servers/scripted.js'
import { Call, complete, shown, socketOf, trustingPool } from './support.js'

type Send = (pool: Pool, origin: string) => Promise<unknown>

const byAgent: Send = (pool, origin) => complete(pool, origin)
const byDispatcher: Send = (pool, origin) => get(pool, origin)
const byFetch: Send = async (pool, origin) => (await fetch(origin, { dispatcher: pool.dispatcher })).text()

const faces = [
  ['the agent', byAgent],
  ['the dispatcher', byDispatcher],
] as const

const untilQuiet = (pool: Pool, idle = 1): Promise<void> =>
  until(() => pool.stats().pending === 0 && pool.stats().idle === idle)

describe.each([false, true])('requests through http.request, undici and fetch in turns, TLS: %s', (tls) => {
  it('use one connection', async () => {
    const server = await testServer({ tls })
    const pool = trustingPool()
    for (let n = 0; n < 4; n++)
      for (const send of [byAgent, byDispatcher, byFetch, byFetch, byAgent]) await send(pool, server.origin)
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([20])
    await untilQuiet(pool)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 20 }))
    expect(pool.stats()).toMatchObject({ reused: 19, origins: { [server.origin]: { requests: 20 } } })
  })

  it('carry bodies both ways, whichever face was there before', async () => {
    const server = await testServer({ tls, handler: (request, response) => void request.pipe(response) })
    const pool = trustingPool()
    for (let n = 0; n < 3; n++) {
      const body = `${n}`.repeat(300_000)
      const call = await complete(pool, server.origin, { method: 'POST', body })
      expect(call.body === body).toBe(true)
      const answer = await send(pool, server.origin, { method: 'POST', body })
      expect(answer.body === body).toBe(true)
    }
    expect(server.connections).toHaveLength(1)
  })

  it('wait in one line', async () => {
    const order: string[] = []
    const server = await testServer({
      tls,
      handler: (request, response) => {
        order.push(request.url!)
        setTimeout(() => response.end(), 5)
      },
    })
    const pool = trustingPool({ maxConnections: 1 })
    const [first, last] = [complete(pool, server.origin, { path: '/1' }), [] as Promise<unknown>[]]
    last.push(get(pool, server.origin, '/2'), complete(pool, server.origin, { path: '/3' }))
    last.push(get(pool, server.origin, '/4'), complete(pool, server.origin, { path: '/5' }))
    await first
    await Promise.all(last)
    expect(order).toEqual(['/1', '/2', '/3', '/4', '/5'])
    expect(server.connections).toHaveLength(1)
    expect(pool.stats()).toMatchObject({ waits: 5, requests: 5 })
  })

  it('leave nothing behind on the socket', async () => {
    const server = await testServer({ tls })
    const pool = trustingPool()
    const listeners: number[] = []
    for (let n = 0; n < 30; n++) {
      await byDispatcher(pool, server.origin)
      const call = new Call(pool, server.origin)
      const socket = await socketOf(call.request)
      await call.ended
      await untilQuiet(pool)
      listeners.push(socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0))
    }
    expect(new Set(listeners.slice(1)).size).toBe(1)
    expect(server.connections).toHaveLength(1)
  })
})

describe('the caps', () => {
  it('of one origin hold for both faces together', async () => {
    let most = 0
    const server = await testServer((_, response) => {
      most = Math.max(most, server.openConnections())
      setTimeout(() => response.end(), 2)
    })
    const pool = trustingPool({ maxConnections: 3 })
    await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 ? byAgent : byDispatcher)(pool, server.origin)))
    expect(most).toBe(3)
    expect(server.connections).toHaveLength(3)
    expect(pool.stats()).toMatchObject({ requests: 40, opened: 3 })
  })

  it.each([
    ['the agent', byAgent, byDispatcher],
    ['the dispatcher', byDispatcher, byAgent],
  ])('of the pool: what %s keeps idle makes room for the other', async (_, first, second) => {
    const [one, other] = [await testServer(), await testServer()]
    const pool = trustingPool({ maxTotalConnections: 1 })
    for (let n = 0; n < 3; n++) {
      await first(pool, one.origin)
      await second(pool, other.origin)
    }
    expect(pool.stats()).toMatchObject({ opened: 6, idle: 1, closed: { surplus: 5 } })
  })

  it('of the line refuse a request of the agent as one of the dispatcher', async () => {
    const server = await testScripted([request()])
    const pool = trustingPool({ maxConnections: 1, maxWaiting: 1 })
    const calls = [new Call(pool, server.origin), new Call(pool, server.origin)]
    await until(() => calls[1]!.error !== undefined)
    expect(calls[1]!.error).toMatchObject({ code: 'ERR_KEEPWISE_QUEUE_FULL' })
    expect(calls[1]!.told).toEqual(['error ERR_KEEPWISE_QUEUE_FULL', 'close'])
    expect(calls[0]!.error).toBeUndefined()
  })

  it('of requests and of age retire a connection of the agent', async () => {
    const server = await testServer()
    const pool = trustingPool({ maxRequests: 2 })
    for (let n = 0; n < 4; n++) await complete(pool, server.origin)
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([2, 2])
    await until(() => pool.stats().closed['max-requests'] === 2)
  })
})

describe('the events', () => {
  it('are those of any request, snapshots and all', async () => {
    const server = await testServer()
    const pool = trustingPool({ maxConnections: 1 })
    const told: string[] = []
    pool.on('wait', ({ waiting }) => told.push(`wait ${waiting}`))
    pool.on('open', ({ connection }) => told.push(`open ${connection.id}`))
    pool.on('idle', ({ connection }) => told.push(`idle ${connection.id}, ${connection.requests} requests`))
    pool.on('close', ({ connection, reason }) => told.push(`close ${connection.id} ${reason}`))
    await byAgent(pool, server.origin)
    await untilQuiet(pool)
    await byDispatcher(pool, server.origin)
    await untilQuiet(pool)
    await complete(pool, server.origin, { headers: { connection: 'close' } })
    await until(() => told.length === 5)
    expect(told).toEqual(['wait 1', 'open 1', 'idle 1, 1 requests', 'idle 1, 2 requests', 'close 1 server-close'])
  })
})

describe('the reasons', () => {
  const answered = [request(), respond(), wait(20)]
  const cases: [CloseReason, Script][] = [
    ['server-fin', [...answered, halfClose()]],
    ['reset', [...answered, reset()]],
    ['poisoned', [...answered, sendBytes('junk')]],
    ['server-close', [request(), respond({ headers: { connection: 'close' } })]],
    ['server-close', [request(), respond({ version: '1.0' })]],
    ['server-close', [request(), respond({ framing: 'none' }), close()]],
    ['advertised-max', [request(), respond({ headers: { 'keep-alive': 'timeout=5, max=0' } })]],
  ]
  it.each(cases.flatMap(([reason, script]) => faces.map(([name, send]) => ({ reason, script, name, send }))))(
    '$reason of a connection last used by $name',
    async ({ reason, script, send }) => {
      const server = await testScripted(script)
      const pool = trustingPool()
      const reasons: string[] = []
      pool.on('close', ({ reason }) => reasons.push(reason))
      await send(pool, server.origin)
      await until(() => reasons.length > 0)
      expect(reasons).toEqual([reason])
      expect(pool.stats()).toMatchObject({ idle: 0, active: 0, pending: 0 })
      await until(() => server.log.some(({ what }) => what === 'close' || what === 'client-end' || what === 'reset'))
    },
  )

  it.each(faces)('bytes on an idle connection are not read as the next response of %s', async (_, next) => {
    for (const [, before] of faces) {
      const server = await testScripted((nth) =>
        nth === 1
          ? [request(), respond(), wait(20), sendBytes('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged')]
          : [request(), respond({ body: 'genuine' })],
      )
      const pool = trustingPool()
      await before(pool, server.origin)
      await until(() => pool.stats().closed.poisoned === 1)
      const answer = await next(pool, server.origin)
      expect(answer instanceof Call ? answer.body : answer).toBe('genuine')
    }
  })

  it('upgrade: the connection is the caller’s own, and the pool has room again', async () => {
    const server = await testScripted([
      requestHead(),
      sendBytes('HTTP/1.1 101 Go\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n'),
    ])
    const pool = trustingPool({ maxConnections: 1 })
    const call = new Call(pool, server.origin, { headers: { connection: 'upgrade', upgrade: 'echo' } })
    const socket = await new Promise<NodeJS.WritableStream & { destroy(): void }>((resolve) =>
      call.request.once('upgrade', (_, socket) => resolve(socket)),
    )
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { upgrade: 1 } }))
    pool.destroy()
    await turns()
    expect(socket).toMatchObject({ destroyed: false })
    socket.destroy()
  })

  it('aborted, by the caller', async () => {
    const server = await testScripted([request()])
    const pool = trustingPool()
    const call = new Call(pool, server.origin)
    await until(() => server.connections[0]?.requests.length === 1)
    call.request.destroy()
    await call.ended
    await until(() => pool.stats().closed.aborted === 1)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
  })

  it('error, of a response that is none', async () => {
    const server = await testScripted([request(), sendBytes('SPDY/1.1 200 OK\r\n\r\n')])
    const pool = trustingPool()
    await expect(complete(pool, server.origin)).rejects.toMatchObject({ code: 'HPE_INVALID_CONSTANT' })
    await until(() => pool.stats().active === 0)
    expect(pool.stats().closed.error).toBe(1)
  })
})

describe('what a server advertises', () => {
  it.each(faces)('to %s holds for the connections of both', async (_, send) => {
    const clock = new ManualClock()
    const server = await testScripted([
      forever(request(), respond({ headers: { 'Keep-Alive': 'MAX=100 ,Timeout=7' } })),
    ])
    const pool = new PoolOn(resolveOptions({ keepAliveMargin: 500 }), { clock, native: loadNative() })
    await send(pool, server.origin)
    await until(() => pool.stats().idle === 1)
    expect(shown(pool.httpAgent, 'freeSockets')).toBe(send === byAgent ? 1 : 0)
    clock.advance(6499)
    expect(pool.stats().idle).toBe(1)
    clock.advance(1)
    expect(pool.stats()).toMatchObject({ idle: 0, closed: { 'advertised-timeout': 1 } })
    pool.destroy()
  })

  it('is explained alike', async () => {
    const server = await testServer({ keepAliveTimeout: 9000 })
    const pool = trustingPool()
    await byAgent(pool, server.origin)
    expect(JSON.stringify(pool.explain(server.origin))).toContain('9000')
  })
})

describe('connections that were opened ahead', () => {
  it.each([false, true])('are used by the agents, TLS: %s', async (tls) => {
    const server = await testServer({ tls })
    const pool = trustingPool()
    expect(await pool.warm(server.origin, 3)).toBe(3)
    await Promise.all([1, 2, 3].map(() => byAgent(pool, server.origin)))
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([1, 1, 1])
    expect(pool.stats()).toMatchObject({ opened: 3, requests: 3 })
  })

  it('are not used by a request of another identity', async () => {
    const server = await testServer()
    const pool = trustingPool()
    await pool.warm(server.origin)
    await complete(pool, server.origin, { localAddress: '127.0.0.2' })
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([0, 1])
  })
})

describe('the agents of a pool', () => {
  it('are the same ones, each time they are asked for', () => {
    const pool = trustingPool()
    expect(pool.httpAgent).toBe(pool.httpAgent)
    expect(pool.httpsAgent).toBe(pool.httpsAgent)
    expect(pool.httpAgent).not.toBe(pool.httpsAgent)
  })

  it('show the caps of the pool, under node’s names', () => {
    const pool = trustingPool({ maxConnections: 7, maxTotalConnections: 70, maxIdleConnections: 3, scheduling: 'fifo' })
    for (const agent of [pool.httpAgent, pool.httpsAgent])
      expect(agent).toMatchObject({
        maxSockets: 7,
        maxTotalSockets: 70,
        maxFreeSockets: 3,
        scheduling: 'fifo',
        keepAlive: true,
      })
  })

  it('share the room of a pool: a cap set on one holds for the other', () => {
    const pool = trustingPool({ maxConnections: 7 })
    pool.httpAgent.maxSockets = 5
    expect(pool.httpsAgent.maxSockets).toBe(5)
    pool.httpsAgent.maxTotalSockets = 9
    expect(pool.httpAgent.maxTotalSockets).toBe(9)
  })

  it('destroy() ends what agents do, and lets requests of the dispatcher run', async () => {
    const held: (() => void)[] = []
    const server = await testServer((_, response) => void held.push(() => response.end('done')))
    const pool = trustingPool()
    const dispatched = get(pool, server.origin)
    await until(() => held.length === 1)
    const call = new Call(pool, server.origin)
    await until(() => held.length === 2)
    pool.httpAgent.destroy()
    await call.ended
    expect(call.error).toMatchObject({ code: 'ECONNRESET' })
    expect(pool.stats()).toMatchObject({ active: 1, closed: { 'pool-closed': 1 } })
    held[0]!()
    expect(await dispatched).toBe('done')
  })
})

it('a request of an agent gets the connection of a response of the dispatcher as soon as that is complete', async () => {
  const server = await testScripted([repeat(2, request(), respond()), bytes(0), clientEnd()])
  const pool = trustingPool({ maxConnections: 1 })
  const dispatched = get(pool, server.origin)
  const call = complete(pool, server.origin)
  expect(await dispatched).toBe('ok')
  expect((await call).body).toBe('ok')
  expect((await call).reused).toEqual([true])
  expect(server.connections).toHaveLength(1)
})
