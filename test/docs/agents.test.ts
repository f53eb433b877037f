/**
 * docs/agents.md: its tables of options are those of the code, and what it says of node's agents and of those of keepwise is
 * so, one beside the other.
 */
import { once } from 'node:events'
import http, { type AgentOptions, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import https from 'node:https'
import net, { type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HttpAgent, type HttpAgentOptions, HttpsAgent, livenessPresets } from '../../src/index.js'
import { planOfAgent } from '../../src/options/agent-options.js'
import { connectSpecs } from '../../src/options/connect.js'
import { LIVENESS_DEFAULT, optionNames, optionSpecs, type PoolOptions } from '../../src/options/pool-options.js'
import { Pool } from '../../src/pool.js'
import { MOST_REMEMBERED } from '../../src/replay/remembered-body.js'
import { withServer } from '../support/servers/node.js'
import { testCertificates } from '../support/tls.js'
import { code, Page, type Row } from './markdown.js'
import { constantKeys, constantStrings } from './source.js'

const page = new Page('docs/agents.md')
const codes = (cell: string | undefined): string[] =>
  [...(cell ?? '').matchAll(/`([^`]*)`/g)].map(([, text]) => text as string)

/** The value that a default is written as. */
const parsed = (written: string): unknown =>
  written === 'Infinity' ? Infinity : JSON.parse(written.replaceAll('_', '').replaceAll("'", '"'))

describe('the options of the drop-in classes', () => {
  const rows = page.table('The drop-in classes', 'Option')

  it('are all listed, once', () => {
    const names = [
      ...constantKeys('options/agent-options.ts', 'nodeSpecs'),
      ...constantStrings('options/agent-options.ts', 'nodeNames'),
    ]
    expect(names.length).toBeGreaterThan(10)
    expect(rows.flatMap((row) => codes(row.Option)).sort()).toEqual(names.sort())
  })

  it.each(rows.flatMap((row) => codes(row.Option).map((name) => [name, row.Default as string] as const)))(
    '%s has the default %s',
    (name, written) => {
      const agents = [new HttpAgent(), new HttpsAgent()] as unknown as Record<string, unknown>[]
      const values = agents.map((agent) => agent[name] ?? (agent.options as Record<string, unknown>)[name] ?? undefined)
      if (written === 'of the class') {
        const nodes = [new http.Agent(), new https.Agent()] as unknown as Record<string, unknown>[]
        expect(values).toEqual(nodes.map((agent) => agent[name]))
      } else if (written === 'none') expect(values).toEqual([undefined, undefined])
      else for (const value of values) expect(value).toBe(parsed(code(written)))
    },
  )

  const given: Readonly<Record<string, { value: unknown; comesTo: Readonly<Record<string, unknown>> }>> = {
    keepAlive: { value: true, comesTo: { maxIdleConnections: 256 } },
    maxSockets: { value: 7, comesTo: { maxConnections: 7 } },
    maxTotalSockets: { value: 7, comesTo: { maxTotalConnections: 7 } },
    maxFreeSockets: { value: 7, comesTo: { maxIdleConnections: 7 } },
    scheduling: { value: 'fifo', comesTo: { scheduling: 'fifo' } },
    timeout: { value: 7_000, comesTo: { keepAliveTimeout: 7_000 } },
    keepAliveMsecs: { value: 6_500, comesTo: { liveness: { ...livenessPresets.cloud, idle: 7_000 } } },
    agentKeepAliveTimeoutBuffer: { value: 700, comesTo: { keepAliveMargin: 700 } },
    proxyEnv: { value: {}, comesTo: {} },
    protocol: { value: 'http:', comesTo: {} },
    defaultPort: { value: 8080, comesTo: {} },
    host: { value: 'localhost', comesTo: {} },
    port: { value: 8080, comesTo: {} },
    path: { value: '/', comesTo: {} },
  }

  it.each(rows.flatMap((row) => codes(row.Option).map((name) => [name, row.Sets as string] as const)))(
    '%s sets %s',
    (name, sets) => {
      const { value, comesTo } = given[name] as (typeof given)[string]
      const without = planOfAgent({ keepAlive: name !== 'keepAlive' }).pool
      const { pool } = planOfAgent({ keepAlive: true, [name]: value })
      const changed = Object.entries(pool).filter(([key, each]) => {
        const before = without[key as keyof PoolOptions]
        return JSON.stringify(each) !== JSON.stringify(before)
      })
      expect(Object.fromEntries(changed)).toEqual(comesTo)
      expect(Object.keys(comesTo)).toEqual(sets === 'nothing' ? [] : codes(sets))
      for (const key of Object.keys(comesTo)) expect(optionNames).toContain(key)
    },
  )

  it('have a connection closed that idles for as long as "timeout", whatever its server advertises', async () => {
    const agent = ended(new HttpAgent({ keepAlive: true, timeout: 100 }))
    const closed = new Promise((resolve) => agent.pool.on('close', ({ reason }) => resolve(reason)))
    await get(await serve(['Keep-Alive: timeout=60']), agent)
    expect(await Promise.race([closed, sleep(2_000)])).toBe('idle-timeout')
  })

  it('that are 0 mean the default, for maxSockets and maxFreeSockets', () => {
    const agent = new HttpAgent({ maxSockets: 0, maxFreeSockets: 0 })
    expect([agent.maxSockets, agent.maxFreeSockets]).toEqual([Infinity, 256])
    for (const name of ['maxSockets', 'maxFreeSockets'])
      expect(rows.find((row) => code(row.Option) === name)?.Meaning).toContain('0 means the default')
  })

  it.each(['negative', 'textual'])('throw where they are %s, as the page says', (kind) => {
    expect(page.section('What is different')).toContain('negative or textual')
    for (const name of ['maxSockets', 'maxFreeSockets', 'timeout'])
      expect(() => new HttpAgent({ [name]: kind === 'negative' ? -1 : '5' }), name).toThrow(`Option "${name}"`)
  })
})

describe('keepAlive by default', () => {
  const values: Record<string, unknown> = { liveness: LIVENESS_DEFAULT, connect: {} }
  for (const [name, { default: value }] of Object.entries(optionSpecs)) values[name] = value

  it.each(optionNames.filter((name) => name !== 'scheduling'))('is true where %s is given', (name) => {
    expect(new HttpAgent({ [name]: values[name] })).toHaveProperty('keepAlive', true)
  })

  it.each([{}, { scheduling: 'fifo' }, { maxSockets: 5 }, { timeout: 1_000 }, { ca: '' }])(
    'is false with %j, which is node’s',
    (options) => {
      expect(new HttpAgent(options as HttpAgentOptions)).toHaveProperty('keepAlive', false)
    },
  )
})

describe('the properties that can be set', () => {
  const rows = page.table('Properties that can be set', 'Property')
  const agent = (): HttpAgent & Record<string, unknown> => new HttpAgent({ keepAlive: true }) as never

  it('are all listed', () => {
    const settable = Object.entries(Object.getOwnPropertyDescriptors(agent()))
      .filter(([, { set }]) => set !== undefined)
      .map(([name]) => name)
    expect(rows.map((row) => code(row.Property)).sort()).toEqual(settable.sort())
  })

  it.each(rows.map((row) => [code(row.Property), code(row.Sets)] as const))('%s sets %s', (name, option) => {
    const one = agent()
    const { core } = Pool.groundOf(one.pool)
    Object.assign(one, { [name]: name === 'keepAlive' ? false : 3 })
    expect(core.options[option as 'maxConnections']).toBe(name === 'keepAlive' ? 0 : 3)
  })
})

it('has the limits that node does not have, with their defaults', () => {
  const specs: Record<string, { default: unknown }> = {
    ...optionSpecs,
    'connect.timeout': connectSpecs.timeout,
    'connect.concurrency': connectSpecs.concurrency,
  }
  const rows = page.table('Limits that node does not have', 'Limit')
  expect(rows).toHaveLength(4)
  for (const row of rows) expect(parsed(code(row.Default))).toBe(specs[code(row.Limit)]?.default)
})

it('says how much of a request is remembered', () => {
  expect(MOST_REMEMBERED).toBe(1024 * 1024)
  expect(page.section('Requests that are sent again')).toContain('up to 1 MiB')
})

it('names the methods that can be overridden, which are node’s', () => {
  const names = page.table('Subclasses', 'Method').map((row) => code(row.Method))
  expect(names).toHaveLength(4)
  for (const name of names) expect(http.Agent.prototype).toHaveProperty(name)
})

// --- one beside the other --------------------------------------------------------------------------------------------

/** An agent of either kind. */
type Make = (options?: AgentOptions) => http.Agent

const ended = <Agent extends http.Agent>(agent: Agent): Agent => {
  onTestFinished(() => agent.destroy())
  return agent
}
const ofNode: Make = (options) => ended(new http.Agent({ keepAlive: true, ...options }))
const ofOurs: Make = (options) => {
  const agent = ended(new HttpAgent({ keepAlive: true, ...options } as HttpAgentOptions))
  onTestFinished(() => agent.pool.destroy())
  return agent
}

/** A server that answers each request with these headers, and `ok`. */
async function serve(headers: string[] = [], then: (socket: Socket) => void = () => {}): Promise<number> {
  const head = ['HTTP/1.1 200 OK', 'Connection: keep-alive', 'Content-Length: 2', ...headers, '', 'ok'].join('\r\n')
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      if (data.includes('/never')) return
      setTimeout(() => socket.write(head) && then(socket), data.includes('/slow') ? 100 : 0)
    })
  })
  server.listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const send = (port: number, agent: http.Agent, options: RequestOptions = {}): ClientRequest =>
  http.get({ host: '127.0.0.1', port, agent, ...options })

/** Reads a response; gives back the port of its connection, at this end. */
async function read(request: ClientRequest): Promise<number> {
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const { localPort } = response.socket
  response.resume()
  await once(response, 'end')
  return localPort as number
}

const get = async (port: number, agent: http.Agent, options?: RequestOptions): Promise<number> => {
  const local = await read(send(port, agent, options))
  await sleep(5) // it is free now
  return local
}

const isKept = (agent: http.Agent): boolean => Object.keys(agent.freeSockets).length > 0

/** Whether something happens within so many milliseconds. */
const within = (time: number, work: Promise<unknown>): Promise<boolean> =>
  Promise.race([work.then(() => true), sleep(time, false)])

interface Comparison {
  /** How the line of the table begins. */
  readonly fault: string
  readonly onNode: unknown
  readonly here: unknown
  see(make: Make): Promise<unknown>
}

const comparisons: readonly Comparison[] = [
  {
    fault: '`Keep-Alive: timeout` is read only if',
    onNode: true,
    here: false,
    async see(make) {
      const agent = make()
      await get(await serve(['Keep-Alive: timeout=2']), agent)
      await sleep(1_980)
      return isKept(agent)
    },
  },
  {
    fault: '`Keep-Alive: max` is never read',
    onNode: true,
    here: false,
    async see(make) {
      const [agent, port] = [make(), await serve(['Keep-Alive: timeout=9, max=1'])]
      const ports = new Set<number>()
      for (let i = 0; i < 4; i++) ports.add(await get(port, agent))
      return ports.size === 1
    },
  },
  {
    fault: 'A destroyed socket may be handed out',
    onNode: 'ECONNRESET',
    here: 'answered',
    async see(make) {
      const [agent, port] = [make(), await serve()]
      await Promise.all([get(port, agent), get(port, agent)])
      Object.values(agent.freeSockets)[0]?.at(-1)?.destroy()
      return get(port, agent).then(
        () => 'answered',
        ({ code }) => code,
      )
    },
  },
  {
    fault: 'Bytes that arrive on an idle connection',
    onNode: process.version.startsWith('v20.'),
    here: false,
    async see(make) {
      const [agent, port] = [make(), await serve([], (socket) => setTimeout(() => socket.write('stray'), 20))]
      await get(port, agent)
      await sleep(60)
      return isKept(agent)
    },
  },
  {
    fault: 'At `maxTotalSockets` an idle socket',
    onNode: false,
    here: true,
    async see(make) {
      const agent = make({ maxTotalSockets: 1 })
      await get(await serve(), agent)
      const other = get(await serve(), agent)
      other.catch(() => {})
      return within(300, other)
    },
  },
  {
    fault: 'A connection that is being opened belongs to a request',
    onNode: false,
    here: true,
    async see(make) {
      const [agent, port] = [make(), await serve()]
      const busy = read(send(port, agent, { host: 'localhost', path: '/slow' }))
      await sleep(20)
      const lookup: RequestOptions['lookup'] = (_host, { all }, done) => {
        setTimeout(() => (all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)), 1_000)
      }
      const second = within(500, read(send(port, agent, { host: 'localhost', lookup })))
      await busy
      return second
    },
  },
  {
    fault: "A request sent in the `'end'` handler",
    onNode: 2,
    here: 1,
    async see(make) {
      const [agent, port] = [make(), await serve()]
      const [first] = (await once(send(port, agent), 'response')) as [IncomingMessage]
      const ports = new Set([first.socket.localPort])
      first.resume()
      await new Promise<void>((resolve, reject) =>
        first.on('end', () => {
          read(send(port, agent)).then((local) => resolve(void ports.add(local)), reject)
        }),
      )
      return ports.size
    },
  },
  {
    fault: 'A request that is destroyed in line',
    onNode: false,
    here: true,
    async see(make) {
      const [agent, port] = [make({ maxSockets: 1 }), await serve()]
      send(port, agent, { path: '/never' }).on('error', () => {})
      const request = send(port, agent).on('error', () => {})
      await sleep(20)
      request.destroy()
      return within(
        200,
        once(request, 'close').catch(() => {}),
      )
    },
  },
  {
    fault: '`request.reusedSocket` is false for one that waited',
    onNode: false,
    here: true,
    async see(make) {
      const [agent, port] = [make({ maxSockets: 1 }), await serve()]
      const requests = [send(port, agent), send(port, agent)]
      await Promise.all(requests.map(read))
      return requests[1]?.reusedSocket
    },
  },
]

describe('what is better on purpose', () => {
  const rows: Row[] = page.table('What is better on purpose', '`http.Agent` and `https.Agent`')

  describe.each(comparisons)('$fault …', ({ fault, onNode, here, see }) => {
    it('is in the table', () => {
      expect(rows.filter((row) => row['`http.Agent` and `https.Agent`']?.startsWith(fault))).toHaveLength(1)
    })

    it(`is so with node’s own agent: ${onNode}`, async () => {
      expect(await see(ofNode)).toBe(onNode)
    })

    it(`is not with ours: ${here}`, async () => {
      expect(await see(ofOurs)).toBe(here)
    })
  })

  it('has options of a TLS identity that are no part of node’s name', () => {
    const agent = new https.Agent()
    const nameWith = (options: object): string => agent.getName({ host: 'localhost', port: 443, ...options })
    const row = rows.find((each) => Object.values(each)[0]?.includes('not part of the name'))
    const names = codes(Object.values(row ?? {})[0])
    expect(names.length).toBeGreaterThan(2)
    for (const name of names) expect(nameWith({ [name]: 'other' }), name).toBe(nameWith({}))
    expect(nameWith({ ca: 'other' })).not.toBe(nameWith({}))
  })
})

describe('what is different', () => {
  /** What a 'socket' listener finds, and what comes then. */
  async function seen(make: Make): Promise<string[]> {
    const [agent, port] = [make(), await serve()]
    const events: string[] = []
    const request = send(port, agent, { host: 'localhost' })
    request.on('socket', (socket) => {
      events.push(`connecting ${socket.connecting}`)
      for (const event of ['lookup', 'connect', 'ready']) socket.once(event, () => events.push(event))
    })
    await read(request)
    return events
  }

  it('is that a request gets its socket when it is connected; "connect" and "ready" are emitted once more', async () => {
    expect(await seen(ofNode)).toEqual(['connecting true', 'lookup', 'connect', 'ready'])
    expect(await seen(ofOurs)).toEqual(['connecting false', 'connect', 'ready'])
  })

  it('is that headersTimeout and bodyTimeout hold for the dispatcher only', async () => {
    const port = await serve()
    const agent = ended(new HttpAgent({ headersTimeout: 50, bodyTimeout: 50 }))
    expect(await get(port, agent, { path: '/slow' })).toBeGreaterThan(0)
    const slow = fetch(`http://127.0.0.1:${port}/never`, { dispatcher: agent.pool.dispatcher })
    await expect(slow).rejects.toMatchObject({ cause: { code: 'UND_ERR_HEADERS_TIMEOUT' } })
  })

  it('is that bad options of a connection are events', async () => {
    const options = { localAddress: 'nonsense' }
    expect(() => send(1, ofNode(), options)).toThrow('Invalid IP address')
    const [error] = await once(send(1, ofOurs(), options), 'error').catch((error) => [error])
    expect(error.code).toBe('ERR_INVALID_IP_ADDRESS')
  })

  it('is that a function that is new for each request keeps no connection, and one that is the same does', async () => {
    const { ca } = testCertificates()
    await withServer({ tls: true }, async ({ port }) => {
      const agent = ended(new HttpsAgent({ keepAlive: true, ca }))
      const connections = async (options: () => https.RequestOptions): Promise<number> => {
        const { opened } = agent.pool.stats()
        for (let i = 0; i < 4; i++) await read(https.get({ host: 'localhost', port, agent, ...options() }))
        return agent.pool.stats().opened - opened
      }
      const same = (): undefined => undefined
      expect(await connections(() => ({ checkServerIdentity: () => undefined }))).toBe(4)
      expect(await connections(() => ({ checkServerIdentity: same }))).toBeLessThan(3)
      expect(await connections(() => ({}))).toBe(1)
    })
  })
})
