/** The end of an agent: destroy() is node's, now and without an end to the agent; close() is graceful and final. */
import http from 'node:http'
import { describe, expect, it } from 'vitest'
import { catchingUncaught, get, testServer, turns, until } from '../dispatcher/support.js'
import {
  allKinds,
  Call,
  complete,
  completeOver,
  describeKinds,
  dropIn,
  freeSocketsOf,
  ourKinds,
  shown,
  trustingPool,
  untilFree,
} from './support.js'

async function holdingServer() {
  const held: http.ServerResponse[] = []
  const server = await testServer((_, response) => void held.push(response))
  return { server, held }
}

describeKinds('destroy()', allKinds, ({ make }) => {
  it('closes what is free', async () => {
    const server = await testServer()
    const agents = make()
    await complete(agents, server.origin)
    await untilFree(agents.httpAgent)
    const [socket] = freeSocketsOf(agents.httpAgent)
    agents.httpAgent.destroy()
    expect(socket!.destroyed).toBe(true)
    await until(() => server.openConnections() === 0)
    expect(shown(agents.httpAgent, 'freeSockets')).toBe(0)
  })

  it('fails what runs, and lets what waits go on', async () => {
    const { server, held } = await holdingServer()
    const agents = make({ maxSockets: 1 })
    const running = new Call(agents, server.origin)
    const waiting = new Call(agents, server.origin)
    await until(() => held.length === 1)
    agents.httpAgent.destroy()
    await running.ended
    expect(running.told).toEqual(['socket', 'prefinish', 'finish', 'error ECONNRESET', 'close'])
    await until(() => held.length === 2)
    held[1]!.end('ok')
    await waiting.ended
    expect(waiting.body).toBe('ok')
  })

  it('leaves an agent that works', async () => {
    const server = await testServer()
    const agents = make()
    agents.httpAgent.destroy()
    agents.httpAgent.destroy()
    expect((await complete(agents, server.origin)).body).toBe('ok')
  })

  it('in the middle of a response: that is cut off', async () => {
    const server = await testServer((_, response) => {
      response.setHeader('content-length', 10)
      response.write('half')
    })
    const agents = make()
    const call = new Call(agents, server.origin)
    await until(() => call.body === 'half')
    agents.httpAgent.destroy()
    await call.ended
    expect(call.only('error', 'response-error')).toEqual(['response-error ECONNRESET'])
  })

  it.each([{}, { headers: { connection: 'close' } }])(
    'at the end of a response, %o: nobody hears of it',
    async (options) => {
      const server = await testServer()
      const agents = make()
      const call = new Call(agents, server.origin, options)
      call.request.once('response', (response) => response.once('end', () => agents.httpAgent.destroy()))
      await call.ended
      expect(call.only('error', 'response-error', 'end', 'close')).toEqual(['end', 'close'])
    },
  )
})

describe('destroy() of a pool', () => {
  it.each([undefined, Object.assign(new Error('enough'), { code: 'ENOUGH' })])(
    'fails what runs and what waits, with %s',
    async (error) => {
      const { server, held } = await holdingServer()
      const pool = trustingPool({ maxConnections: 1 })
      const calls = [new Call(pool, server.origin), new Call(pool, server.origin)]
      await until(() => held.length === 1)
      pool.destroy(error)
      await Promise.all(calls.map((call) => call.ended))
      const code = error?.code ?? 'ERR_KEEPWISE_CLOSED'
      expect(calls.map((call) => call.only('error'))).toEqual([[`error ${code}`], [`error ${code}`]])
      expect(pool.stats()).toMatchObject({ active: 0, idle: 0, waiting: 0, pending: 0 })
    },
  )

  it('refuses what comes later', async () => {
    const server = await testServer()
    const pool = trustingPool()
    pool.destroy()
    await expect(complete(pool, server.origin)).rejects.toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
    expect(server.connections).toEqual([])
  })

  it.each([{}, { headers: { connection: 'close' } }])(
    'at the end of a response, %o: nobody hears of it',
    async (options) => {
      const server = await testServer()
      const pool = trustingPool()
      const caught = await catchingUncaught(async () => {
        const request = http.get(server.origin, { agent: pool.httpAgent, ...options })
        await new Promise<void>((resolve) => {
          request.once('response', (response) => {
            response.resume().once('end', () => pool.destroy())
            response.once('close', resolve)
          })
        })
        await turns(10)
      })
      expect(caught).toEqual([])
    },
  )
})

describeKinds('close()', ourKinds, ({ make }) => {
  it('finishes what runs and what waits, and refuses what comes later', async () => {
    const { server, held } = await holdingServer()
    const agents = make({ maxSockets: 1 })
    const { httpAgent } = agents
    const calls = [new Call(agents, server.origin), new Call(agents, server.origin)]
    await until(() => held.length === 1)
    let closed = false
    const closing = (httpAgent as unknown as { close(): Promise<void> }).close().then(() => (closed = true))
    const late = new Call(agents, server.origin)
    await late.ended
    expect(late.only('error', 'close')).toEqual(['error ERR_KEEPWISE_CLOSED', 'close'])
    held[0]!.end('first')
    await until(() => held.length === 2)
    expect(closed).toBe(false)
    held[1]!.end('second')
    await closing
    await Promise.all(calls.map((call) => call.ended))
    expect(calls.map(({ body }) => body)).toEqual(['first', 'second'])
    expect(calls.map(({ error }) => error)).toEqual([undefined, undefined])
    await until(() => server.openConnections() === 0)
  })

  it('closes what is free at once', async () => {
    const server = await testServer()
    const agents = make()
    await complete(agents, server.origin)
    await untilFree(agents.httpAgent)
    await (agents.httpAgent as unknown as { close(): Promise<void> }).close()
    await until(() => server.openConnections() === 0)
  })

  it('waits for a request that is aborted', async () => {
    const { server, held } = await holdingServer()
    const agents = make()
    const call = new Call(agents, server.origin)
    await until(() => held.length === 1)
    const closing = (agents.httpAgent as unknown as { close(): Promise<void> }).close()
    call.request.destroy()
    await closing
    await call.ended
  })

  it('by Symbol.asyncDispose', async () => {
    const server = await testServer()
    const agents = make()
    await complete(agents, server.origin)
    await (agents.httpAgent as unknown as AsyncDisposable)[Symbol.asyncDispose]()
    await expect(complete(agents, server.origin)).rejects.toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
  })
})

it('close() of a drop-in agent closes the dispatcher of its pool, too', async () => {
  const server = await testServer()
  const agent = dropIn({ keepAlive: true })
  await completeOver(agent, server.origin)
  await agent.close()
  await expect(get(agent.pool, server.origin)).rejects.toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
})
