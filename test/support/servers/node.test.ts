import http from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { oneConnectionAgent, plainRequest, RawClient } from '../raw-client.js'
import { describeWith } from '../requirements.js'
import { startServer, withServer } from './node.js'

describe('withServer', () => {
  it('records the requests of each connection, in order', async () => {
    const agent = oneConnectionAgent()
    await withServer({}, async ({ origin, connections, requestCount }) => {
      await plainRequest(`${origin}/a`, { agent })
      await plainRequest(`${origin}/b`, { agent, method: 'POST' }, 'body')
      await plainRequest(`${origin}/c`)
      expect(
        connections.map((connection) => connection.requests.map(({ method, path }) => `${method} ${path}`)),
      ).toEqual([['GET /a', 'POST /b'], ['GET /c']])
      expect(requestCount()).toBe(3)
      expect(connections[0]!.clientPort).not.toBe(connections[1]!.clientPort)
      const [first, second] = connections[0]!.requests
      expect(first!.finishedAt).toBeGreaterThanOrEqual(first!.receivedAt)
      expect(second!.receivedAt).toBeGreaterThanOrEqual(first!.finishedAt!)
    })
    agent.destroy()
  })

  it('advertises keepAliveTimeout and closes after maxRequestsPerSocket', async () => {
    const agent = oneConnectionAgent()
    await withServer({ keepAliveTimeout: 7000, maxRequestsPerSocket: 2 }, async ({ origin, connections }) => {
      const first = await plainRequest(origin, { agent })
      const second = await plainRequest(origin, { agent })
      expect(first.headers['keep-alive']).toBe('timeout=7, max=2')
      expect(second.headers.connection).toBe('close')
      await plainRequest(origin, { agent })
      expect(connections.map((connection) => connection.requests.length)).toEqual([2, 1])
    })
    agent.destroy()
  })

  it('closes 400 ms after the last response under closeIdleAfter: 400, and has not said so', async () => {
    await withServer({ closeIdleAfter: 400 }, async ({ origin, connections, openConnections }) => {
      const client = await RawClient.open(origin)
      client.get()
      await sleep(100)
      client.get()
      await client.until(({ received }) => received.match(/\r\n\r\nok/g)?.length === 2)
      expect(client.ended).toBe(false)
      expect(client.received.match(/connection: keep-alive/gi)).toHaveLength(2)
      expect(client.received.toLowerCase()).not.toContain('keep-alive:')
      await client.until(({ ended }) => ended)
      const [connection] = connections
      const idled = connection!.closedAt! - connection!.requests[1]!.finishedAt!
      expect(idled).toBeGreaterThan(395)
      expect(idled).toBeLessThan(1500)
      expect(openConnections()).toBe(0)
      client.socket.destroy()
    })
  })

  it('closes connections whose request is still running', async () => {
    const running = await startServer(() => {})
    const answer = plainRequest(running.origin).catch((error) => error.code)
    while (running.requestCount() === 0) await sleep(5)
    await running.close()
    expect(await answer).toBe('ECONNRESET')
    expect(running.openConnections()).toBe(0)
  })

  it('closes when the body of the test throws', async () => {
    let origin = ''
    const failing = withServer({}, (running) => {
      origin = running.origin
      throw new Error('the body')
    })
    await expect(failing).rejects.toThrow('the body')
    await expect(plainRequest(origin)).rejects.toThrow('ECONNREFUSED')
  })

  it('listens on a unix socket', async () => {
    const socketPath = join(process.env.TMPDIR ?? '/tmp', `keepwise-support-${process.pid}.sock`)
    await withServer({ socketPath }, async ({ connections }) => {
      const status = await new Promise((resolve) => {
        http.get({ socketPath, path: '/' }, (response) => resolve(response.resume().statusCode))
      })
      expect(status).toBe(200)
      expect(connections).toHaveLength(1)
    })
  })
})

describeWith('openssl', 'withServer over TLS', () => {
  it('serves https with the localhost certificate and sees resumed sessions', async () => {
    const agent = oneConnectionAgent('https')
    await withServer(
      { tls: true, keepAliveTimeout: 5000, maxRequestsPerSocket: 1 },
      async ({ origin, connections }) => {
        expect((await plainRequest(origin, { agent })).body).toBe('ok')
        expect((await plainRequest(origin, { agent })).body).toBe('ok')
        expect(connections.map((connection) => connection.resumed)).toEqual([false, true])
      },
    )
    agent.destroy()
  })
})

describeWith('ipv6', 'withServer on ::1', () => {
  it('has an origin with brackets', async () => {
    await withServer({ host: '::1' }, async ({ origin }) => {
      expect(origin).toMatch(/^http:\/\/\[::1\]:\d+$/)
      expect((await plainRequest(origin)).status).toBe(200)
    })
  })
})
