/** What an agent shows of its sockets and requests, at each stage, and the events of it and of its sockets. */
import { once } from 'node:events'
import type http from 'node:http'
import net, { type Socket } from 'node:net'
import type tls from 'node:tls'
import { describe, expect, it } from 'vitest'
import { get, testScripted, testServer, turns, until } from '../dispatcher/support.js'
import { halfClose, request, reset, respond, send, silence, wait } from '../support/servers/script-steps.js'
import {
  allKinds,
  both,
  Call,
  complete,
  completeOver,
  describeKinds,
  dropIn,
  dropInKind,
  freeSocketsOf,
  nodeKind,
  ourKinds,
  shown,
  socketOf,
  trustingPool,
  untilFree,
} from './support.js'

/** How many sockets and requests an agent shows. */
const view = (agent: http.Agent) => ({
  sockets: shown(agent, 'sockets'),
  free: shown(agent, 'freeSockets'),
  requests: shown(agent, 'requests'),
  total: (agent as http.Agent & { totalSocketCount: number }).totalSocketCount,
})

describeKinds('sockets, freeSockets and requests', allKinds, ({ make }) => {
  it.each([false, true])('follow a request from beginning to end, TLS: %s', async (isTls) => {
    const held: http.ServerResponse[] = []
    const server = await testServer({ tls: isTls, handler: (_, response) => void held.push(response) })
    const agents = make({ maxSockets: 1 })
    const agent = isTls ? agents.httpsAgent : agents.httpAgent
    expect(view(agent)).toEqual({ sockets: 0, free: 0, requests: 0, total: 0 })
    const first = new Call(agents, server.origin)
    // In the same turn.
    expect(view(agent)).toEqual({ sockets: 1, free: 0, requests: 0, total: 1 })
    const second = new Call(agents, server.origin)
    expect(view(agent)).toEqual({ sockets: 1, free: 0, requests: 1, total: 1 })
    await until(() => held.length === 1)
    expect(view(agent)).toEqual({ sockets: 1, free: 0, requests: 1, total: 1 })
    expect(Object.values(agent.sockets)).toEqual([[first.request.socket]])
    expect(Object.values(agent.requests)).toEqual([[second.request]])
    held[0]!.end()
    await until(() => held.length === 2)
    expect(view(agent)).toEqual({ sockets: 1, free: 0, requests: 0, total: 1 })
    held[1]!.end()
    await second.ended
    await untilFree(agent)
    expect(view(agent)).toEqual({ sockets: 0, free: 1, requests: 0, total: 1 })
    expect(freeSocketsOf(agent)).toEqual([second.sockets[0]])
    agent.destroy()
    await until(() => view(agent).total === 0)
    expect(view(agent)).toEqual({ sockets: 0, free: 0, requests: 0, total: 0 })
  })

  it('have the names that getName gives', async () => {
    const held: http.ServerResponse[] = []
    const server = await testServer((_, response) => void held.push(response))
    const agents = make({ maxSockets: 1 })
    const { httpAgent } = agents
    const options = { host: '127.0.0.1', port: server.port }
    const special = { ...options, localAddress: '127.0.0.2' }
    const calls = [{}, {}, { localAddress: '127.0.0.2' }].map((each) => complete(agents, server.origin, each))
    const names = [options, special].map((each) => httpAgent.getName(each))
    expect(Object.keys(httpAgent.sockets)).toEqual(names)
    expect(Object.keys(httpAgent.requests)).toEqual([names[0]])
    const timer = setInterval(() => held.splice(0).forEach((response) => void response.end()), 2)
    await Promise.all(calls)
    clearInterval(timer)
    await untilFree(httpAgent, 2)
    expect(Object.keys(httpAgent.freeSockets).sort()).toEqual([...names].sort())
    expect(Object.keys(httpAgent.sockets)).toEqual([])
    expect(Object.keys(httpAgent.requests)).toEqual([])
  })

  it('forget a socket that the server closes', async () => {
    const server = await testScripted([request(), respond(), wait(10), halfClose()])
    const agents = make()
    await complete(agents, server.origin)
    await untilFree(agents.httpAgent)
    await until(() => view(agents.httpAgent).total === 0)
    expect(view(agents.httpAgent).free).toBe(0)
  })

  it('forget a socket that a caller destroys while it is free', async () => {
    const server = await testServer()
    const agents = make()
    await complete(agents, server.origin)
    await untilFree(agents.httpAgent)
    freeSocketsOf(agents.httpAgent)[0]!.destroy()
    expect((await complete(agents, server.origin)).body).toBe('ok')
    expect(server.connections).toHaveLength(2)
    await untilFree(agents.httpAgent)
  })
})

describeKinds('sockets and freeSockets', ourKinds, ({ make }) => {
  it('show what other faces of the pool have opened, once an agent’s request may use it', async () => {
    const server = await testServer()
    const pool = trustingPool()
    await get(pool, server.origin)
    expect(view(pool.httpAgent).free).toBe(0)
    await complete(pool, server.origin)
    await untilFree(pool.httpAgent)
    await get(pool, server.origin)
    await until(() => view(pool.httpAgent).free === 1)
  })

  it('show each socket once, though two names lead to it', async () => {
    const server = await testServer()
    const agents = make()
    for (const host of ['localhost', 'LOCALHOST'])
      await complete(agents, 'http://x.invalid', { host, hostname: null, port: server.port, family: 4 })
    await untilFree(agents.httpAgent)
    expect(view(agents.httpAgent)).toMatchObject({ free: 1, total: 1 })
    const name = agents.httpAgent.getName({ host: 'localhost', port: server.port, family: 4 })
    expect(Object.keys(agents.httpAgent.freeSockets)).toEqual([name])
  })

  it('cannot be written', () => {
    const { httpAgent } = make()
    for (const name of ['sockets', 'freeSockets', 'requests', 'totalSocketCount'])
      expect(() => Object.assign(httpAgent, { [name]: {} })).toThrow(TypeError)
  })
})

it('totalSocketCount never shows more than maxTotalSockets', async () => {
  const servers = [await testServer(), await testServer(), await testServer()]
  for (const kind of allKinds) {
    const agents = kind.make({ maxTotalSockets: 4 })
    let most = 0
    const calls = Array.from({ length: 60 }, (_, n) => {
      const call = new Call(agents, servers[n % 3]!.origin)
      call.request.on('socket', () => (most = Math.max(most, view(agents.httpAgent).total)))
      call.request.on('close', () => (most = Math.max(most, view(agents.httpAgent).total)))
      return call.ended
    })
    await Promise.all(calls)
    expect(most).toBe(4)
  }
})

describeKinds('an agent', allKinds, ({ make }) => {
  it('emits "free" with the socket and the options of its request', async () => {
    const server = await testServer()
    const agents = make()
    const told: [Socket, Record<string, unknown>][] = []
    agents.httpAgent.on('free', (socket, options) => told.push([socket, options]))
    const call = await complete(agents, server.origin, { path: '/path', mine: 5 } as never)
    await untilFree(agents.httpAgent)
    expect(told).toHaveLength(1)
    expect(told[0]![0]).toBe(call.sockets[0])
    expect(told[0]![1]).toMatchObject({ host: '127.0.0.1', port: server.port, mine: 5, path: null })
  })

  it('emits "keylog" for its TLS sockets', async () => {
    const server = await testServer({ tls: true })
    const agents = make()
    const lines: [Buffer, tls.TLSSocket][] = []
    agents.httpsAgent.on('keylog', (line, socket) => lines.push([line, socket]))
    const call = await complete(agents, server.origin)
    expect(lines.map(([line]) => `${line}`.split(' ')[0])).toContain('CLIENT_TRAFFIC_SECRET_0')
    for (const [, socket] of lines) expect(socket).toBe(call.sockets[0])
    const count = lines.length
    await untilFree(agents.httpsAgent)
    await complete(agents, server.origin)
    expect(lines.length).toBe(count)
  })

  it('survives an error of a socket that is free', async () => {
    const server = await testScripted((nth) =>
      nth === 1 ? [request(), respond(), wait(15), reset()] : [request(), respond()],
    )
    const agents = make()
    await complete(agents, server.origin)
    await untilFree(agents.httpAgent)
    await until(() => view(agents.httpAgent).total === 0)
    expect((await complete(agents, server.origin)).body).toBe('ok')
  })
})

describeKinds('a socket', allKinds, ({ make }) => {
  it('emits "free" when its request has done with it', async () => {
    const server = await testServer()
    const agents = make()
    const call = new Call(agents, server.origin)
    const socket = await socketOf(call.request)
    const freed = once(socket, 'free')
    await call.ended
    await freed
    await untilFree(agents.httpAgent)
  })

  it('removed by "agentRemove" while it is in use finishes its request, and makes room', async () => {
    const held: http.ServerResponse[] = []
    const server = await testServer((_, response) => void held.push(response))
    const agents = make({ maxSockets: 1 })
    const call = new Call(agents, server.origin)
    await until(() => held.length === 1)
    const [socket] = call.sockets
    socket!.emit('agentRemove')
    expect(view(agents.httpAgent)).toMatchObject({ sockets: 0, total: 0 })
    const next = new Call(agents, server.origin)
    await until(() => held.length === 2)
    held[0]!.end('first')
    held[1]!.end('second')
    await Promise.all([call.ended, next.ended])
    expect([call.body, next.body]).toEqual(['first', 'second'])
    await untilFree(agents.httpAgent)
    expect(freeSocketsOf(agents.httpAgent)).toEqual(next.sockets)
    socket!.destroy()
  })

  it('that opens says so before the first byte: a certificate can be refused by hand', async () => {
    const server = await testServer({ tls: true })
    const agents = make()
    const call = new Call(agents, server.origin, {}, (request) => {
      request.on('socket', (socket: tls.TLSSocket) => {
        socket.on('secureConnect', () => {
          if (socket.getPeerCertificate().fingerprint256 !== 'the one that is pinned')
            request.destroy(Object.assign(new Error('pinned'), { code: 'PINNED' }))
        })
      })
      request.end('secret')
    })
    await call.ended
    expect(call.error).toMatchObject({ code: 'PINNED' })
    await turns(10)
    expect(server.requestCount()).toBe(0)
  })

  it.each([false, true])('that opens says so once, and a kept one does not, TLS: %s', async (isTls) => {
    const server = await testServer({ tls: isTls })
    const agents = make()
    const told: string[] = []
    for (let n = 0; n < 2; n++) {
      const call = new Call(agents, server.origin, {}, (request) => {
        request.on('socket', (socket) => {
          told.push('socket')
          for (const event of ['connect', 'secureConnect', 'ready'] as const)
            socket.once(event as 'connect', () => told.push(event))
        })
        request.end()
      })
      await call.ended
      await untilFree(isTls ? agents.httpsAgent : agents.httpAgent)
    }
    expect(told.sort()).toEqual(['connect', 'ready', ...(isTls ? ['secureConnect'] : []), 'socket', 'socket'])
  })
})

describeKinds('a socket', ourKinds, ({ make }) => {
  it('removed by "agentRemove" while it is free is the caller’s, and not used again, unlike with node', async () => {
    const server = await testServer()
    const agents = make()
    await complete(agents, server.origin)
    await untilFree(agents.httpAgent)
    const [socket] = freeSocketsOf(agents.httpAgent)
    socket!.emit('agentRemove')
    expect(view(agents.httpAgent)).toMatchObject({ free: 0, total: 0 })
    await complete(agents, server.origin)
    agents.httpAgent.destroy()
    await turns()
    expect(socket!.destroyed).toBe(false)
    expect(server.connections).toHaveLength(2)
    socket!.destroy()
  })
})

it('a socket is given to its request when it is connected, unlike with node, which gives it while it opens', async () => {
  const server = await testServer()
  for (const kind of [nodeKind, ...ourKinds]) {
    const call = new Call(kind.make(), server.origin)
    let connecting: boolean | undefined
    call.request.once('socket', (socket) => (connecting = socket.connecting))
    await call.ended
    expect(connecting).toBe(!kind.ours)
  }
})

describe('timeouts', () => {
  const withTimeout = { node: nodeKind, ours: dropInKind }

  it.each(Object.keys(withTimeout) as (keyof typeof withTimeout)[])(
    'of the agent (%s): a free socket says so, and is closed',
    async (which) => {
      const server = await testServer({ keepAliveTimeout: 0 })
      const agents = withTimeout[which].make({ timeout: 60 } as never)
      const { sockets } = await complete(agents, server.origin)
      await untilFree(agents.httpAgent)
      expect(sockets[0]!.timeout).toBe(60)
      const startedAt = performance.now()
      await once(sockets[0]!, 'timeout')
      const took = performance.now() - startedAt
      expect(took).toBeGreaterThan(40)
      expect(took).toBeLessThan(150)
      await until(() => view(agents.httpAgent).total === 0)
      expect(sockets[0]!.destroyed).toBe(true)
    },
  )

  it.each(Object.keys(withTimeout) as (keyof typeof withTimeout)[])(
    'of the agent (%s): a request hears it, and goes on',
    async (which) => {
      const server = await testServer((_, response) => void setTimeout(() => response.end('late'), 100))
      const call = new Call(withTimeout[which].make({ timeout: 40 } as never), server.origin)
      await call.ended
      expect(call.only('timeout', 'error', 'response')).toEqual(['timeout', 'response 200'])
      expect(call.body).toBe('late')
    },
  )

  describeKinds('of a request', allKinds, ({ make }) => {
    const late = (ms: number) => testServer((_, response) => void setTimeout(() => response.end('late'), ms))

    it.each<[string, Parameters<typeof complete>[2], (request: http.ClientRequest) => void]>([
      ['the option', { timeout: 40 }, () => {}],
      ['setTimeout()', {}, (request) => request.setTimeout(40)],
      ['setTimeout() with a callback', {}, (request) => request.setTimeout(40, () => {})],
    ])('%s: hears it, once, and goes on', async (_, options, set) => {
      const server = await late(120)
      const call = new Call(make(), server.origin, options, (request) => {
        set(request)
        request.end()
      })
      await call.ended
      expect(call.only('timeout', 'response', 'error')).toEqual(['timeout', 'response 200'])
    })

    it('is gone from its socket afterwards', async () => {
      const server = await testServer()
      const agents = make()
      const { sockets } = await complete(agents, server.origin, { timeout: 40 })
      await untilFree(agents.httpAgent)
      expect(sockets[0]!.timeout ?? 0).toBe(0)
      const slow = await late(80)
      expect(slow.port).toBeGreaterThan(0)
      const next = await complete(agents, server.origin)
      expect(next.only('timeout')).toEqual([])
    })

    it('runs while it reads', async () => {
      const server = await testScripted([
        request(),
        send('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhalf'),
        silence(),
      ])
      const call = new Call(make(), server.origin, { timeout: 50 })
      await until(() => call.told.includes('timeout'))
      expect(call.body).toBe('half')
      call.request.destroy()
      await call.ended
    })

    it('runs while its connection is opened', async () => {
      const mute = net.createServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1')
      await once(mute, 'listening')
      const { port } = mute.address() as net.AddressInfo
      const call = new Call(make(), `https://127.0.0.1:${port}`, { timeout: 50 })
      await until(() => call.told.includes('timeout'))
      call.request.destroy()
      await call.ended
      mute.close()
      expect(call.only('timeout', 'error')).toEqual(['timeout', 'error ECONNRESET'])
    })

    it('does not run while it waits in line', async () => {
      const server = await testServer((_, response) => void setTimeout(() => response.end(), 40))
      const agents = make({ maxSockets: 1 })
      const calls = [1, 2, 3].map(() => new Call(agents, server.origin, { timeout: 70 }))
      await Promise.all(calls.map((call) => call.ended))
      expect(calls.flatMap((call) => call.only('timeout'))).toEqual([])
    })
  })

  it('connect.timeout ends what is never opened', async () => {
    const mute = net.createServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const pool = trustingPool({ connect: { timeout: 60 } })
    const call = new Call(pool, `https://127.0.0.1:${(mute.address() as net.AddressInfo).port}`)
    await call.ended
    mute.close()
    expect(call.error).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect', cause: { code: 'ERR_KEEPWISE_CONNECT' } })
  })
})

it('a connection that nobody can open is told as by node, with the cause in numbers', async () => {
  const closed = net.createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as net.AddressInfo
  closed.close()
  for (const kind of allKinds) {
    const call = new Call(kind.make(), `http://127.0.0.1:${port}`)
    await call.ended
    expect(call.error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', port })
    if (kind.ours) expect(call.error!.cause).toMatchObject({ code: 'ERR_KEEPWISE_CONNECT' })
    expect(call.only('error', 'close')).toEqual(['error ECONNREFUSED', 'close'])
  }
  const agent = dropIn()
  const call = new Call(both(agent), 'http://keepwise.invalid')
  await call.ended
  expect(call.error).toMatchObject({ code: 'ENOTFOUND', hostname: 'keepwise.invalid' })
  await expect(completeOver(agent, 'http://keepwise.invalid')).rejects.toMatchObject({ syscall: 'getaddrinfo' })
})
