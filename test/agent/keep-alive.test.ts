/** What is not node's fault any more: hints, `max`, order, caps, TCP keepalive; and by the manual clock, to the millisecond. */
import type http from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadNative } from '../../src/liveness/native.js'
import { type PoolOptions, resolveOptions } from '../../src/options/pool-options.js'
import { Pool } from '../../src/pool.js'
import { testScripted, testServer, until } from '../dispatcher/support.js'
import { ManualClock } from '../support/manual-clock.js'
import { describeWith } from '../support/requirements.js'
import { forever, request, respond } from '../support/servers/script-steps.js'
import {
  Call,
  type CallOptions,
  complete,
  completeOver,
  dropIn,
  freeSocketsOf,
  nodeKind,
  ourKinds,
  shown,
  trustingPool,
  untilFree,
} from './support.js'

/** A pool whose time stands still. */
function timelessPool(options: PoolOptions = {}) {
  const clock = new ManualClock()
  const pool = new Pool(resolveOptions({ keepAliveMargin: 1000, ...options }), { clock, native: loadNative() })
  onTestFinished(() => pool.destroy())
  return { clock, pool }
}

const answering = (headers: Record<string, string | string[]>) =>
  testScripted([forever(request(), respond({ headers }))])

const untilIdle = (pool: Pool, idle = 1): Promise<void> =>
  until(() => pool.stats().pending === 0 && pool.stats().idle === idle)

describe('Keep-Alive: timeout', () => {
  it.each<[string, Record<string, string | string[]>]>([
    ['alone', { 'keep-alive': 'timeout=5' }],
    ['last', { 'keep-alive': 'max=100, timeout=5' }],
    ['in capitals, with blanks', { 'KEEP-ALIVE': 'Max = 100 ;  TIMEOUT = 5' }],
    ['in quotes', { 'Keep-Alive': 'timeout="5"' }],
    ['on a line of its own', { 'keep-alive': ['max=100', 'timeout=5'] }],
    ['among others', { 'keep-alive': 'a=b, timeout=5, c' }],
  ])('%s: is obeyed, less the margin', async (_, headers) => {
    const server = await answering(headers)
    const { clock, pool } = timelessPool()
    const call = await complete(pool, server.origin)
    await untilIdle(pool)
    clock.advance(3999)
    expect(pool.stats().idle).toBe(1)
    expect(call.sockets[0]!.destroyed).toBe(false)
    clock.advance(1)
    expect(pool.stats()).toMatchObject({ idle: 0, closed: { 'advertised-timeout': 1 } })
    expect(call.sockets[0]!.destroyed).toBe(true)
  })

  it.each([
    ['with Connection: keep-alive', { connection: 'keep-alive' }, 99_000],
    ['without, when it may come from behind a proxy, no longer than keepAliveTimeout', {}, 9000],
  ])('longer than keepAliveTimeout: is obeyed %s', async (_, headers, expected) => {
    const server = await answering({ 'keep-alive': 'timeout=100', ...headers })
    const { clock, pool } = timelessPool({ keepAliveTimeout: 10_000 })
    await complete(pool, server.origin)
    await untilIdle(pool)
    clock.advance(expected - 1)
    expect(pool.stats().idle).toBe(1)
    clock.advance(1)
    expect(pool.stats().idle).toBe(0)
  })

  it('of nothing: the connection is not kept', async () => {
    const server = await answering({ 'keep-alive': 'timeout=0' })
    const { pool } = timelessPool()
    await complete(pool, server.origin)
    await until(() => pool.stats().closed['advertised-timeout'] === 1)
  })

  it('not given: keepAliveTimeout holds', async () => {
    const server = await answering({})
    const { clock, pool } = timelessPool({ keepAliveTimeout: 7000 })
    await complete(pool, server.origin)
    await untilIdle(pool)
    clock.advance(6999)
    expect(pool.stats().idle).toBe(1)
    clock.advance(1)
    expect(pool.stats()).toMatchObject({ idle: 0, closed: { 'idle-timeout': 1 } })
  })

  it('anew with each response', async () => {
    const server = await answering({ 'keep-alive': 'timeout=5' })
    const { clock, pool } = timelessPool()
    for (let n = 0; n < 4; n++) {
      await complete(pool, server.origin)
      await untilIdle(pool)
      clock.advance(3000)
    }
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([4])
  })

  it('of maxLifetime, when it is free', async () => {
    const server = await answering({ 'keep-alive': 'timeout=600' })
    const { clock, pool } = timelessPool({ maxLifetime: 60_000 })
    for (let n = 0; n < 5; n++) {
      await complete(pool, server.origin)
      await untilIdle(pool)
      clock.advance(10_000)
    }
    clock.advance(10_000)
    expect(pool.stats()).toMatchObject({ idle: 0, closed: { 'max-lifetime': 1 } })
  })
})

describe('Keep-Alive: max', () => {
  it.each<[string, (nth: number) => string, number[]]>([
    ['counted down, as by Apache', (nth) => `timeout=5, max=${3 - nth}`, [4, 1]],
    ['constant, as by Node', () => 'timeout=5, max=4', [4, 1]],
    ['in capitals, first', (nth) => `MAX=${3 - nth}, Timeout=5`, [4, 1]],
  ])('%s: is obeyed', async (_, header, expected) => {
    const server = await testScripted(() => {
      let nth = 0
      return [
        forever(request(), async (connection) => {
          await respond({ headers: { 'keep-alive': header(nth++) } })(connection)
        }),
      ]
    })
    const { pool } = timelessPool()
    for (let n = 0; n < 5; n++) {
      await complete(pool, server.origin)
      await until(() => pool.stats().pending === 0)
    }
    expect(server.connections.map(({ requests }) => requests.length)).toEqual(expected)
    expect(pool.stats().closed['advertised-max']).toBe(1)
  })

  it.each<[string, PoolOptions, Record<string, string>]>([
    ['that the server permits', {}, { 'keep-alive': 'timeout=5, max=1' }],
    ['that maxRequests permits', { maxRequests: 2 }, {}],
  ])('the last request %s says that it is the last', async (_, options, headers) => {
    const said: unknown[] = []
    const server = await testServer((request, response) => {
      said.push(request.headers.connection)
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
      response.end()
    })
    const { pool } = timelessPool(options)
    for (let n = 0; n < 3; n++) {
      await complete(pool, server.origin)
      await until(() => pool.stats().active === 0)
    }
    expect(said.slice(0, 2)).toEqual(['keep-alive', 'close'])
    expect(server.connections[0]!.requests).toHaveLength(2)
  })

  it('is ignored by node, which this is not', async () => {
    const server = await answering({ 'keep-alive': 'timeout=5, max=2' })
    const agents = nodeKind.make()
    for (let n = 0; n < 4; n++) {
      await complete(agents, server.origin)
      await untilFree(agents.httpAgent)
    }
    expect(server.connections).toHaveLength(1)
  })
})

describe('a destroyed socket', () => {
  it.each(['lifo', 'fifo'] as const)('is never handed out (%s)', async (scheduling) => {
    for (const { make } of ourKinds) {
      const server = await testServer()
      const agents = make({ scheduling })
      await Promise.all([1, 2, 3, 4].map(() => complete(agents, server.origin)))
      await until(() => shown(agents.httpAgent, 'freeSockets') === server.connections.length)
      const free = freeSocketsOf(agents.httpAgent)
      const healthy = free.splice(1, 1)[0]!
      for (const socket of free) socket.destroy()
      const call = await complete(agents, server.origin)
      expect(call.sockets).toEqual([healthy])
    }
  })

  it('nor one that the server has closed, before anybody here has read of it', async () => {
    const server = await testServer()
    const pool = trustingPool()
    await complete(pool, server.origin)
    await untilIdle(pool)
    server.connections[0]!.socket.destroy()
    // In the same turn as the server's end: only the kernel knows.
    const call = await complete(pool, server.origin, { method: 'POST', body: 'once' })
    expect(call.body).toBe('ok')
    expect(call.sockets.at(-1)!.localPort).toBe(server.connections[1]!.clientPort)
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([1, 1])
  })
})

describe('total caps', () => {
  it('starve nobody: an idle socket of one server makes room for another at once, unlike with node', async () => {
    const [one, other] = [await testServer(), await testServer()]
    for (const { make } of ourKinds) {
      const agents = make({ maxTotalSockets: 2 })
      await Promise.all([complete(agents, one.origin), complete(agents, one.origin)])
      const startedAt = performance.now()
      expect((await complete(agents, other.origin)).body).toBe('ok')
      expect(performance.now() - startedAt).toBeLessThan(500)
    }
  })

  it('serve all servers in turn, while one of them has requests without end', async () => {
    const [busy, quiet] = [await testServer(), await testServer()]
    const pool = trustingPool({ maxTotalConnections: 2 })
    let goesOn = true
    const load = Promise.all(
      Array.from({ length: 10 }, async () => {
        while (goesOn) await complete(pool, busy.origin)
      }),
    )
    await until(() => busy.requestCount() > 20)
    const served = busy.requestCount()
    expect((await complete(pool, quiet.origin)).body).toBe('ok')
    expect(busy.requestCount() - served).toBeLessThan(200)
    goesOn = false
    await load
  })
})

describeWith(['linux', 'koffi'], 'TCP keepalive', () => {
  const liveness = { idle: 7000, interval: 3000, probes: 5 }
  const tuned = { enabled: true, ...liveness }

  /** As it stands on the socket, read back from the kernel. */
  const onSocket = (socket: unknown) => {
    const { native } = loadNative()
    const { fd } = (socket as { _handle: { fd: number } })._handle
    const option = (level: number, name: number) => native!.getInt(fd, level, name)
    return [option(6, 4), option(6, 5), option(6, 6)]
  }

  it('stays as it was set, through releases and what clients do', async () => {
    const server = await testServer()
    const agents = [dropIn({ liveness }), trustingPool({ liveness }).httpAgent]
    for (const agent of agents) {
      const steps: ((request: http.ClientRequest) => void)[] = [
        () => {},
        (request) => request.setSocketKeepAlive(true, 60_000),
        (request) => request.once('socket', (socket) => socket.setKeepAlive(true, 1000)),
        (request) => request.once('socket', (socket) => socket.setKeepAlive(false)),
      ]
      for (const step of steps) {
        const call = new Call({ httpAgent: agent, httpsAgent: agent as never }, server.origin, {}, (request) => {
          step(request)
          request.end()
        })
        await call.ended
        await untilFree(agent)
        expect(onSocket(call.sockets[0])).toEqual([7, 3, 5])
      }
    }
  })

  it('is told by events and by explain()', async () => {
    const server = await testServer()
    const pool = trustingPool({ liveness })
    const told: unknown[] = []
    pool.on('open', ({ connection }) => told.push(connection.liveness))
    await complete(pool, server.origin)
    expect(told).toMatchObject([tuned])
    expect(pool.explain(server.origin).liveness.applied).toMatchObject(tuned)
  })

  it('left off by the pool, is the caller’s for as long as it has the socket', async () => {
    const server = await testServer()
    const pool = trustingPool({ liveness: false })
    const enabled: boolean[] = []
    const isOn = (socket: unknown): boolean =>
      loadNative().native!.getInt((socket as { _handle: { fd: number } })._handle.fd, 1, 9) === 1
    const call = new Call(pool, server.origin, {}, (request) => {
      request.setSocketKeepAlive(true, 5000)
      request.once('response', () => enabled.push(isOn(request.socket)))
      request.end()
    })
    await call.ended
    await untilIdle(pool)
    enabled.push(isOn(call.sockets[0]))
    expect(enabled).toEqual([true, false])
  })
})

describe('requests in turn', () => {
  it.each<[string, CallOptions]>([
    ['GET', {}],
    ['POST', { method: 'POST', body: 'text' }],
  ])('twenty of %s use one connection', async (_, options) => {
    for (const kind of ourKinds) {
      const server = await testServer()
      const agents = kind.make()
      for (let n = 0; n < 20; n++) await complete(agents, server.origin, options)
      expect(server.connections.map(({ requests }) => requests.length)).toEqual([20])
    }
  })

  it('and at once, as many as there are', async () => {
    const server = await testServer()
    const agent = dropIn({ keepAlive: true })
    await Promise.all(Array.from({ length: 30 }, () => completeOver(agent, server.origin)))
    const opened = server.connections.length
    await untilFree(agent, opened)
    await Promise.all(Array.from({ length: 30 }, () => completeOver(agent, server.origin)))
    expect(server.connections).toHaveLength(opened)
  })
})
