/** What the agents are: true instances of node's classes, with or without `new`, to be extended like them. */
import http from 'node:http'
import https from 'node:https'
import { inherits, inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HttpAgent, HttpsAgent, type Pool } from '../../src/index.js'
import { testServer } from '../dispatcher/support.js'
import { testCertificates } from '../support/tls.js'
import { completeOver, dropIn, secureDropIn, trustingPool, untilFree } from './support.js'

const { ca } = testCertificates()

/** An agent made by whatever way, whose pool ends with the test. */
function ending<Agent extends http.Agent & { pool: Pool }>(agent: Agent): Agent {
  onTestFinished(() => agent.pool.destroy())
  return agent
}

const agents: [string, () => http.Agent, typeof http.Agent | typeof https.Agent][] = [
  ['new HttpAgent()', () => dropIn(), http.Agent],
  ['new HttpsAgent()', () => secureDropIn(), https.Agent],
  ['pool.httpAgent', () => trustingPool().httpAgent, http.Agent],
  ['pool.httpsAgent', () => trustingPool().httpsAgent, https.Agent],
]

describe.each(agents)('%s', (_, make, Class) => {
  it('is an instance of node’s class', () => {
    const agent = make()
    expect(agent).toBeInstanceOf(Class)
    expect(agent).toBeInstanceOf(http.Agent)
    expect(agent instanceof https.Agent).toBe(Class === https.Agent)
  })

  it('has every property that node’s has, with the same type', () => {
    const agent = make() as unknown as Record<string, unknown>
    const plain = new Class({ keepAlive: true }) as unknown as Record<string, unknown>
    const names = Object.keys(plain).filter((name) => !name.startsWith('_'))
    expect(names).toContain('maxCachedSessions' in plain ? 'maxCachedSessions' : 'maxSockets')
    for (const name of names) expect([name, typeof agent[name]]).toEqual([name, typeof plain[name]])
    expect(Object.keys(agent)).toEqual(expect.arrayContaining(names))
    expect([agent.protocol, agent.defaultPort]).toEqual([plain.protocol, plain.defaultPort])
  })

  it('has every method that node’s has', () => {
    const agent = make() as unknown as Record<string, unknown>
    const methods: string[] = []
    for (let proto = Class.prototype; proto !== Object.prototype; proto = Object.getPrototypeOf(proto))
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(proto)))
        if (typeof value === 'function' && !name.startsWith('_')) methods.push(name)
    expect(methods).toEqual(expect.arrayContaining(['addRequest', 'createConnection', 'on', 'destroy']))
    for (const name of methods) expect([name, typeof agent[name]]).toEqual([name, 'function'])
  })

  it('gives the names that node’s gives', () => {
    const agent = make()
    const plain = new Class()
    for (const options of [
      {},
      { host: 'localhost', port: 80, localAddress: '127.0.0.1' },
      { host: 'localhost', port: 80, family: 4 },
      { socketPath: '/tmp/socket' },
      { host: 'a', port: 443, ca: 'ca', servername: 'b', rejectUnauthorized: false, minVersion: 'TLSv1.2' },
    ])
      expect(agent.getName(options as never)).toBe(plain.getName(options as never))
    expect((agent as { getName(): string }).getName()).toBe((plain as { getName(): string }).getName())
  })

  it('can be shown', () => {
    expect(inspect(make(), { depth: 1 })).toContain('maxSockets')
    expect(inspect(make())).toContain('freeSockets')
  })

  it('keeps nothing alive that was never used', () => {
    const agent = make()
    expect(agent).toMatchObject({ totalSocketCount: 0, sockets: {}, freeSockets: {}, requests: {} })
    agent.destroy()
  })
})

describe.each([
  ['HttpAgent', HttpAgent, http.Agent, false],
  ['HttpsAgent', HttpsAgent, https.Agent, true],
] as const)('%s', (name, Ours, Node, tls) => {
  it('has its name, its prototype and its constructor', () => {
    expect(Ours.name).toBe(name)
    const agent = ending(new Ours())
    expect(agent).toBeInstanceOf(Ours)
    expect(agent.constructor.name).toBe(name)
    expect(Object.getPrototypeOf(agent)).toBe(Ours.prototype)
    expect(Object.prototype.isPrototypeOf.call(Node.prototype, Ours.prototype)).toBe(true)
  })

  it('can do without new', () => {
    const agent = ending((Ours as unknown as (options: object) => HttpAgent)({ maxSockets: 3 }))
    expect(agent).toBeInstanceOf(Ours)
    expect(agent.maxSockets).toBe(3)
  })

  it.each<[string, () => new (options: object) => HttpAgent]>([
    [
      'a class',
      () =>
        class Extended extends (Ours as typeof HttpAgent) {
          readonly mine = true
        },
    ],
    [
      'util.inherits',
      () => {
        function Extended(this: HttpAgent & { mine: boolean }, options: object): void {
          ;(Ours as unknown as (this: unknown, options: object) => void).call(this, options)
          this.mine = true
        }
        inherits(Extended as unknown as new () => object, Ours as unknown as new () => object)
        return Extended as unknown as new (
          options: object,
        ) => HttpAgent
      },
    ],
  ])('can be extended by %s, which works', async (_, extend) => {
    const Extended = extend()
    const server = await testServer({ tls })
    const agent = ending(new Extended({ keepAlive: true, maxSockets: 1, ...(tls && { ca }) }))
    expect(agent).toBeInstanceOf(Extended)
    expect(agent).toBeInstanceOf(Ours)
    expect(agent).toBeInstanceOf(Node)
    expect(agent).toMatchObject({ mine: true, maxSockets: 1 })
    await Promise.all([1, 2, 3].map(() => completeOver(agent, server.origin)))
    await untilFree(agent)
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([3])
    expect(agent.pool.stats()).toMatchObject({ requests: 3, idle: 1 })
  })

  it('has a pool of its own, each', async () => {
    const server = await testServer({ tls })
    const [one, other] = [ending(new Ours({ keepAlive: true, ca })), ending(new Ours({ keepAlive: true, ca }))]
    for (const agent of [one, other, one]) await completeOver(agent, server.origin)
    expect(one.pool).not.toBe(other.pool)
    expect([one.pool.stats().requests, other.pool.stats().requests]).toEqual([2, 1])
    expect(server.connections).toHaveLength(2)
  })

  it('leaves node’s class as it is', async () => {
    const server = await testServer({ tls })
    const plain = new Node({ keepAlive: true, ca } as http.AgentOptions)
    await completeOver(plain, server.origin)
    await untilFree(plain)
    plain.destroy()
    expect(Object.getOwnPropertyDescriptor(plain, 'sockets')).toHaveProperty('value')
  })
})

it('a protocol that is not the agent’s is refused, as by node', () => {
  expect(() => http.get('http://localhost', { agent: secureDropIn() })).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_PROTOCOL' }),
  )
})
