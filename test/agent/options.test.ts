/** node's option names, what the pool of a drop-in agent then does, and what is refused. */
import dns from 'node:dns'
import http from 'node:http'
import { describe, expect, it } from 'vitest'
import { HttpAgent, HttpsAgent, OptionError } from '../../src/index.js'
import { planOfAgent } from '../../src/options/agent-options.js'
import { testServer, until } from '../dispatcher/support.js'
import { testCertificates } from '../support/tls.js'
import {
  allKinds,
  both,
  Call,
  complete,
  completeOver,
  describeKinds,
  dropIn,
  optionsOf,
  secureDropIn,
  shown,
  trustingPool,
  untilFree,
} from './support.js'

/** Answers when it is told to, all at once. */
async function holdingServer() {
  const held: http.ServerResponse[] = []
  const server = await testServer((_, response) => void held.push(response))
  return { server, held, release: () => held.splice(0).forEach((response) => void response.end('ok')) }
}

describeKinds('the limits', allKinds, ({ make }) => {
  it('maxSockets: so many to one server at once, the others wait', async () => {
    const { server, held, release } = await holdingServer()
    const agents = make({ maxSockets: 2 })
    const calls = Array.from({ length: 5 }, () => complete(agents, server.origin))
    for (const waiting of [3, 1, 0]) {
      await until(() => held.length === (waiting === 0 ? 1 : 2))
      expect(shown(agents.httpAgent, 'sockets')).toBe(waiting === 0 ? 1 : 2)
      expect(shown(agents.httpAgent, 'requests')).toBe(waiting)
      release()
      await until(() => held.length > 0 || waiting === 0)
    }
    await Promise.all(calls)
    expect(server.connections).toHaveLength(2)
  })

  it('maxTotalSockets: so many to all servers at once', async () => {
    const [one, other] = [await holdingServer(), await holdingServer()]
    const agents = make({ maxTotalSockets: 3 })
    const calls = [one, other, one, other, one].map(({ server }) => complete(agents, server.origin))
    await until(() => one.held.length + other.held.length === 3)
    expect(agents.httpAgent).toMatchObject({ totalSocketCount: 3 })
    expect(shown(agents.httpAgent, 'requests')).toBe(2)
    const timer = setInterval(() => {
      one.release()
      other.release()
    }, 2)
    await Promise.all(calls)
    clearInterval(timer)
  })

  it('maxFreeSockets: so many are kept', async () => {
    const { server, held, release } = await holdingServer()
    const agents = make({ maxFreeSockets: 2 })
    const calls = Array.from({ length: 5 }, () => complete(agents, server.origin))
    await until(() => held.length === 5)
    release()
    await Promise.all(calls)
    await untilFree(agents.httpAgent, 2)
    await until(() => server.openConnections() === 2)
  })

  it.each(['lifo', 'fifo'] as const)('scheduling: %s', async (scheduling) => {
    const { server, held, release } = await holdingServer()
    const agents = make({ scheduling })
    const calls = [complete(agents, server.origin), complete(agents, server.origin)]
    await until(() => held.length === 2)
    held[0]!.end('ok')
    await until(() => shown(agents.httpAgent, 'freeSockets') === 1)
    release()
    const [first, last] = await Promise.all(calls)
    await untilFree(agents.httpAgent, 2)
    const next = new Call(agents, server.origin)
    await until(() => next.sockets.length === 1)
    await until(() => server.requestCount() === 3)
    release()
    await next.ended
    expect(next.sockets[0]).toBe((scheduling === 'lifo' ? last : first)!.sockets[0])
  })

  it('can be raised while requests wait', async () => {
    const { server, held, release } = await holdingServer()
    const agents = make({ maxSockets: 1 })
    const calls = Array.from({ length: 3 }, () => complete(agents, server.origin))
    await until(() => held.length === 1)
    agents.httpAgent.maxSockets = 3
    release()
    const timer = setInterval(release, 2)
    await Promise.all(calls)
    clearInterval(timer)
    expect(agents.httpAgent.maxSockets).toBe(3)
  })
})

describe('limits that are changed', () => {
  it('maxSockets: raised, those who wait go on at once, unlike with node', async () => {
    const { server, held, release } = await holdingServer()
    const agent = dropIn({ keepAlive: true, maxSockets: 1 })
    const calls = Array.from({ length: 4 }, () => completeOver(agent, server.origin))
    await until(() => held.length === 1)
    agent.maxSockets = 3
    await until(() => held.length === 3)
    expect(server.connections).toHaveLength(3)
    const timer = setInterval(release, 2)
    await Promise.all(calls)
    clearInterval(timer)
  })

  it('maxSockets: lowered, what runs is finished, and what is too much is closed', async () => {
    const { server, held, release } = await holdingServer()
    const agent = dropIn({ keepAlive: true, maxSockets: 3 })
    const calls = Array.from({ length: 3 }, () => completeOver(agent, server.origin))
    await until(() => held.length === 3)
    agent.maxSockets = 1
    expect(agent.pool.stats()).toMatchObject({ active: 3 })
    release()
    await Promise.all(calls)
    await untilFree(agent, 1)
    const [one, two] = [completeOver(agent, server.origin), completeOver(agent, server.origin)]
    await until(() => held.length === 1)
    expect(agent.pool.stats()).toMatchObject({ active: 1, waiting: 1 })
    release()
    await one
    await until(() => held.length === 1)
    release()
    await two
    expect(agent.maxSockets).toBe(1)
  })

  it('maxTotalSockets: set for the first time, finds what is idle', async () => {
    const [one, other] = [await testServer(), await testServer()]
    const agent = dropIn({ keepAlive: true })
    await completeOver(agent, one.origin)
    expect(agent.maxTotalSockets).toBe(Infinity)
    agent.maxTotalSockets = 1
    await completeOver(agent, other.origin)
    await until(() => one.openConnections() === 0)
    expect(agent.pool.stats()).toMatchObject({ idle: 1, closed: { surplus: 1 } })
  })

  it('maxFreeSockets: lowered, what is too much is closed', async () => {
    const { server, held, release } = await holdingServer()
    const agent = dropIn({ keepAlive: true })
    const calls = Array.from({ length: 4 }, () => completeOver(agent, server.origin))
    await until(() => held.length === 4)
    release()
    await Promise.all(calls)
    await untilFree(agent, 4)
    agent.maxFreeSockets = 1
    expect(agent.pool.stats()).toMatchObject({ idle: 1, closed: { surplus: 3 } })
    agent.maxFreeSockets = 0
    expect(agent.pool.stats().idle).toBe(0)
  })

  it('keepAlive: switched off, nothing is kept; switched on, as many as maxFreeSockets says', async () => {
    const server = await testServer()
    const agent = dropIn({ keepAlive: true, maxFreeSockets: 5 })
    await completeOver(agent, server.origin)
    await untilFree(agent)
    ;(agent as { keepAlive?: boolean }).keepAlive = false
    expect(agent.pool.stats().idle).toBe(0)
    await completeOver(agent, server.origin)
    await until(() => server.openConnections() === 0)
    expect(agent.maxFreeSockets).toBe(5)
    ;(agent as { keepAlive?: boolean }).keepAlive = true
    await completeOver(agent, server.origin)
    await untilFree(agent)
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([1, 1, 1])
  })

  it.each(['maxSockets', 'maxTotalSockets', 'maxFreeSockets'] as const)('%s takes nothing that is no limit', (name) => {
    const agent = dropIn()
    const before = agent[name]
    for (const bad of ['5', -1, 1.5, Number.NaN, null, undefined])
      expect(() => Object.assign(agent, { [name]: bad }), String(bad)).toThrow(
        expect.objectContaining({ code: 'ERR_KEEPWISE_OPTION', option: name }),
      )
    expect(agent[name]).toBe(before)
  })
})

describe('keepAlive', () => {
  const kept = async (options?: ConstructorParameters<typeof HttpAgent>[0]): Promise<boolean> => {
    const server = await testServer()
    const agent = dropIn(options)
    await completeOver(agent, server.origin)
    await until(() => agent.pool.stats().active === 0)
    return agent.pool.stats().idle === 1
  }

  it.each([
    ['not given', undefined],
    ['false', { keepAlive: false }],
    ['not given, with options of node', { maxSockets: 5, timeout: 1000 }],
    ['false, with an option of the pool', { keepAlive: false, maxRequests: 100 }],
  ])('%s: nothing is kept', async (_, options) => {
    expect(await kept(options)).toBe(false)
  })

  it.each([
    ['true', { keepAlive: true }],
    ['not given, with an option of the pool', { maxRequests: 100 }],
    ['not given, with an option that both have', { maxIdleConnections: 7, maxSockets: 3 }],
  ])('%s: what is free is kept', async (_, options) => {
    expect(await kept(options)).toBe(true)
  })

  it('false: the request says so to the server, as with node', async () => {
    const seen: unknown[] = []
    const server = await testServer((request, response) => {
      seen.push(request.headers.connection)
      response.end()
    })
    for (const agent of [new http.Agent(), dropIn(), new http.Agent({ keepAlive: true }), dropIn({ keepAlive: true })])
      await completeOver(agent, server.origin)
    expect(seen).toEqual(['close', 'close', 'keep-alive', 'keep-alive'])
  })

  it('false, with a limit: what somebody waits for is passed on, as with node', async () => {
    for (const agent of [new http.Agent({ maxSockets: 1 }), dropIn({ maxSockets: 1 })]) {
      const server = await testServer()
      await Promise.all([1, 2, 3].map(() => completeOver(agent, server.origin)))
      expect(server.connections.map(({ requests }) => requests.length)).toEqual([3])
      await until(() => server.openConnections() === 0)
    }
  })

  it('of an agent that keeps nothing does not keep what the dispatcher of its pool has used, either', async () => {
    const server = await testServer()
    const agent = dropIn()
    await (await agent.pool.dispatcher.request({ origin: server.origin, path: '/', method: 'GET' })).body.text()
    await until(() => server.openConnections() === 0)
    expect(agent.pool.stats()).toMatchObject({ idle: 0, closed: { surplus: 1 } })
  })
})

describe('each of node’s names', () => {
  const pool = (options: object) => planOfAgent(options).pool

  it.each([
    ['nothing', {}, { maxConnections: Infinity, maxTotalConnections: Infinity, maxIdleConnections: 0, connect: {} }],
    ['maxSockets', { maxSockets: 50 }, { maxConnections: 50 }],
    ['maxSockets 0, which node takes for none', { maxSockets: 0 }, { maxConnections: Infinity }],
    ['maxTotalSockets', { maxTotalSockets: 9 }, { maxTotalConnections: 9 }],
    ['maxFreeSockets', { keepAlive: true, maxFreeSockets: 9 }, { maxIdleConnections: 9 }],
    ['maxFreeSockets, not given', { keepAlive: true }, { maxIdleConnections: 256 }],
    ['scheduling', { scheduling: 'fifo' }, { scheduling: 'fifo' }],
    ['timeout', { timeout: 900 }, { keepAliveTimeout: 900 }],
    ['keepAliveMsecs', { keepAliveMsecs: 2500 }, { liveness: { idle: 3000, interval: 5000, probes: 3 } }],
    ['keepAliveMsecs, too short', { keepAliveMsecs: 1 }, { liveness: { idle: 1000, interval: 5000, probes: 3 } }],
    [
      'keepAliveMsecs, too long',
      { keepAliveMsecs: Infinity },
      { liveness: { idle: 32_767_000, interval: 5000, probes: 3 } },
    ],
    ['agentKeepAliveTimeoutBuffer', { agentKeepAliveTimeoutBuffer: 0 }, { keepAliveMargin: 0 }],
    ['localAddress', { localAddress: '127.0.0.2' }, { connect: { localAddress: '127.0.0.2' } }],
    [
      'ca and rejectUnauthorized',
      { ca: 'x', rejectUnauthorized: false },
      { connect: { ca: 'x', rejectUnauthorized: false } },
    ],
    ['null, for nothing', { ca: null, timeout: null, maxSockets: null }, { maxConnections: Infinity, connect: {} }],
    ['an option of the pool, before node’s', { maxSockets: 5, maxConnections: 6 }, { maxConnections: 6 }],
    ['connect, beside node’s', { ca: 'x', connect: { timeout: 5, ca: 'y' } }, { connect: { timeout: 5, ca: 'y' } }],
    ['liveness, before node’s', { keepAliveMsecs: 5000, liveness: 'lan' }, { liveness: 'lan' }],
  ])('%s', (_, given, expected) => {
    expect(pool(given)).toMatchObject(expected)
    const agent = dropIn(given as never)
    expect(optionsOf(agent)).toMatchObject(
      Object.fromEntries(
        Object.entries(given).filter(([name]) => !['connect', 'liveness', 'maxConnections'].includes(name)),
      ),
    )
  })

  it('none is there that was not given', () => {
    expect(Object.keys(optionsOf(dropIn()))).toEqual(Object.keys(optionsOf(new http.Agent())))
  })

  it('keepAliveMsecs holds on the socket', async () => {
    const server = await testServer()
    const agent = dropIn({ keepAlive: true, keepAliveMsecs: 45_000 })
    await completeOver(agent, server.origin)
    expect(agent.pool.explain(server.origin).liveness.applied).toMatchObject({ idle: 45_000 })
    expect(agent).toMatchObject({ keepAliveMsecs: 45_000 })
  })

  it('localAddress, lookup and noDelay are for every connection', async () => {
    const server = await testServer()
    const asked: string[] = []
    const lookup: typeof dns.lookup = ((name: string, options: object, done: never) => {
      asked.push(name)
      return dns.lookup(name, { ...options, family: 4 }, done)
    }) as never
    const agent = dropIn({ keepAlive: true, localAddress: '127.0.0.9', lookup, noDelay: true } as never)
    const call = await completeOver(agent, server.origin.replace('127.0.0.1', 'localhost'))
    expect(asked).toEqual(['localhost'])
    expect(call.body).toBe('ok')
    expect(server.connections[0]!.socket.remoteAddress).toBe('127.0.0.9')
  })

  it('host and port come before those of a request, as with node', async () => {
    const server = await testServer()
    for (const agent of [
      new http.Agent({ host: '127.0.0.1', port: server.port } as http.AgentOptions),
      dropIn({ host: '127.0.0.1', port: server.port } as never),
    ])
      expect((await completeOver(agent, 'http://elsewhere.invalid:1')).body).toBe('ok')
  })

  it('socketPath in "connect" leads every request there', async () => {
    const socketPath = `\0keepwise-agent-${process.pid}`
    const server = await testServer({ socketPath })
    const pool = trustingPool({ connect: { socketPath } })
    expect((await complete(pool, 'http://anywhere.invalid')).body).toBe('ok')
    expect(server.connections).toHaveLength(1)
  })

  it('TLS options are for every connection', async () => {
    const { ca, client } = testCertificates()
    const server = await testServer({ tls: true, requestCert: true, ca })
    const agent = secureDropIn({ ca, ...client, maxVersion: 'TLSv1.2' })
    const protocols: unknown[] = []
    server.server.on('secureConnection', (socket) => protocols.push(socket.getProtocol(), socket.authorized))
    await completeOver(agent, server.origin)
    expect(protocols).toEqual(['TLSv1.2', true])
  })
})

describe('what is refused', () => {
  const bad: [object, string, string][] = [
    [{ maxSockets: -1 }, 'maxSockets', 'whole number'],
    [{ maxSockets: '50' }, 'maxSockets', "'50' (string)"],
    [{ maxSockets: 1.5 }, 'maxSockets', 'whole number'],
    [{ maxFreeSockets: -1 }, 'maxFreeSockets', 'whole number'],
    [{ timeout: -1 }, 'timeout', 'milliseconds'],
    [{ timeout: '5s' }, 'timeout', "'5s' (string)"],
    [{ keepAliveMsecs: 'x' }, 'keepAliveMsecs', 'milliseconds'],
    [{ agentKeepAliveTimeoutBuffer: -5 }, 'agentKeepAliveTimeoutBuffer', 'milliseconds'],
    [{ maxConnections: 0 }, 'maxConnections', 'at least 1'],
    [{ replay: 'always' }, 'replay', "'proven'"],
    [{ liveness: 'moon' }, 'liveness', "'moon' (string)"],
  ]
  it.each(bad)('%o', (options, option, words) => {
    for (const Agent of [HttpAgent, HttpsAgent]) {
      const make = () => new Agent(options as never)
      expect(make).toThrow(OptionError)
      expect(make).toThrow(expect.objectContaining({ code: 'ERR_KEEPWISE_OPTION', option }))
      expect(make).toThrow(words)
    }
  })

  it.each([
    [{ maxTotalSockets: 'x' }],
    [{ maxTotalSockets: 0 }],
    [{ maxTotalSockets: -1 }],
    [{ maxTotalSockets: Number.NaN }],
    [{ scheduling: 'filo' }],
  ])('%o, with node’s own error', (options) => {
    const errorOf = (make: () => unknown) => {
      try {
        make()
      } catch (error) {
        const { name, code, message } = error as NodeJS.ErrnoException
        return { name, code, message }
      }
      throw new Error('it was taken')
    }
    const ours = errorOf(() => new HttpAgent(options as never))
    expect(ours).toEqual(errorOf(() => new http.Agent(options as never)))
    expect(ours.code).toMatch(/^ERR_(INVALID_ARG|OUT_OF_RANGE)/)
  })

  it.each([
    ['maxSocket', 'maxSockets'],
    ['maxFreeSocket', 'maxFreeSockets'],
    ['keepalive', 'keepAlive'],
    ['keepAliveMsec', 'keepAliveMsecs'],
    ['maxConnection', 'maxConnections'],
    ['keepAliveTimeot', 'keepAliveTimeout'],
    ['maxTotalSocket', 'maxTotalSockets'],
  ])('%s: did you mean %s?', (name, meant) => {
    expect(() => new HttpAgent({ [name]: 5 } as never)).toThrow(`Unknown option "${name}". Did you mean "${meant}"?`)
  })

  it.each([
    ['freeSocketTimeout', 'keepAliveTimeout'],
    ['freeSocketKeepAliveTimeout', 'keepAliveTimeout'],
    ['socketActiveTTL', 'maxLifetime'],
    ['connections', 'maxConnections'],
    ['connectTimeout', 'connect.timeout'],
  ])('%s, of another library: use %s', (name, meant) => {
    expect(() => new HttpAgent({ [name]: 5 } as never)).toThrow(`Did you mean "${meant}"?`)
  })

  it.each([['text'], [5], [true], [[]]])('%o instead of options', (options) => {
    expect(() => new HttpAgent(options as never)).toThrow(expect.objectContaining({ option: 'options' }))
  })

  it.each([[undefined], [null], [{}]])('but not %o', (options) => {
    expect(dropIn(options as never)).toBeInstanceOf(http.Agent)
  })

  it('but not a name of the caller’s own, which its createConnection may know', () => {
    expect(optionsOf(dropIn({ proxy: 'http://proxy', tenant: 5 } as never))).toMatchObject({
      tenant: 5,
      proxy: 'http://proxy',
    })
  })
})

it('an agent with a limit of maxWaiting refuses what is too much', async () => {
  const { server, held, release } = await holdingServer()
  const agent = dropIn({ maxSockets: 1, maxWaiting: 1 })
  const first = new Call(both(agent), server.origin)
  await until(() => held.length === 1)
  const calls = [first, new Call(both(agent), server.origin), new Call(both(agent), server.origin)]
  await calls[2]!.ended
  expect(calls[2]!.error).toMatchObject({ code: 'ERR_KEEPWISE_QUEUE_FULL' })
  for (const nth of [1, 2]) {
    await until(() => server.requestCount() === nth && held.length === 1)
    release()
  }
  await Promise.all(calls.map((call) => call.ended))
  expect(calls.map(({ statusCode }) => statusCode)).toEqual([200, 200, undefined])
})
