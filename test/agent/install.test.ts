/** One line turns the http and fetch traffic of a process into pooled traffic; another one undoes it. */
import http, { globalAgent as importedHttpAgent } from 'node:http'
import https, { globalAgent as importedHttpsAgent } from 'node:https'
import { getGlobalDispatcher, setGlobalDispatcher } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import { testServer, until } from '../dispatcher/support.js'
import { runOnNode } from '../support/nodes.js'
import { trustingPool } from './support.js'

const before = { http: http.globalAgent, https: https.globalAgent, dispatcher: getGlobalDispatcher() }

afterEach(() => {
  http.globalAgent = before.http
  https.globalAgent = before.https
  setGlobalDispatcher(before.dispatcher)
})

/** A request that names no agent. */
const get = (url: string, options: https.RequestOptions = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const { get } = url.startsWith('https:') ? https : http
    get(url, options, (response) => {
      let body = ''
      response.on('data', (chunk) => (body += chunk)).on('end', () => resolve(body))
    }).on('error', reject)
  })

describe('install()', () => {
  it('has requests that name no agent, and fetch, use the pool, until it is undone', async () => {
    const [server, secure] = [await testServer(), await testServer({ tls: true })]
    const pool = trustingPool()
    const restore = pool.install()
    expect([http.globalAgent, https.globalAgent]).toEqual([pool.httpAgent, pool.httpsAgent])
    for (let n = 0; n < 2; n++) {
      expect(await get(server.origin)).toBe('ok')
      expect(await (await fetch(server.origin)).text()).toBe('ok')
      expect(await get(secure.origin)).toBe('ok')
      expect(await (await fetch(secure.origin)).text()).toBe('ok')
    }
    expect(pool.stats()).toMatchObject({ requests: 8, opened: 2, reused: 6 })
    restore()
    expect([http.globalAgent, https.globalAgent]).toEqual([before.http, before.https])
    expect(await get(server.origin)).toBe('ok')
    expect(pool.stats().requests).toBe(8)
  })

  it('is seen by those who import the name', () => {
    const pool = trustingPool()
    const restore = pool.install()
    expect(importedHttpAgent).toBe(pool.httpAgent)
    expect(importedHttpsAgent).toBe(pool.httpsAgent)
    restore()
    expect(importedHttpAgent).toBe(before.http)
    expect(importedHttpsAgent).toBe(before.https)
  })

  it('leaves alone what somebody has put there since', () => {
    const restore = trustingPool().install()
    const later = new http.Agent()
    http.globalAgent = later
    restore()
    expect([http.globalAgent, https.globalAgent]).toEqual([later, before.https])
  })

  it('undone twice is undone once', () => {
    const restore = trustingPool().install()
    restore()
    const other = trustingPool()
    other.install()
    restore()
    expect([http.globalAgent, https.globalAgent]).toEqual([other.httpAgent, other.httpsAgent])
  })

  it('of two pools, undone in the order of a stack, ends where it began', () => {
    const [first, second] = [trustingPool(), trustingPool()]
    const restores = [first.install(), second.install()]
    restores[1]!()
    expect(http.globalAgent).toBe(first.httpAgent)
    restores[0]!()
    expect(http.globalAgent).toBe(before.http)
  })

  it('does not touch requests that want no agent (agent: false), or have one', async () => {
    const server = await testServer()
    const pool = trustingPool()
    pool.install()
    const agent = new http.Agent()
    expect(await get(server.origin, { agent: false })).toBe('ok')
    expect(await get(server.origin, { agent })).toBe('ok')
    await until(() => server.openConnections() === 0)
    expect(pool.stats().requests).toBe(0)
  })

  it('does not touch requests with a createConnection of their own', async () => {
    const server = await testServer()
    const pool = trustingPool()
    pool.install()
    const { connect } = await import('node:net')
    expect(await get(server.origin, { createConnection: () => connect(server.port, '127.0.0.1') })).toBe('ok')
    expect(pool.stats().requests).toBe(0)
  })
})

it('a process over an installed pool ends by itself, all requests done', async () => {
  const server = await testServer({
    keepAliveTimeout: 0,
    handler: (_, response) => void setTimeout(() => response.end('ok'), 30),
  })
  const source = `
    import { createPool } from 'keepwise'
    import { get } from 'node:http'
    const pool = createPool()
    pool.install()
    get(${JSON.stringify(server.origin)}, (response) => {
      response.resume().on('close', async () => {
        const text = await (await fetch(${JSON.stringify(server.origin)})).text()
        console.log(text, pool.stats().requests, pool.stats().opened)
      })
    })
  `
  const { code, stdout, stderr } = await runOnNode(20, { source }, { timeout: 8000 })
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'ok 2 1\n', stderr: '' })
})
