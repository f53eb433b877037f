/** What is built on Node's servers is kept as they are: express, fastify, koa. */
import type http from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { fastify } from 'fastify'
import Koa from 'koa'
import { describe, expect, it } from 'vitest'
import { keepAlive } from '../../src/server.js'
import { RawClient } from '../support/raw-client.js'
import { exchange, get, hintOf, responsesOf } from './support.js'

/** Each answers `/` with ok, `/json` with an object, `/fails` by throwing, and `/slow` in a while. */
const frameworks: Record<string, () => Promise<http.Server>> = {
  express: async () => {
    const app = express()
    app.get('/', (_, response) => void response.send('ok'))
    app.get('/json', (_, response) => void response.json({ says: 'ok' }))
    app.get('/slow', (_, response) => void setTimeout(() => response.send('ok'), 100))
    app.get('/fails', () => {
      throw new Error('on purpose')
    })
    app.use(
      ((_error, _request, response, _next) => void response.status(500).send('ok')) as express.ErrorRequestHandler,
    )
    return new Promise((resolve) => {
      const server = app.listen(0, '127.0.0.1', () => resolve(server))
    })
  },
  fastify: async () => {
    const app = fastify()
    app.get('/', async () => 'ok')
    app.get('/json', async () => ({ says: 'ok' }))
    app.get('/slow', () => new Promise((resolve) => setTimeout(() => resolve('ok'), 100)))
    app.get('/fails', async () => {
      throw new Error('on purpose')
    })
    app.setErrorHandler((_error, _request, reply) => reply.status(500).send('ok'))
    await app.listen({ host: '127.0.0.1', port: 0 })
    return app.server
  },
  koa: async () => {
    const app = new Koa()
    app.silent = true
    app.use(async (context) => {
      if (context.path === '/fails') context.throw(500, 'ok', { expose: true })
      if (context.path === '/slow') await new Promise((resolve) => setTimeout(resolve, 100))
      context.body = context.path === '/json' ? { says: 'ok' } : 'ok'
    })
    return new Promise((resolve) => {
      const server = app.listen(0, '127.0.0.1', () => resolve(server))
    })
  },
}

describe.each(Object.entries(frameworks))('%s', (_name, start) => {
  it('says what remains, counts errors as well, and closes without losing what is under way', async () => {
    const server = await start()
    const keeper = keepAlive(server, { timeout: 7_000, max: 5 })
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const [client, idle, slow] = [
      await RawClient.open(origin),
      await RawClient.open(origin),
      await RawClient.open(origin),
    ]
    try {
      await exchange(client, get('/'))
      await exchange(client, get('/json'), '"ok"}')
      await exchange(client, get('/fails'))
      await exchange(idle, get('/'))
      expect(responsesOf(client).map((each) => [each.status, hintOf(each)])).toEqual([
        [200, 'keep-alive timeout=7, max=4'],
        [200, 'keep-alive timeout=7, max=3'],
        [500, 'keep-alive timeout=7, max=2'],
      ])
      slow.send(get('/slow'))
      await expect.poll(() => keeper.stats().active).toBe(1)
      const closing = keeper.close({ grace: 300 })
      await exchange(client, get('/'))
      await slow.until(({ ended }) => ended)
      expect([client, slow].map((each) => hintOf(responsesOf(each).at(-1)!))).toEqual(['close', 'close'])
      expect(slow.received.endsWith('ok')).toBe(true)
      expect(await closing).toEqual({ connections: 0, requests: 0 })
      expect(idle.error).toBeUndefined()
    } finally {
      for (const { socket } of [client, idle, slow]) socket.destroy()
      server.closeAllConnections()
      server.close()
    }
  })
})
