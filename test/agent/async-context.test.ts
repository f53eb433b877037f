/** Whatever a request calls back happens in the context that it was made in, on whichever socket, however it waited. */
import { AsyncLocalStorage } from 'node:async_hooks'
import http from 'node:http'
import { expect, it } from 'vitest'
import { get, testServer, turns, until } from '../dispatcher/support.js'
import { allKinds, type CallOptions, complete, describeKinds, ourKinds, trustingPool, untilFree } from './support.js'

const storage = new AsyncLocalStorage<number>()

/** Sends a request within a context, and returns the contexts in which its events came. */
function contextsOf(agent: http.Agent, origin: string, context: number, options: CallOptions = {}): Promise<string[]> {
  return new Promise((resolve) => {
    const found: string[] = []
    const note = (event: string) => () => void found.push(`${event} ${storage.getStore()}`)
    storage.run(context, () => {
      const request = http.request(origin, { agent, ...options }, (response) => {
        note('response')()
        response.on('data', note('data')).on('end', note('end')).on('close', note('response close'))
      })
      for (const event of ['socket', 'finish', 'timeout', 'error']) request.on(event, note(event))
      request.on('close', () => {
        note('close')()
        resolve(found)
      })
      request.end()
    })
  })
}

describeKinds('a request', allKinds, ({ make }) => {
  it.each([
    ['on new sockets', {}],
    ['in line', { maxSockets: 1 }],
    ['in two lines', { maxSockets: 2 }],
  ])('%s hears everything in its own context', async (_, limits) => {
    const server = await testServer()
    const { httpAgent } = make(limits)
    const all = await Promise.all([1, 2, 3, 4, 5].map((n) => contextsOf(httpAgent, server.origin, n)))
    for (const [index, found] of all.entries()) {
      expect(found.map((each) => each.split(' ').at(-1))).toEqual(found.map(() => `${index + 1}`))
      expect(found.map((each) => each.split(' ')[0])).toEqual(
        expect.arrayContaining(['socket', 'response', 'end', 'close']),
      )
    }
  })

  it('on a kept socket does, too', async () => {
    const server = await testServer()
    const { httpAgent } = make()
    for (const n of [1, 2, 3]) {
      const found = await contextsOf(httpAgent, server.origin, n)
      for (const each of found) expect(each).toMatch(new RegExp(` ${n}$`))
      await untilFree(httpAgent)
    }
    expect(server.connections).toHaveLength(1)
  })

  it('on a kept socket that is closed under it does, too', async () => {
    const server = await testServer((request, response) => {
      if (request.method === 'POST') request.socket.destroy()
      else response.end()
    })
    const { httpAgent } = make()
    await contextsOf(httpAgent, server.origin, 1)
    await untilFree(httpAgent)
    const found = await contextsOf(httpAgent, server.origin, 2, { method: 'POST' })
    expect(server.connections).toHaveLength(1)
    expect(found).toEqual(expect.arrayContaining(['error 2', 'close 2']))
    for (const each of found) expect(each).toMatch(/ 2$/)
  })

  it('that fails does, too', async () => {
    const { httpAgent } = make()
    const found = await contextsOf(httpAgent, 'http://127.0.0.1:1', 7)
    expect(found.filter((each) => /^(error|close)/.test(each))).toEqual(['error 7', 'close 7'])
  })
})

describeKinds('a context', ourKinds, ({ make }) => {
  it('of one request is not seen by createConnection of another', async () => {
    const server = await testServer()
    const agents = make({ maxSockets: 2 })
    await Promise.all([1, 2, 3].map((n) => contextsOf(agents.httpAgent, server.origin, n)))
    await turns()
    expect(storage.getStore()).toBeUndefined()
    const call = await storage.run(9, () => complete(agents, server.origin))
    expect(call.body).toBe('ok')
  })
})

it('a request that is sent again hears everything in its own context', async () => {
  const server = await testServer()
  const pool = trustingPool()
  await get(pool, server.origin)
  await until(() => pool.stats().idle === 1)
  // The end of the connection crosses the request, or is found before it: it goes elsewhere in either case.
  server.connections[0]!.socket.destroy()
  const found = await contextsOf(pool.httpAgent, server.origin, 5)
  for (const each of found) expect(each).toMatch(/ 5$/)
  expect(found).toContain('response 5')
  expect(server.connections).toHaveLength(2)
})
