/** Thousands of requests leave nothing behind: no listeners, no records, no memory. */
import { beforeAll, expect, it } from 'vitest'
import { builtPackage, testServer, until } from '../dispatcher/support.js'
import { runOnNode } from '../support/nodes.js'
import { both, Call, complete, dropIn, freeSocketsOf, shown, trustingPool, untilFree } from './support.js'

beforeAll(builtPackage)

it('a socket has as many listeners after 500 requests as after two', async () => {
  const server = await testServer({ keepAliveTimeout: 0 })
  const agent = dropIn({ keepAlive: true, maxSockets: 1 })
  const counts: Record<string, number>[] = []
  for (let n = 0; n < 500; n++) {
    const call = new Call(both(agent), server.origin, {
      timeout: 5000,
      method: n % 2 ? 'POST' : 'GET',
      body: n % 2 ? 'x' : null,
    })
    await call.ended
    if (n !== 1 && n !== 499) continue
    await untilFree(agent)
    const [socket] = freeSocketsOf(agent)
    counts.push(Object.fromEntries(socket!.eventNames().map((name) => [name, socket!.listenerCount(name)])))
  }
  expect(server.connections).toHaveLength(1)
  expect(counts[1]).toEqual(counts[0])
  expect(Math.max(...Object.values(counts[1]!))).toBeLessThanOrEqual(2)
})

it('an agent shows nothing of requests that are over, be they aborted, refused or served', async () => {
  const server = await testServer()
  const pool = trustingPool({ maxConnections: 3, maxWaiting: 20 })
  const calls = Array.from({ length: 100 }, (_, n) => {
    const call = new Call(pool, server.origin)
    if (n % 4 === 0) call.request.destroy()
    return call.ended
  })
  await Promise.all(calls)
  await until(() => pool.stats().pending === 0)
  for (const map of ['sockets', 'requests'] as const) expect(shown(pool.httpAgent, map)).toBe(0)
  expect(pool.stats()).toMatchObject({ active: 0, dialing: 0, waiting: 0 })
  await complete(pool, server.origin)
})

it('the heap does not grow with every 1500 requests, of which some fail', async () => {
  const server = await testServer({ keepAliveTimeout: 0 })
  const source = `
    import { HttpAgent } from 'keepwise'
    import http from 'node:http'
    const agent = new HttpAgent({ keepAlive: true, maxSockets: 8, maxWaiting: 50 })
    const one = (n) => new Promise((resolve) => {
      const request = http.request(${JSON.stringify(server.origin)}, { agent, method: n % 2 ? 'POST' : 'GET' }, (response) => response.resume())
      request.on('error', () => {}).on('close', resolve)
      if (n % 10 === 3) request.destroy()
      else request.end(n % 2 ? 'body' : undefined)
    })
    const many = async (count) => {
      for (let done = 0; done < count; done += 20) await Promise.all(Array.from({ length: 20 }, (_, n) => one(n)))
      await new Promise((resolve) => setTimeout(resolve, 20))
      gc()
      return process.memoryUsage().heapUsed
    }
    let before = await many(1500)
    const grown = []
    for (let round = 0; round < 4; round++) {
      const after = await many(1500)
      grown.push(after - before)
      before = after
    }
    console.log(JSON.stringify({ grown, origins: Object.keys(agent.pool.stats().origins).length }))
  `
  const { stdout, stderr } = await runOnNode(20, { source }, { flags: ['--expose-gc'], timeout: 20_000 })
  expect(stderr).toBe('')
  const { grown, origins } = JSON.parse(stdout)
  expect(origins).toBe(1)
  // The first rounds still compile. 100 bytes kept of each request would show in all of them.
  expect(Math.min(...grown)).toBeLessThan(100_000)
})
