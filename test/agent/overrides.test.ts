/** The methods of an agent that are there to be overridden are called as node calls them, and obeyed. */
import { once } from 'node:events'
import http, { type ClientRequest } from 'node:http'
import net, { type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import tls from 'node:tls'
import { describe, expect, it } from 'vitest'
import { HttpAgent } from '../../src/index.js'
import { get, testScripted, testServer, turns, until } from '../dispatcher/support.js'
import { request, respond, send } from '../support/servers/script-steps.js'
import { testCertificates } from '../support/tls.js'
import {
  allKinds,
  both,
  Call,
  type CallOptions,
  complete,
  completeOver,
  describeKinds,
  dropIn,
  freeSocketsOf,
  nodeKind,
  ourKinds,
  shown,
  trustingPool,
  untilFree,
} from './support.js'

type Connected = (error: Error | null, socket?: Duplex) => void
type Create = (options: net.NetConnectOpts & Record<string, unknown>, done: Connected) => Duplex | null | undefined

/** What it is to do when a connection is to be created. */
function creating<Agent extends http.Agent>(agent: Agent, create: Create): Agent {
  ;(agent as unknown as { createConnection: Create }).createConnection = create
  return agent
}

/** A connection to nowhere that answers each request by itself. */
function answering(): Duplex {
  const stream = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      if (`${chunk}`.endsWith('\r\n\r\n')) stream.push('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine')
      done()
    },
  })
  return stream
}

const connecting: Record<string, (made: Socket[]) => Create> = {
  'that is returned': (made) => (options) => {
    made.push(net.connect(options))
    return made.at(-1)
  },
  'that is given to the callback, at once': (made) => (options, done) => {
    made.push(net.connect(options))
    done(null, made.at(-1))
    return undefined
  },
  'that is given to the callback, later': (made) => (options, done) => {
    setTimeout(() => {
      made.push(net.connect(options))
      done(null, made.at(-1))
    }, 5)
    return undefined
  },
  'that is given to the callback, connected': (made) => (options, done) => {
    const socket = net.connect(options, () => done(null, socket))
    made.push(socket)
    return null
  },
}

describeKinds('createConnection', allKinds, ({ make, ours }) => {
  it.each(Object.entries(connecting))('makes a socket %s, which is used, and used again', async (_, how) => {
    const server = await testServer()
    const agents = make()
    const made: Socket[] = []
    creating(agents.httpAgent, how(made))
    for (let n = 0; n < 3; n++) {
      const call = await complete(agents, server.origin)
      expect(call.body).toBe('ok')
      expect(call.sockets).toEqual([made[0]])
      await untilFree(agents.httpAgent)
    }
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([3])
    expect(freeSocketsOf(agents.httpAgent)).toEqual(made)
  })

  it('may return a socket and give it to the callback, too', async () => {
    const server = await testServer()
    const agents = make()
    creating(agents.httpAgent, (options, done) => {
      const socket = net.connect(options)
      process.nextTick(done, null, socket)
      return socket
    })
    await complete(agents, server.origin)
    await untilFree(agents.httpAgent)
    expect(agents.httpAgent).toMatchObject({ totalSocketCount: 1 })
  })

  it('may make a socket that is connected already', async () => {
    const server = await testServer()
    const agents = make()
    const socket = net.connect(server.port, '127.0.0.1')
    await once(socket, 'connect')
    creating(agents.httpAgent, () => socket)
    const call = await complete(agents, server.origin)
    expect(call.sockets).toEqual([socket])
  })

  it('may make a TLS socket for an agent of http', async () => {
    const server = await testServer({ tls: true })
    const agents = make()
    creating(agents.httpAgent, ({ port, host }) =>
      tls.connect({ port: port as number, host, ca: testCertificates().ca } as tls.ConnectionOptions),
    )
    const call = await complete(agents, server.origin.replace('https', 'http'))
    expect(call.body).toBe('ok')
  })

  const broken: Record<string, Create> = {
    'calls back with an error at once': (_, done) => void done(failure()),
    'calls back with an error later': (_, done) => void setTimeout(done, 5, failure()),
    'makes a socket that fails later': () => failing(5),
    'makes a socket that fails, and calls back with the error as well': (_, done) => {
      const socket = never()
      setTimeout(() => {
        socket.destroy(failure())
        done(failure())
      }, 5)
      return socket
    },
    // node does not come to an end with it.
    ...(ours && {
      'makes a socket that has failed': () => failing(0),
      'makes one that fails now': () => never().destroy(failure()),
    }),
  }

  it.each(Object.entries(broken))('%s: that is the error of the request', async (_, create) => {
    const agents = make()
    creating(agents.httpAgent, create)
    const call = new Call(agents, 'http://nowhere.invalid')
    await call.ended
    expect(call.error).toMatchObject({ code: 'MINE', message: 'mine' })
    expect(call.only('error', 'close')).toEqual(['error MINE', 'close'])
    await until(() => shown(agents.httpAgent, 'sockets') === 0)
  })

  it('that fails leaves the agent fit for the next one', async () => {
    const server = await testServer()
    const agents = make({ maxSockets: 1 })
    let fails = true
    creating(agents.httpAgent, (options) => {
      return fails ? failing(2) : net.connect(options)
    })
    await expect(complete(agents, server.origin)).rejects.toMatchObject({ code: 'MINE' })
    fails = false
    expect((await complete(agents, server.origin)).body).toBe('ok')
  })

  it('is given the options of the request and of the agent', async () => {
    const server = await testServer()
    const agents = make()
    const given: Record<string, unknown>[] = []
    creating(agents.httpAgent, (options) => {
      given.push(options)
      return net.connect(options)
    })
    await complete(agents, server.origin, { path: '/path?query', mine: 'own', timeout: 5000 } as CallOptions)
    expect(given[0]).toMatchObject({
      ...{ host: '127.0.0.1', port: server.port, path: null, mine: 'own', encoding: null, servername: '' },
      ...{ timeout: 5000, keepAlive: true, keepAliveInitialDelay: 1000 },
    })
  })

  it('of https is given the server name', async () => {
    const server = await testServer({ tls: true })
    const agents = make()
    const given: Record<string, unknown>[] = []
    creating(agents.httpsAgent, (options) => {
      given.push(options)
      return tls.connect(options as tls.ConnectionOptions)
    })
    await complete(agents, server.origin, { headers: { host: 'localhost' } })
    await complete(agents, server.origin)
    expect(given.map(({ servername }) => servername)).toEqual(['localhost', ''])
    expect(given[0]!._agentKey).not.toBe(given[1]!._agentKey)
  })

  it('is called in the turn of the request, if nothing is open', async () => {
    const server = await testServer()
    const agents = make()
    let called = false
    creating(agents.httpAgent, (options) => {
      called = true
      return net.connect(options)
    })
    const call = new Call(agents, server.origin)
    expect(called).toBe(true)
    await call.ended
  })

  it(`that throws ${ours ? 'fails the request, not its caller' : 'throws at its caller'}`, async () => {
    const agents = make()
    creating(agents.httpAgent, () => {
      throw failure()
    })
    if (!ours) expect(() => new Call(agents, 'http://nowhere.invalid')).toThrow('mine')
    else {
      const call = new Call(agents, 'http://nowhere.invalid')
      await call.ended
      expect(call.told).toEqual(['error MINE', 'close'])
    }
  })
})

/** A socket that never gets anywhere. */
const never = (): Socket => net.connect({ host: 'nowhere.invalid', port: 80, lookup: () => {} })

/** A socket that fails after some milliseconds, while it is being connected. */
function failing(after: number): Socket {
  const socket = never()
  setTimeout(() => socket.destroy(failure()), after)
  return socket
}

const failure = (): Error => Object.assign(new Error('mine'), { code: 'MINE' })

describeKinds('createConnection', ourKinds, ({ make }) => {
  it.each<[string, () => Create]>([
    ['returned', () => () => answering()],
    ['given to the callback', () => (_, done) => void done(null, answering())],
    ['given to the callback later', () => (_, done) => void setTimeout(done, 5, null, answering())],
  ])('may make a stream that is no socket, which node cannot keep: %s', async (_, how) => {
    const agents = make()
    creating(agents.httpAgent, how())
    for (let n = 0; n < 3; n++) expect((await complete(agents, 'http://nowhere.invalid')).body).toBe('mine')
  })

  it('of one agent makes connections for nobody else', async () => {
    const server = await testServer()
    const agents = make()
    const others = make()
    await complete(agents, server.origin)
    creating(agents.httpAgent, (options) => net.connect(options))
    await complete(agents, server.origin)
    await complete(others, server.origin)
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([1, 1, 1])
  })

  it('makes sockets within the time of connect.timeout', async () => {
    const agent = creating(dropIn({ connect: { timeout: 50 } }), never)
    const call = new Call(both(agent), 'http://nowhere.invalid')
    await call.ended
    expect(call.error).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect' })
    expect(call.error!.message).toContain('connect.timeout is 50 ms')
  })

  it('that calls back when nobody waits any more has its socket closed', async () => {
    const server = await testServer()
    const agent = dropIn({ connect: { timeout: 20 } })
    let late: Socket | undefined
    creating(agent, (options, done) => {
      setTimeout(() => {
        late = net.connect(options)
        done(null, late)
      }, 60)
      return undefined
    })
    await expect(completeOver(agent, server.origin)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    await until(() => late?.destroyed === true)
  })

  it('calls back twice: the second socket is not used, nor the agent harmed', async () => {
    const server = await testServer()
    const agents = make()
    creating(agents.httpAgent, (options, done) => {
      done(null, net.connect(options))
      done(null, net.connect(options))
      return undefined
    })
    expect((await complete(agents, server.origin)).body).toBe('ok')
    await untilFree(agents.httpAgent)
    expect(agents.httpAgent).toMatchObject({ totalSocketCount: 1 })
  })

  it('in a pool: the dispatcher goes on to make its own', async () => {
    const server = await testServer()
    const pool = trustingPool()
    let calls = 0
    creating(pool.httpAgent, (options) => {
      calls++
      return net.connect(options)
    })
    await complete(pool, server.origin)
    await get(pool, server.origin)
    await complete(pool, server.origin)
    expect(calls).toBe(1)
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([2, 1])
  })

  it('made in a subclass is used for all of its agents, apart from each other', async () => {
    const server = await testServer()
    let calls = 0
    class Counting extends HttpAgent {
      override createConnection(options: net.NetConnectOpts): Socket {
        calls++
        return net.connect(options)
      }
    }
    const agents = [new Counting({ keepAlive: true }), new Counting({ keepAlive: true })]
    for (const agent of [...agents, ...agents]) await completeOver(agent, server.origin)
    for (const agent of agents) agent.pool.destroy()
    expect(calls).toBe(2)
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([2, 2])
  })

  it('tunes the sockets that it makes: Ti, Td and Nm', async () => {
    const server = await testServer()
    const agent = creating(dropIn({ liveness: { idle: 7000, interval: 2000, probes: 4 } }), (options) =>
      net.connect(options),
    )
    const opened: unknown[] = []
    agent.pool.on('open', ({ connection }) => opened.push(connection.liveness))
    await completeOver(agent, server.origin)
    expect(opened).toMatchObject([{ enabled: true, idle: 7000, interval: 2000, probes: 4 }])
  })
})

describeKinds('getName', allKinds, ({ make }) => {
  it('gives the names under which sockets are shown', async () => {
    const server = await testServer()
    const agents = make()
    agents.httpAgent.getName = () => 'my name'
    await complete(agents, server.origin)
    await untilFree(agents.httpAgent)
    expect(Object.keys(agents.httpAgent.freeSockets)).toEqual(['my name'])
  })

  it('keeps apart what it names differently', async () => {
    const server = await testServer()
    const agents = make()
    const { httpAgent } = agents
    const { getName } = httpAgent
    httpAgent.getName = (options) => `${getName.call(httpAgent, options)} ${(options as { tenant?: string })?.tenant}`
    for (const tenant of ['one', 'two', 'one', 'two']) {
      await complete(agents, server.origin, { tenant } as CallOptions)
      await until(() => shown(httpAgent, 'sockets') === 0)
    }
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([2, 2])
  })
})

it('getName that gives one name to two servers does not mix them up, unlike with node', async () => {
  const body = async (kind: (typeof allKinds)[number]): Promise<string[]> => {
    const servers = [
      await testServer((_, response) => void response.end('first')),
      await testServer((_, response) => void response.end('second')),
    ]
    const agents = kind.make()
    agents.httpAgent.getName = () => 'everybody'
    const bodies: string[] = []
    for (const { origin } of servers) {
      bodies.push((await complete(agents, origin)).body)
      await until(() => shown(agents.httpAgent, 'sockets') === 0)
    }
    return bodies
  }
  expect(await body(nodeKind)).toEqual(['first', 'first'])
  for (const kind of ourKinds) expect(await body(kind)).toEqual(['first', 'second'])
})

describeKinds('keepSocketAlive', allKinds, ({ make }) => {
  it('is asked about the socket of every response', async () => {
    const server = await testServer()
    const agents = make()
    const asked: Socket[] = []
    ;(agents.httpAgent as HttpAgent).keepSocketAlive = (socket) => {
      asked.push(socket)
      return true
    }
    const calls: Call[] = []
    for (let n = 0; n < 3; n++) {
      calls.push(await complete(agents, server.origin))
      await untilFree(agents.httpAgent)
    }
    expect(asked).toEqual(calls.map(({ sockets }) => sockets[0]))
  })

  it('that says no has it closed', async () => {
    const server = await testServer()
    const agents = make()
    ;(agents.httpAgent as HttpAgent).keepSocketAlive = () => false
    for (let n = 0; n < 3; n++) {
      const { sockets } = await complete(agents, server.origin)
      await until(() => sockets[0]!.destroyed)
    }
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([1, 1, 1])
    expect(shown(agents.httpAgent, 'freeSockets')).toBe(0)
  })

  it('is not asked where somebody waits for the socket', async () => {
    const server = await testServer()
    const agents = make({ maxSockets: 1 })
    let asked = 0
    ;(agents.httpAgent as HttpAgent).keepSocketAlive = () => {
      asked++
      return false
    }
    await Promise.all([1, 2, 3].map(() => complete(agents, server.origin)))
    await until(() => shown(agents.httpAgent, 'sockets') === 0)
    expect(asked).toBe(1)
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([3])
  })
})

it('keepSocketAlive that says no is counted as surplus, and asked for every socket of the pool by the agent alone', async () => {
  const server = await testServer()
  const pool = trustingPool()
  pool.httpAgent.keepSocketAlive = () => false
  await complete(pool, server.origin)
  await until(() => pool.stats().closed.surplus === 1)
  await get(pool, server.origin)
  expect(pool.stats()).toMatchObject({ idle: 1, opened: 2 })
})

describeKinds('reuseSocket', allKinds, ({ make }) => {
  it('is told of every socket that is used again, and by whom', async () => {
    const server = await testServer()
    const agents = make()
    const told: [Socket, ClientRequest][] = []
    ;(agents.httpAgent as HttpAgent).reuseSocket = (socket, request) => {
      told.push([socket, request])
    }
    const calls: Call[] = []
    for (let n = 0; n < 3; n++) {
      calls.push(await complete(agents, server.origin))
      await untilFree(agents.httpAgent)
    }
    expect(told).toEqual(calls.slice(1).map(({ sockets, request }) => [sockets[0], request]))
  })
})

describe('methods that are called by others', () => {
  it('addRequest takes the arguments that node took before it had options objects', async () => {
    const server = await testServer()
    for (const { make } of ourKinds) {
      const { httpAgent } = make()
      const request = http.request({
        host: '127.0.0.1',
        port: server.port,
        path: '/old',
        agent: { addRequest: () => {} } as never,
      })
      ;(httpAgent as unknown as { addRequest(...args: unknown[]): void }).addRequest(request, '127.0.0.1', server.port)
      request.end()
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      response.resume()
      await once(response, 'end')
      await until(() => shown(httpAgent, 'sockets') === 0)
    }
    expect(server.connections.flatMap(({ requests }) => requests.map(({ path }) => path))).toEqual(['/old', '/old'])
  })

  it('an agent that only passes requests on to another one', async () => {
    const server = await testServer()
    const pool = trustingPool()
    class Outer extends http.Agent {
      addRequest(...args: unknown[]): void {
        ;(pool.httpAgent as unknown as { addRequest(...args: unknown[]): void }).addRequest(...args)
      }
    }
    const outer = new Outer({ keepAlive: true })
    for (let n = 0; n < 2; n++) expect((await completeOver(outer, server.origin)).body).toBe('ok')
    expect(pool.stats()).toMatchObject({ opened: 1, requests: 2 })
  })

  it('destroy() of a request’s socket by an override is survived', async () => {
    const server = await testScripted([request(), respond(), send('')])
    const agent = dropIn({ keepAlive: true })
    agent.keepSocketAlive = (socket) => {
      socket.destroy()
      return true
    }
    await completeOver(agent, server.origin)
    await turns()
    await until(() => agent.pool.stats().active + agent.pool.stats().idle === 0)
  })
})
