/** Every kind of exchange goes as it goes over node's own agents: the same bytes out, the same events, the same reuse. */
import { once } from 'node:events'
import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { testScripted, testServer, until } from '../dispatcher/support.js'
import type { Agents } from '../replay/caller.js'
import {
  bytes,
  close,
  halfClose,
  interim,
  request,
  requestHead,
  reset,
  respond,
  response,
  send,
  sendInPieces,
  wait,
} from '../support/servers/script-steps.js'
import type { Script } from '../support/servers/scripted.js'
import {
  allKinds,
  Call,
  type CallOptions,
  complete,
  describeKinds,
  freeSocketsOf,
  nodeKind,
  ourKinds,
  poolKind,
  shown,
  trustingPool,
} from './support.js'

interface Scene {
  readonly options?: CallOptions
  /** What the caller does with its request. Without it, it is ended at once. */
  readonly begin?: (request: ClientRequest) => void
  /** Of the server; on the next connection it answers plainly. */
  readonly script: Script
  /** Whether the next request finds the connection again. */
  readonly kept: boolean
}

const post: CallOptions = { method: 'POST' }
/** Writes half of a body, and the rest when there is a response. */
const inHalves = (request: ClientRequest): void => {
  request.write('first half,')
  request.once('response', () => request.end(' second half'))
}

const scenes: Record<string, Scene> = {
  'a response with a length': { script: [request(), respond()], kept: true },
  'a response in chunks': { script: [request(), respond({ framing: 'chunked' })], kept: true },
  'a response of nothing': { script: [request(), respond({ body: '' })], kept: true },
  'a response in pieces of a byte': { script: [request(), sendInPieces(response(), 1, 0)], kept: true },
  'a response with trailers': {
    script: [request(), respond({ framing: 'chunked', trailers: { 'x-sum': 'abc', 'X-Sum': 'def' } })],
    kept: true,
  },
  'HEAD, with a length': {
    options: { method: 'HEAD' },
    script: [request(), send('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n')],
    kept: true,
  },
  'HEAD, in chunks': {
    options: { method: 'HEAD' },
    script: [request(), send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')],
    kept: true,
  },
  '204': { script: [request(), send('HTTP/1.1 204 No Content\r\n\r\n')], kept: true },
  '304, with a length': {
    script: [request(), send('HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n')],
    kept: true,
  },
  '205, with a length of 0': { script: [request(), respond({ status: 205, body: '' })], kept: true },
  'an error of the server': { script: [request(), respond({ status: 500, reason: 'Oh' })], kept: true },
  'a body': { options: { ...post, body: 'text' }, script: [request(), respond()], kept: true },
  'a body in chunks': {
    options: post,
    begin: (request) => {
      request.write('one')
      request.write(Buffer.from('two'))
      request.end('three')
    },
    script: [request(), respond()],
    kept: true,
  },
  'a body, and trailers': {
    options: { ...post, headers: { trailer: 'x-sum' } },
    begin: (request) => {
      request.write('one')
      request.addTrailers({ 'x-sum': 'abc' })
      request.end()
    },
    script: [request(), respond()],
    kept: true,
  },
  'a GET with a body': {
    options: { body: 'why not', headers: { 'content-length': '7' } },
    script: [request(), respond()],
    kept: true,
  },
  'a POST without a body': { options: post, script: [request(), respond()], kept: true },
  'headers in an array': {
    options: {
      ...post,
      headers: ['host', 'of.my.own', 'x-a', '1', 'x-a', '2', 'content-length', '3'] as never,
      body: 'abc',
    },
    script: [request(), respond()],
    kept: true,
  },
  'headers first, the rest later': {
    options: post,
    begin: (request) => {
      request.flushHeaders()
      setTimeout(() => request.end('late'), 10)
    },
    script: [request(), respond()],
    kept: true,
  },
  'Expect: 100-continue, and it is told to': {
    options: { ...post, headers: { expect: '100-continue' } },
    begin: (request) => {
      request.flushHeaders()
      request.once('continue', () => request.end('the body'))
    },
    script: [requestHead(), interim(100, 'Continue'), request(), respond()],
    kept: true,
  },
  'Expect: 100-continue, and it is refused': {
    options: { ...post, headers: { expect: '100-continue', 'content-length': '3' } },
    begin: (request) => {
      request.flushHeaders()
      request.once('response', () => request.end('abc'))
    },
    script: [requestHead(), respond({ status: 417 }), request()],
    kept: true,
  },
  'informational responses before the response': {
    script: [request(), interim(102, 'Processing'), interim(103, 'Early Hints', { link: '</x>' }), respond()],
    kept: true,
  },
  'a response before the body is sent': {
    options: post,
    begin: inHalves,
    script: [requestHead(), respond(), request()],
    kept: true,
  },
  'a response before the body is sent, and the end': {
    options: post,
    begin: inHalves,
    script: [requestHead(), respond({ headers: { connection: 'close' } }), close()],
    kept: false,
  },
  'Connection: close of the server': {
    script: [request(), respond({ headers: { connection: 'close' } })],
    kept: false,
  },
  'Connection: Close, among others': {
    script: [request(), respond({ headers: { Connection: 'x-hop, Close' } })],
    kept: false,
  },
  'Connection: close of the caller, and of the server': {
    options: { headers: { connection: 'close' } },
    script: [request(), respond({ headers: { connection: 'close' } })],
    kept: false,
  },
  'a caller that does not keep alive': {
    begin: (request) => {
      request.shouldKeepAlive = false
      request.end()
    },
    script: [request(), respond()],
    kept: false,
  },
  'HTTP/1.0': { script: [request(), respond({ version: '1.0' })], kept: false },
  'HTTP/1.0 that keeps alive': {
    script: [request(), respond({ version: '1.0', headers: { connection: 'keep-alive' } })],
    kept: true,
  },
  'no length: up to the end': {
    script: [request(), respond({ framing: 'none', body: 'all of it' }), close()],
    kept: false,
  },
  'no length, HTTP/1.0': { script: [request(), respond({ framing: 'none', version: '1.0' }), close()], kept: false },
  'the end after a response': { script: [request(), respond(), halfClose()], kept: false },
  'the end instead of a response': { script: [request(), close()], kept: false },
  'a reset instead of a response': { script: [request(), wait(5), reset()], kept: false },
  'the end in the head of a response': { script: [request(), send('HTTP/1.1 200 OK\r\nx-y: '), close()], kept: false },
  'the end in a body with a length': {
    script: [request(), send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'), close()],
    kept: false,
  },
  'the end in a body in chunks': {
    script: [request(), send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'), close()],
    kept: false,
  },
  'a reset in a body': {
    script: [request(), send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'), wait(20), reset()],
    kept: false,
  },
  'no HTTP': { script: [request(), send('SSH-2.0-OpenSSH_9.2\r\n')], kept: false },
  'a header that is none': { script: [request(), send('HTTP/1.1 200 OK\r\nbad header: \r\n\r\n')], kept: false },
  'two lengths': {
    script: [request(), send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok')],
    kept: false,
  },
  'a length and chunks': {
    script: [
      request(),
      send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'),
    ],
    kept: false,
  },
  'a chunk of no size': {
    script: [request(), send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n')],
    kept: false,
  },
  'a head that is too long': {
    options: { maxHeaderSize: 200 },
    script: [request(), send(`HTTP/1.1 200 OK\r\nx-long: ${'x'.repeat(300)}\r\ncontent-length: 0\r\n\r\n`)],
    kept: false,
  },
  'a head that the caller lets be long': {
    options: { maxHeaderSize: 40_000 },
    script: [request(), send(`HTTP/1.1 200 OK\r\nx-long: ${'x'.repeat(20_000)}\r\ncontent-length: 0\r\n\r\n`)],
    kept: true,
  },
  'a second response behind the first': {
    script: [request(), send(response({ body: 'first' }) + response({ body: 'second' }))],
    kept: false,
  },
}

interface Played {
  readonly told: readonly string[]
  /** Told apart: a busy machine may see the response before the last write is done. */
  readonly finished: number
  readonly status: number | undefined
  readonly body: string
  readonly headers: readonly string[] | undefined
  readonly trailers: readonly string[] | undefined
  /** As the server got it. */
  readonly received: string
  readonly kept: boolean
  readonly after: string
}

async function play(agents: Agents, { options, begin, script, kept }: Scene, tls: boolean): Promise<Played> {
  const server = await testScripted((nth) => (nth === 1 ? [...script, ...plain] : plain), { tls })
  const call = new Call(agents, server.origin, options, begin)
  await call.ended
  const agent = tls ? agents.httpsAgent : agents.httpAgent
  await until(() => shown(agent, 'sockets') === 0 && shown(agent, 'freeSockets') === (kept ? 1 : 0))
  const [first] = server.connections
  const received = first!.bytesReceived
  const log = server.log.filter(({ what, connection }) => what === 'received' && connection === 1)
  const after = await complete(agents, server.origin)
  return {
    told: call.told.filter((event) => event !== 'finish'),
    finished: call.only('finish').length,
    status: call.statusCode,
    body: call.body,
    headers: call.response?.rawHeaders,
    trailers: call.response?.rawTrailers,
    received: log
      .map(({ data }) => data)
      .join('')
      .replaceAll(String(server.port), 'PORT'),
    kept: first!.bytesReceived > received,
    after: after.body,
  }
}

const plain: Script = [request(), respond({ body: 'after' })]

describe.each([false, true])('as over node, TLS: %s:', (tls) => {
  it.each(Object.entries(scenes))('%s', async (_, scene) => {
    const expected = await play(nodeKind.make(), scene, tls)
    expect(expected).toMatchObject({ kept: scene.kept, after: 'after' })
    for (const { make } of tls ? [poolKind] : ourKinds) expect(await play(make(), scene, tls)).toEqual(expected)
  })
})

describeKinds('a connection that is handed over', allKinds, ({ make }) => {
  type Handed = [response: IncomingMessage, socket: Socket, head: Buffer]

  /** The options of an upgrade, or of CONNECT, and the answer that accepts it. */
  const upgrade = {
    event: 'upgrade',
    options: { headers: { connection: 'upgrade', upgrade: 'echo' } },
    answer: 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n',
  }
  const connect = {
    event: 'connect',
    options: { method: 'CONNECT', path: 'far.away:443' },
    answer: 'HTTP/1.1 200 Connection established\r\n\r\n',
  }

  it.each([upgrade, connect])(
    'by $event: is the caller’s, with what came behind the head',
    async ({ event, options, answer }) => {
      const server = await testScripted([requestHead(), send(`${answer}head`), bytes(500)])
      const agents = make({ maxSockets: 1 })
      const call = new Call(agents, server.origin, options)
      const removed = new Promise<Socket>((resolve) =>
        call.request.once('socket', (each) => each.once('agentRemove', () => resolve(each))),
      )
      const [response, socket, head] = (await once(call.request, event)) as Handed
      expect(await removed).toBe(socket)
      expect([response.statusCode, `${head}`]).toEqual([event === 'upgrade' ? 101 : 200, 'head'])
      expect(shown(agents.httpAgent, 'sockets')).toBe(0)
      expect(agents.httpAgent).toMatchObject({ totalSocketCount: 0 })
      for (const name of ['data', 'drain', 'timeout', 'free']) expect(socket.listenerCount(name)).toBe(0)

      const echoed = once(socket, 'data')
      await server.connections[0]!.send('from the server')
      expect(`${(await echoed)[0]}`).toBe('from the server')
      socket.write('from the client')
      await until(() => server.log.some(({ data }) => data === 'from the client'))

      // The one that is allowed is gone: there is room.
      const next = new Call(agents, server.origin)
      await until(() => server.connections.length === 2)
      next.request.destroy()
      agents.httpAgent.destroy()
      expect(socket.destroyed).toBe(false)
      socket.destroy()
      await next.ended
    },
  )

  it.each([upgrade, connect])('by $event, with nobody listening: is closed', async ({ options, answer }) => {
    const server = await testScripted([requestHead(), send(answer)])
    const call = new Call(make(), server.origin, options)
    await call.ended
    expect(call.only('response', 'error', 'close')).toEqual(['close'])
    await until(() => server.log.some(({ what }) => what === 'client-end' || what === 'close'))
  })

  it('is not, where the server does not want to upgrade', async () => {
    const server = await testServer()
    const agents = make()
    const call = await complete(agents, server.origin, upgrade.options)
    expect(call.body).toBe('ok')
    expect(call.only('upgrade')).toEqual([])
  })

  it('is, where the server refuses CONNECT: what it says is for the caller', async () => {
    const server = await testScripted([requestHead(), send('HTTP/1.1 407 No\r\ncontent-length: 2\r\n\r\nno')])
    const call = new Call(make(), server.origin, connect.options)
    const [response, socket, head] = (await once(call.request, 'connect')) as Handed
    expect([response.statusCode, `${head}`]).toEqual([407, 'no'])
    socket.destroy()
  })
})

describeKinds('a caller', allKinds, ({ make }) => {
  it('that does not read the response has the connection until it does', async () => {
    const server = await testServer((_, response) => void response.end('x'.repeat(500_000)))
    const agents = make({ maxSockets: 1 })
    const request = http.get(server.origin, { agent: agents.httpAgent })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    const next = complete(agents, server.origin)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(shown(agents.httpAgent, 'requests')).toBe(1)
    response.resume()
    expect((await next).body).toHaveLength(500_000)
    expect(server.connections).toHaveLength(1)
  })

  it('sends and gets large bodies, whole, on one connection', async () => {
    const server = await testServer((request, response) => void request.pipe(response))
    const agents = make()
    for (const size of [1, 70_000, 3_000_000]) {
      const body = Buffer.alloc(size, `${size} `)
      const call = await complete(agents, server.origin, { method: 'POST', body })
      expect(call.body === body.toString('latin1')).toBe(true)
    }
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([3])
  })

  it('is told of backpressure, and of its end', async () => {
    const server = await testServer()
    const size = 4_000_000
    const call = new Call(make(), server.origin, { method: 'PUT' }, (request) => {
      const more = request.write(Buffer.alloc(size))
      request.once('drain', () => request.end())
      expect(more).toBe(false)
    })
    await call.ended
    expect(call.told).toEqual(['socket', 'drain', 'prefinish', 'finish', 'response 200', 'end', 'close'])
  })

  it('has setNoDelay and setTimeout applied to the socket', async () => {
    const server = await testServer()
    const call = new Call(make(), server.origin, {}, (request) => {
      request.setNoDelay(true)
      request.setSocketKeepAlive(true, 5000)
      request.setTimeout(4321)
      request.end()
    })
    const timeout = new Promise((resolve) => call.request.once('response', () => resolve(call.sockets[0]!.timeout)))
    await call.ended
    expect(await timeout).toBe(4321)
  })

  it('sees one and the same socket from request and response', async () => {
    const server = await testServer()
    const call = new Call(make(), server.origin)
    const seen: boolean[] = []
    call.request.once('response', (response: IncomingMessage & { req?: unknown }) => {
      seen.push(response.socket === call.request.socket, response.req === call.request)
    })
    await call.ended
    expect(seen).toEqual([true, true])
  })

  it('is told whether the socket was used before', async () => {
    const server = await testServer()
    const agents = make()
    const calls = [await complete(agents, server.origin)]
    await until(() => freeSocketsOf(agents.httpAgent).length === 1)
    calls.push(await complete(agents, server.origin))
    expect(calls.map(({ reused, request }) => [reused[0], request.reusedSocket])).toEqual([
      [false, false],
      [true, true],
    ])
    expect(calls[1]!.sockets[0]).toBe(calls[0]!.sockets[0])
  })
})

describe('on purpose, unlike with node,', () => {
  it('Connection: close of the caller is its last word, even if the server goes on (RFC 9112, 9.6)', async () => {
    for (const kind of [nodeKind, ...ourKinds]) {
      const server = await testScripted([request(), respond(), request(), respond()])
      const agents = kind.make()
      await complete(agents, server.origin, { headers: { connection: 'close' } })
      await complete(agents, server.origin)
      expect(server.connections.map(({ requests }) => requests.length)).toEqual(kind.ours ? [1, 1] : [2])
    }
  })

  it('a request that is sent when a response ends gets its connection', async () => {
    for (const kind of [nodeKind, ...ourKinds]) {
      const server = await testServer()
      const agents = kind.make()
      const first = new Call(agents, server.origin)
      const second = await new Promise<Call>((resolve) =>
        first.request.once('response', (response) =>
          response.once('end', () => resolve(new Call(agents, server.origin))),
        ),
      )
      await second.ended
      expect(server.connections).toHaveLength(kind.ours ? 1 : 2)
    }
  })

  it('bytes on an idle connection close it, on every version of Node', async () => {
    for (const { make } of ourKinds) {
      const server = await testScripted((nth) =>
        nth === 1
          ? [request(), respond(), wait(20), send(response({ body: 'forged' }))]
          : [request(), respond({ body: 'genuine' })],
      )
      const agents = make()
      await complete(agents, server.origin)
      await until(() => shown(agents.httpAgent, 'freeSockets') === 1)
      await until(() => shown(agents.httpAgent, 'freeSockets') === 0)
      expect((await complete(agents, server.origin)).body).toBe('genuine')
    }
  })

  it('a response that cannot be parsed is counted as an error, the rest of the pool is not touched', async () => {
    const server = await testScripted((nth) =>
      nth === 2 ? [request(), send('junk\r\n')] : [request(), respond(), wait(50)],
    )
    const pool = trustingPool()
    const calls = [complete(pool, server.origin), complete(pool, server.origin).catch((error) => error)]
    const [good, bad] = await Promise.all(calls)
    expect([good, bad].filter((each) => each instanceof Error)).toHaveLength(1)
    await until(() => pool.stats().pending === 0)
    expect(pool.stats()).toMatchObject({ closed: { error: 1 }, opened: 2, idle: 1 })
  })
})
