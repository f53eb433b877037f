/** What the metrics say of a pool in use, with the real SDK of OpenTelemetry, over real connections. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createPool, type Pool, type PoolOptions } from '../../src/index.js'
import { Pool as PoolClass } from '../../src/pool.js'
import { get, send, testPool, testServer, until } from '../dispatcher/support.js'
import { Call } from '../replay/caller.js'
import { TestMeter } from '../support/measurements.js'
import type { Handler } from '../support/servers/node.js'

const DURATION = 'http.client.request.duration'
const ACTIVE = 'http.client.active_requests'
const OPEN = 'http.client.open_connections'
const CLOSED = 'keepwise.connections.closed'
const ASSIGNED = 'keepwise.requests.assigned'

/** A pool, and the meter it is measured on from its beginning. */
function measured(options: PoolOptions = {}): { pool: Pool; metrics: TestMeter } {
  const metrics = new TestMeter()
  return { metrics, pool: testPool({ ...options, meter: metrics.meter }) }
}

interface Answer {
  readonly status?: number
  readonly error?: Error | undefined
}

/** The two ways in which requests come to a pool: each makes one, and waits for its end. */
const faces = {
  async dispatcher(pool: Pool, origin: string, path = '/', method = 'GET'): Promise<Answer> {
    try {
      return { status: (await send(pool, origin, { path, method })).statusCode }
    } catch (error) {
      return { error: error as Error }
    }
  },
  async agent(pool: Pool, origin: string, path = '/', method = 'GET'): Promise<Answer> {
    const call = new Call(pool, origin, { path, method })
    await call.ended
    return call.response === undefined ? { error: call.error } : { status: call.statusCode as number }
  },
}

/** Answers with the status that the path asks for; `/cut` is cut off, `/hang` is never answered. */
const statuses: Handler = (request, response) => {
  if (request.url === '/cut') request.socket.destroy()
  else if (request.url !== '/hang') response.writeHead(Number(request.url?.slice(1)) || 200).end('ok')
}

describe.each(Object.entries(faces))('requests over the %s', (_, ask) => {
  it('are told by method, status and server, each once', async () => {
    const { origin, port } = await testServer(statuses)
    const { pool, metrics } = measured({ name: 'shop' })
    for (const path of ['/200', '/200', '/404', '/503']) await ask(pool, origin, path)
    await ask(pool, origin, '/200', 'POST')
    const found = await metrics.collect()
    const server = { 'server.address': '127.0.0.1', 'server.port': port, 'url.scheme': 'http' }
    const all = { ...server, 'keepwise.pool.name': 'shop', 'network.protocol.version': '1.1' }
    expect(found.points(DURATION).map(({ attributes, value }) => ({ ...attributes, value }))).toEqual([
      { ...all, 'http.request.method': 'GET', 'http.response.status_code': 200, value: 2 },
      { ...all, 'http.request.method': 'GET', 'http.response.status_code': 404, 'error.type': '404', value: 1 },
      { ...all, 'http.request.method': 'GET', 'http.response.status_code': 503, 'error.type': '503', value: 1 },
      { ...all, 'http.request.method': 'POST', 'http.response.status_code': 200, value: 1 },
    ])
    expect(found.value(ACTIVE)).toBe(0)
    expect(found.by(OPEN, 'http.connection.state', server)).toEqual({ idle: 1 })
    expect(found.by(ASSIGNED, 'keepwise.connection.use', server)).toEqual({ new: 1, reused: 4 })
    expect(found.value('keepwise.connections.opened', server)).toBe(1)
    expect(found.value('keepwise.dial.duration', server)).toBe(1)
    expect(found.value('keepwise.server.idle_timeout', { 'keepwise.idle_timeout.source': 'advertised' })).toBe(5)
  })

  it('are active while they run', async () => {
    const { origin } = await testServer(statuses)
    const { pool, metrics } = measured()
    const hanging = [ask(pool, origin, '/hang'), ask(pool, origin, '/hang', 'PUT')]
    await until(() => pool.stats().active === 2)
    const found = await metrics.collect()
    expect(found.by(ACTIVE, 'http.request.method')).toEqual({ GET: 1, PUT: 1 })
    expect(found.by(OPEN, 'http.connection.state')).toEqual({ active: 2 })
    pool.destroy()
    await Promise.all(hanging)
    const later = await metrics.collect()
    expect(later.value(ACTIVE)).toBe(0)
    expect(later.value(OPEN)).toBe(0)
    expect(later.by(CLOSED, 'keepwise.close.reason')).toEqual({ 'pool-closed': 2 })
    expect(later.value('http.client.connection.duration')).toBe(2)
    expect(later.value(DURATION)).toBe(2)
  })

  it('that die on a used connection and are sent again are one request each', async () => {
    const served = new Map<Socket, number>()
    const { origin } = await testServer((request, response) => {
      const { socket } = request
      served.set(socket, (served.get(socket) ?? 0) + 1)
      if (served.get(socket) === 2) socket.destroy()
      else response.end('ok')
    })
    const { pool, metrics } = measured()
    expect(await ask(pool, origin)).toEqual({ status: 200 })
    expect(await ask(pool, origin)).toEqual({ status: 200 })
    const found = await metrics.collect()
    expect(found.value('keepwise.requests.replayed')).toBe(1)
    expect(found.value(DURATION)).toBe(2)
    expect(found.by(DURATION, 'error.type')).toEqual({ undefined: 2 })
    expect(found.value(ASSIGNED)).toBe(3)
    expect(found.value(ACTIVE)).toBe(0)
  })

  it('say what they failed with', async () => {
    const { origin } = await testServer(statuses)
    const closed = await testServer()
    await closed.close()
    const { pool, metrics } = measured()
    expect((await ask(pool, origin, '/cut', 'POST')).error).toBeInstanceOf(Error)
    expect((await ask(pool, closed.origin)).error).toBeInstanceOf(Error)
    const found = await metrics.collect()
    expect(found.by(DURATION, 'error.type', { 'server.port': Number(new URL(origin).port) })).toEqual({
      [ask === faces.agent ? 'ECONNRESET' : 'UND_ERR_SOCKET']: 1,
    })
    const refused = { 'server.port': closed.port }
    expect(found.by(DURATION, 'error.type', refused)).toEqual({ ECONNREFUSED: 1 })
    expect(found.by('keepwise.dial.duration', 'error.type', refused)).toEqual({ ECONNREFUSED: 1 })
    // Both waited for a connection; one was given it.
    expect(found.value('keepwise.requests.queued')).toBe(2)
    expect(found.value('keepwise.wait.duration')).toBe(1)
  })

  it('say that they waited in vain, or that too many did', async () => {
    const { origin } = await testServer(statuses)
    const { pool, metrics } = measured({ maxConnections: 1, maxWaiting: 1, acquireTimeout: 60 })
    await pool.warm(origin)
    const hanging = ask(pool, origin, '/hang')
    await until(() => pool.stats().active === 1)
    await Promise.all([ask(pool, origin), ask(pool, origin)])
    const found = await metrics.collect()
    expect(found.by(DURATION, 'error.type')).toEqual({ ERR_KEEPWISE_ACQUIRE_TIMEOUT: 1, ERR_KEEPWISE_QUEUE_FULL: 1 })
    expect(found.value('keepwise.requests.queued')).toBe(1)
    expect(found.value('keepwise.wait.duration')).toBe(0)
    pool.destroy()
    await hanging
    expect((await metrics.collect()).value(ACTIVE)).toBe(0)
  })

  it('that wait at a cap say how long', async () => {
    const held: ServerResponse[] = []
    const { origin } = await testServer((_, response) => void held.push(response))
    const { pool, metrics } = measured({ maxConnections: 1 })
    const first = ask(pool, origin)
    await until(() => held.length === 1)
    const second = ask(pool, origin)
    await until(() => pool.stats().waiting === 1)
    const earlier = await metrics.collect()
    expect(earlier.value('keepwise.requests.waiting')).toBe(1)
    await sleep(40)
    held[0]?.end()
    await first
    await until(() => held.length === 2)
    held[1]?.end()
    await second
    const found = await metrics.collect()
    expect(found.value('keepwise.requests.waiting')).toBe(0)
    expect(found.value('keepwise.wait.duration')).toBe(2)
    expect(found.sum('keepwise.wait.duration') - earlier.sum('keepwise.wait.duration')).toBeGreaterThan(0.03)
    expect(found.sum('keepwise.wait.duration') - earlier.sum('keepwise.wait.duration')).toBeLessThan(5)
  })

  it('have a method of the known ones, or another', async () => {
    const { origin } = await testServer(statuses)
    const { pool, metrics } = measured()
    for (const method of ['PROPFIND', 'MKCOL', 'OPTIONS']) await ask(pool, origin, '/', method)
    expect((await metrics.collect()).by(DURATION, 'http.request.method')).toEqual({ OPTIONS: 1, _OTHER: 2 })
  })
})

describe('nothing stays active', () => {
  /** Both faces, upgrades and tunnels included: begun, and ended by someone in the middle. */
  async function settled(pool: Pool, metrics: TestMeter, requests: number): Promise<void> {
    await until(() => pool.stats().pending === 0)
    const found = await metrics.collect()
    expect(found.value(ACTIVE)).toBe(0)
    expect(found.value(DURATION)).toBe(requests)
  }

  it('when fetch is aborted: in line, before the response, in its midst', async () => {
    const { origin } = await testServer((request, response) => {
      if (request.url === '/half') response.write('half')
    })
    const { pool, metrics } = measured({ maxConnections: 2 })
    const controllers = Array.from({ length: 3 }, () => new AbortController())
    const [one, two, three] = controllers as [AbortController, AbortController, AbortController]
    const init = (controller: AbortController) => ({ dispatcher: pool.dispatcher, signal: controller.signal })
    const half = await fetch(`${origin}/half`, init(one))
    const waiting = [fetch(`${origin}/hang`, init(two)), fetch(`${origin}/line`, init(three))]
    await until(() => pool.stats().waiting === 1 && pool.stats().active === 2)
    expect((await metrics.collect()).value(ACTIVE)).toBe(3)
    for (const controller of controllers) controller.abort()
    await expect(half.text()).rejects.toThrow(/abort/)
    for (const each of waiting) await expect(each).rejects.toThrow(/abort/)
    await settled(pool, metrics, 3)
    const found = await metrics.collect()
    expect(found.by(DURATION, 'error.type')).toEqual({ AbortError: 3 })
    expect(found.by(DURATION, 'http.response.status_code')).toEqual({ 200: 1, undefined: 2 })
    expect(found.by(CLOSED, 'keepwise.close.reason')).toEqual({ aborted: 2 })
  })

  it('when requests of node:http are destroyed: at once, in line, before the response, in its midst', async () => {
    const { origin } = await testServer((request, response) => {
      if (request.url === '/half') response.write('half')
    })
    const { pool, metrics } = measured({ maxConnections: 2 })
    const atOnce = new Call(pool, origin)
    atOnce.request.destroy()
    const half = new Call(pool, origin, { path: '/half' })
    const hang = new Call(pool, origin, { path: '/hang' })
    await until(() => half.response !== undefined && pool.stats().active === 2)
    const line = new Call(pool, origin, { path: '/line' })
    await until(() => pool.stats().waiting === 1)
    for (const { request } of [half, hang, line]) request.destroy()
    await Promise.all([atOnce, half, hang, line].map(({ ended }) => ended))
    await settled(pool, metrics, 4)
    expect((await metrics.collect()).by(DURATION, 'error.type')).toEqual({ ECONNRESET: 4 })
  })

  it('when a connection is handed over, by an upgrade or a CONNECT', async () => {
    const running = await testServer()
    for (const event of ['upgrade', 'connect'])
      running.server.on(event, (_, socket: Socket) => {
        const head = event === 'upgrade' ? '101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade' : '200 OK'
        socket.write(`HTTP/1.1 ${head}\r\n\r\n`)
        socket.resume().on('error', () => {})
      })
    const { pool, metrics } = measured()
    const sockets: Socket[] = []
    onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
    const upgraded = await pool.dispatcher.upgrade({ origin: running.origin, path: '/', protocol: 'x' } as never)
    const tunnel = await pool.dispatcher.connect({ origin: running.origin, path: 'example.com:80' } as never)
    sockets.push(upgraded.socket as Socket, tunnel.socket as Socket)
    for (const method of ['GET', 'CONNECT']) {
      const headers = method === 'GET' ? { connection: 'upgrade', upgrade: 'x' } : {}
      const call = new Call(pool, running.origin, { method, headers, path: method === 'GET' ? '/' : 'example.com:80' })
      const [, socket] = await once(call.request, method === 'GET' ? 'upgrade' : 'connect')
      sockets.push(socket)
    }
    await settled(pool, metrics, 4)
    const found = await metrics.collect()
    expect(found.by(DURATION, 'http.response.status_code')).toEqual({ 101: 2, 200: 2 })
    expect(found.by(DURATION, 'error.type')).toEqual({ undefined: 4 })
    expect(found.by(CLOSED, 'keepwise.close.reason')).toEqual({ upgrade: 4 })
    expect(found.value(OPEN)).toBe(0)
  })

  it('when the server says 408, or no HTTP at all', async () => {
    const { origin } = await testServer((request, response) => {
      if (request.url === '/408') response.writeHead(408, { connection: 'close' }).end()
      else request.socket.end('SSH-2.0-OpenSSH\r\n')
    })
    const { pool, metrics } = measured()
    for (const path of ['/408', '/ssh']) for (const ask of Object.values(faces)) await ask(pool, origin, path, 'POST')
    await settled(pool, metrics, 4)
    const found = await metrics.collect()
    expect(found.by(DURATION, 'error.type')).toEqual({ 408: 2, HTTPParserError: 2 })
  })

  it('when all that ever comes is an interim response', async () => {
    const { origin } = await testServer((request, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => void request.socket.destroy())
    })
    const { pool, metrics } = measured()
    for (const ask of Object.values(faces)) await ask(pool, origin, '/', 'POST')
    await settled(pool, metrics, 2)
    expect((await metrics.collect()).by(DURATION, 'http.response.status_code')).toEqual({ undefined: 2 })
  })

  it('when its agent or pool is destroyed in the midst of it all', async () => {
    const { origin } = await testServer((request, response) => {
      if (request.url === '/half') response.write('half')
    })
    const { pool, metrics } = measured({ maxConnections: 3 })
    const calls = ['/half', '/hang', '/line', '/line'].map((path) => new Call(pool, origin, { path }))
    const asked = ['/half', '/hang', '/line', '/line'].map((path) => faces.dispatcher(pool, origin, path))
    await until(() => pool.stats().active === 3 && pool.stats().waiting === 5)
    pool.httpAgent.destroy()
    await Promise.all(calls.slice(0, 1).map(({ ended }) => ended))
    pool.destroy()
    await Promise.all([...calls.map(({ ended }) => ended), ...asked])
    await settled(pool, metrics, 8)
    expect((await metrics.collect()).points(DURATION, { 'error.type': '_OTHER' })).toEqual([])
  })
})

describe('meters', () => {
  it('of two kinds count the same of one pool', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const [one, two] = [new TestMeter(), new TestMeter()]
    pool.instrument(one.meter)
    const undo = pool.instrument(two.meter)
    await get(pool, origin)
    undo()
    await get(pool, origin)
    expect((await one.collect()).value(DURATION)).toBe(2)
    expect((await two.collect()).value(DURATION)).toBe(1)
    expect((await one.collect()).value(ASSIGNED)).toBe(2)
  })

  it('that measure a pool twice count nothing twice, until both are undone', async () => {
    const { origin } = await testServer()
    const { pool, metrics } = measured()
    const undo = pool.instrument(metrics.meter)
    await get(pool, origin)
    let found = await metrics.collect()
    expect(found.value(DURATION)).toBe(1)
    expect(found.value('keepwise.connections.opened')).toBe(1)
    undo()
    undo()
    await get(pool, origin)
    found = await metrics.collect()
    expect(found.value(DURATION)).toBe(2)
    expect(found.value(ASSIGNED)).toBe(2)
  })

  it('are let go of: no listener stays, and a request that is under way does no harm', async () => {
    const { origin } = await testServer(statuses)
    const pool = testPool()
    const { core } = PoolClass.groundOf(pool)
    const events = ['open', 'dialFailed', 'served', 'close'] as const
    const metrics = new TestMeter()
    const undo = pool.instrument(metrics.meter)
    expect(events.filter((event) => core.events.heard(event))).toEqual(events)
    const hanging = faces.dispatcher(pool, origin, '/hang')
    await until(() => pool.stats().active === 1)
    undo()
    undo()
    expect(events.filter((event) => core.events.heard(event))).toEqual([])
    expect(core.forgetting.size).toBe(0)
    expect(core.requests.began(origin, 'GET')).toBeUndefined()
    pool.destroy()
    await hanging
    expect((await metrics.collect()).value(DURATION)).toBe(0)
  })

  it('that throw harm no request', async () => {
    const { origin } = await testServer()
    const { meter } = new TestMeter()
    const broken = Object.create(meter, {
      createHistogram: {
        value: () => ({
          record() {
            throw new Error('no room')
          },
        }),
      },
    })
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const pool = createPool({ meter: broken })
    for (const ask of Object.values(faces)) expect(await ask(pool, origin)).toEqual({ status: 200 })
    await pool.close()
    await until(() => warnings.length >= 4)
    expect(warnings.every(({ message }) => message.includes('no room'))).toBe(true)
  })
})

describe('pools of one name on one meter', () => {
  it('are summed, and what one has counted stays when it is gone', async () => {
    const { origin } = await testServer()
    const metrics = new TestMeter()
    const [one, two] = [testPool({ name: 'a' }), testPool({ name: 'a' })]
    const undo = one.instrument(metrics.meter)
    two.instrument(metrics.meter)
    for (const pool of [one, one, two]) await get(pool, origin)
    const opened = 'keepwise.connections.opened'
    expect((await metrics.collect()).points(opened).map(({ value }) => value)).toEqual([2])
    expect((await metrics.collect()).by(OPEN, 'http.connection.state')).toEqual({ idle: 2 })
    undo()
    let found = await metrics.collect()
    expect(found.value(opened)).toBe(2)
    expect(found.by(ASSIGNED, 'keepwise.connection.use')).toEqual({ new: 2, reused: 1 })
    expect(found.by(OPEN, 'http.connection.state')).toEqual({ idle: 1 })
    await two.close()
    found = await metrics.collect()
    expect(found.value(opened)).toBe(2)
    expect(found.by(OPEN, 'http.connection.state')).toEqual({})
    expect(found.by(CLOSED, 'keepwise.close.reason')).toEqual({ 'pool-closed': 1 })
  })

  it('start anew when all were gone', async () => {
    const { origin } = await testServer()
    const metrics = new TestMeter()
    const first = testPool()
    const undo = first.instrument(metrics.meter)
    await get(first, origin)
    await get(first, origin)
    undo()
    const second = testPool({ meter: metrics.meter })
    await get(second, origin)
    const found = await metrics.collect()
    expect(found.value(ASSIGNED, { 'keepwise.connection.use': 'reused' })).toBe(0)
    expect(found.value(ASSIGNED, { 'keepwise.connection.use': 'new' })).toBe(1)
  })

  it('of other names are told apart', async () => {
    const { origin } = await testServer()
    const metrics = new TestMeter()
    for (const name of ['a', 'b']) await get(testPool({ name, meter: metrics.meter }), origin)
    expect((await metrics.collect()).by(DURATION, 'keepwise.pool.name')).toEqual({ a: 1, b: 1 })
  })
})
