/** The pages for those who come from node's agents and from undici's leave out no option of theirs, and are right. */
import { readFileSync } from 'node:fs'
import http, { createServer } from 'node:http'
import https from 'node:https'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { Agent, Client, type Dispatcher, request } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createPool, HttpAgent, HttpsAgent, OptionError, type PoolOptions } from '../../src/index.js'
import { isConnectOption } from '../../src/options/connect.js'
import { elsewhere, optionNames } from '../../src/options/pool-options.js'
import { code, Page, type Row } from '../docs/markdown.js'

const require = createRequire(import.meta.url)
const version = (name: string): string => (require(`${name}/package.json`) as { version: string }).version

/** What an interface declares itself and does not forbid (`never`). */
function declared(file: string, name: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isInterfaceDeclaration(node) && node.name.text === name)
      for (const member of node.members)
        if ((member as ts.PropertySignature).type?.kind !== ts.SyntaxKind.NeverKeyword)
          found.push((member.name as ts.Identifier).text)
    node.forEachChild(visit)
  }
  visit(source)
  if (found.length === 0) throw new Error(`${file} declares no ${name}`)
  return found
}

/** All names of a cell: "`protocol`, `defaultPort`". */
const names = (cell: string | undefined): string[] => [...(cell ?? '').matchAll(/`([^`]*)`/g)].map(([, name]) => name!)

/** What stands in the column of createPool is an option, and the name of others leads to it. */
function leadsToOptions(rows: readonly Row[]): void {
  for (const row of rows) {
    const ours = row['`createPool`'] as string
    const [top, inner] = code(ours).split('.') as [string, string?]
    if (ours.startsWith('`')) expect(optionNames, row.There).toContain(top)
    if (inner !== undefined && inner !== 'timeout') expect(isConnectOption(inner), inner).toBe(true)
    for (const theirs of names(row.There)) {
      if (optionNames.includes(theirs)) continue
      expect(() => createPool({ [theirs]: 1 } as PoolOptions), theirs).toThrow(OptionError)
      if (Object.hasOwn(elsewhere, theirs) && ours.startsWith('`')) expect(elsewhere[theirs], theirs).toBe(code(ours))
    }
  }
}

describe('from http.Agent', () => {
  const page = new Page('docs/clients/from-http-agent.md')
  const rows = page.table('Options', 'There')
  const types = dirname(require.resolve('@types/node/package.json'))

  it('maps every option of it, to options that exist', () => {
    const theirs = ['http', 'https'].flatMap((name) => declared(join(types, `${name}.d.ts`), 'AgentOptions'))
    expect(theirs).toEqual(expect.arrayContaining(['maxTotalSockets', 'maxCachedSessions']))
    /** Known to Node, but not to its types of the oldest version that is supported. */
    const others = ['agentKeepAliveTimeoutBuffer', 'proxyEnv', 'protocol', 'defaultPort', 'host', 'port', 'path']
    expect(rows.flatMap((row) => names(row.There)).sort()).toEqual([...new Set(theirs), ...others].sort())
    leadsToOptions(rows)
  })

  it('has the same names in the classes', () => {
    for (const row of rows) expect(row['`HttpAgent`, `HttpsAgent`']).toBe(row.There)
  })

  it('has the defaults of node', () => {
    const agent = new http.Agent() as unknown as Record<string, unknown>
    const ours = new HttpAgent() as unknown as Record<string, unknown>
    for (const name of [
      'keepAlive',
      'keepAliveMsecs',
      'maxSockets',
      'maxTotalSockets',
      'maxFreeSockets',
      'scheduling',
    ]) {
      const written = code(rows.find((row) => code(row.There) === name)?.Default)
      expect(written.replaceAll("'", ''), name).toBe(`${agent[name]}`)
      if (name !== 'keepAliveMsecs') expect(ours[name], name).toBe(agent[name])
    }
    const cached = rows.find((row) => code(row.There) === 'maxCachedSessions')?.Default
    expect(code(cached)).toBe(`${(new https.Agent() as unknown as { maxCachedSessions: number }).maxCachedSessions}`)
  })

  it('says what the classes have besides', () => {
    for (const agent of [new HttpAgent({ maxLifetime: 1000 }), new HttpsAgent({ acquireTimeout: 1000 })])
      expect(agent).toHaveProperty('keepAlive', true)
    expect('close' in http.Agent.prototype).toBe(false)
    expect(typeof HttpAgent.prototype.close).toBe('function')
  })
})

describe("from undici's agent", () => {
  const page = new Page('docs/clients/from-undici-agent.md')
  const rows = page.table('Options', 'There')
  const types = join(dirname(require.resolve('undici')), 'types')

  it('names the version that is installed', () => {
    expect(page.text).toContain(`undici ${version('undici').split('.')[0]} `)
  })

  it('maps every option of it, to options that exist', () => {
    const theirs = ['agent', 'pool', 'client'].flatMap((name) => declared(join(types, `${name}.d.ts`), 'Options'))
    expect(theirs).toEqual(expect.arrayContaining(['maxOrigins', 'clientTtl', 'keepAliveTimeoutThreshold']))
    expect(rows.flatMap((row) => names(row.There)).sort()).toEqual([...new Set(theirs)].sort())
    leadsToOptions(rows)
  })

  it('maps every number of it', () => {
    const theirs = Object.keys(new Agent().stats)
    expect(theirs).toEqual([]) // by origin
    const listed = page.table('Numbers', 'There')
    const client = new Client('http://127.0.0.1')
    onTestFinished(() => client.close())
    expect(listed.flatMap((row) => names(row.There))).toEqual(expect.arrayContaining(Object.keys(client.stats)))
    const stats = createPool().stats()
    for (const row of listed) for (const name of names(row['`stats()`'])) expect(stats).toHaveProperty([name])
  })

  it('has its defaults', () => {
    const client = new Client('http://127.0.0.1')
    onTestFinished(() => client.close())
    const symbols = Object.getOwnPropertySymbols(client)
    const value = (description: string): unknown => {
      const symbol = symbols.find((each) => each.description === description)
      if (symbol === undefined) throw new Error(`a client has no ${description}`)
      return (client as unknown as Record<symbol, unknown>)[symbol]
    }
    const written = (name: string): string | undefined => rows.find((row) => code(row.There) === name)?.Default
    for (const [name, description] of [
      ['keepAliveTimeout', 'default keep alive timeout'],
      ['keepAliveMaxTimeout', 'max keep alive timeout'],
      ['keepAliveTimeoutThreshold', 'keep alive timeout threshold'],
      ['headersTimeout', 'headers timeout'],
      ['bodyTimeout', 'body timeout'],
    ] as const)
      expect(written(name), name).toBe(`${(value(description) as number) / 1000} s`)
    expect(written('pipelining')).toBe(`${client.pipelining}`)
  })

  /** Requests one after the other; resolves to how many connections they took. */
  async function connectionsFor(dispatcher: Dispatcher, headers: http.OutgoingHttpHeaders): Promise<number> {
    let connections = 0
    const server = createServer((_request, response) => response.writeHead(200, headers).end('ok'))
    server.on('connection', () => connections++)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(async () => {
      await dispatcher.destroy()
      server.closeAllConnections()
      server.close()
    })
    for (let n = 0; n < 20; n++) {
      const { body } = await request(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { dispatcher })
      await body.dump()
    }
    return connections
  }

  it('is right about requests one after the other', async () => {
    expect(await connectionsFor(new Agent(), {})).toBe(2)
    expect(await connectionsFor(createPool().dispatcher, {})).toBe(1)
  })

  it('is right about a server that says 2 s', async () => {
    const headers = { connection: 'keep-alive', 'keep-alive': 'timeout=2' }
    expect(await connectionsFor(new Agent(), headers)).toBe(20)
    expect(await connectionsFor(createPool().dispatcher, headers)).toBe(1)
  })
})
