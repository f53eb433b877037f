/** The page for those who come from agentkeepalive leaves out nothing of what it is said to replace, and is right. */
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import AgentKeepAlive from 'agentkeepalive'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HttpAgent } from '../../src/index.js'
import { optionNames } from '../../src/options/pool-options.js'
import { testScripted } from '../dispatcher/support.js'
import { code, Page } from '../docs/markdown.js'
import { response } from '../support/servers/script-steps.js'
import { nodeHttp } from './callers/node-http.js'
import { agentPool, expectWhole } from './support/agents.js'
import { testService } from './support/service.js'

const page = new Page('docs/clients/from-agentkeepalive.md')
const types = readFileSync(createRequire(import.meta.url).resolve('agentkeepalive/index.d.ts'), 'utf8')

/** The members of one of its interfaces. */
function membersOf(name: string): string[] {
  const [, body = ''] = new RegExp(`interface ${name} \\{(.*?)\\}`, 's').exec(types) ?? []
  return [...body.matchAll(/^\s*(\w+)\??:/gm)].map(([, member]) => member as string)
}

/** An agent of agentkeepalive's that ends with its test. */
function original(options?: AgentKeepAlive.HttpOptions): AgentKeepAlive.HttpAgent {
  const agent = new AgentKeepAlive.HttpAgent(options)
  onTestFinished(() => agent.destroy())
  return agent
}

const https = { httpsAgent: undefined as never }

describe('from agentkeepalive', () => {
  it('names the version that is installed', () => {
    const { version } = createRequire(import.meta.url)('agentkeepalive/package.json') as { version: string }
    expect(page.text).toContain(`agentkeepalive ${version.split('.').slice(0, 2).join('.')} `)
  })

  it('maps every option of it, to options that exist', () => {
    const rows = page.table('Options', 'There')
    const ofNode = ['keepAliveMsecs', 'maxSockets', 'maxTotalSockets', 'maxFreeSockets', 'scheduling']
    const theirs = membersOf('CommonHttpOption')
    expect(theirs).toContain('socketActiveTTL')
    expect(rows.map((row) => code(row.There)).sort()).toEqual([...theirs, ...ofNode].sort())
    for (const row of rows) {
      const ours = row['`createPool`']!
      if (ours.startsWith('`')) expect(optionNames).toContain(code(ours))
    }
  })

  it('maps every number of its status, to numbers that exist', () => {
    const rows = page.table('Status', 'There')
    const theirs = [...membersOf('AgentStatus'), 'statusChanged']
    expect(theirs).toContain('timeoutSocketCount')
    expect(rows.map((row) => code(row.There)).sort()).toEqual(theirs.sort())
    const stats = agentPool().stats()
    for (const row of rows)
      for (const [, name, member, quoted] of row['`stats()`']!.matchAll(/`(\w+)(?:\.(\w+)|\['([\w-]+)'\])?`/g)) {
        expect(stats).toHaveProperty([name as string])
        if (name === 'closed' && (member ?? quoted)) expect(stats.closed).toHaveProperty([(member ?? quoted) as string])
      }
  })

  it('counts the same things', async () => {
    const service = await testService()
    const agent = original({ maxSockets: 4 })
    const pool = agentPool({ maxConnections: 4 })
    for (const agents of [{ httpAgent: agent, ...https }, pool]) {
      const caller = nodeHttp(service.origin, agents)
      await Promise.all(Array.from({ length: 20 }, () => caller.get('/slow')))
    }
    const status = agent.getCurrentStatus()
    expect(status).toMatchObject({ createSocketCount: 4, createSocketErrorCount: 0, requestCount: 20 })
    await expectWhole(pool, { opened: status.createSocketCount, dialFailures: 0, requests: 20, idle: 4 })
    const { active, requests } = pool.stats()
    expect(requests - active).toBe(status.requestCount)
  })

  it.each(['freeSocketTimeout', 'freeSocketKeepAliveTimeout', 'socketActiveTTL'])('has %s throw', (name) => {
    const row = page.table('Options', 'There').find(({ There }) => code(There) === name)
    expect(() => new HttpAgent({ [name]: 1000 })).toThrow(`Did you mean "${code(row?.['`createPool`'])}"?`)
  })

  it('obeys max, which agentkeepalive does not', async () => {
    const server = () =>
      testScripted([
        async (connection) => {
          for (;;) {
            await connection.takeRequest()
            await connection.send(response({ headers: { connection: 'keep-alive', 'keep-alive': 'timeout=2, max=2' } }))
          }
        },
      ])
    const opened = async (agent: http.Agent) => {
      const { origin, connections } = await server()
      const caller = nodeHttp(origin, { httpAgent: agent, ...https })
      for (let n = 0; n < 6; n++) await caller.get('/')
      return connections.map(({ requests }) => requests.length)
    }
    expect(await opened(original())).toEqual([6])
    expect(await opened(agentPool().httpAgent)).toEqual([2, 2, 2])
  })

  it('ends no request for its silence, which agentkeepalive does', async () => {
    const service = await testService()
    const url = `${service.origin}/silent`
    const theirs = new Promise<NodeJS.ErrnoException>((resolve) => {
      http.get(url, { agent: original({ timeout: 100 }) }).on('error', resolve)
    })
    expect((await theirs).code).toBe('ERR_SOCKET_TIMEOUT')

    const agent = new HttpAgent({ keepAlive: true, timeout: 100 })
    onTestFinished(() => agent.destroy())
    const request = http.get(url, { agent }).on('error', () => {})
    await new Promise((resolve) => request.once('timeout', resolve))
    expect(request.destroyed).toBe(false)
  })

  it('ends a connection that is too old when its request is done, as agentkeepalive does', async () => {
    const service = await testService()
    const agent = original({ socketActiveTTL: 50 })
    const pool = agentPool({ maxLifetime: 50 })
    const [theirs, ours] = [{ httpAgent: agent, ...https }, pool].map((agents) =>
      nodeHttp(service.origin, agents).get('/held'),
    )
    setTimeout(service.release, 120)
    expect(await Promise.all([theirs, ours])).toEqual(Array(2).fill({ status: 200, body: 'ok' }))
    await expectWhole(pool, { idle: 0, closed: { 'max-lifetime': 1 } })
    await expect.poll(() => service.openConnections()).toBe(0)
  })
})
