/**
 * Real clients, before, while and after a server closes and another takes its place: every request is answered, and each
 * connection is used for as long as the server allows.
 */
import { execFile } from 'node:child_process'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import KeepAliveAgent from 'agentkeepalive'
import { request as undiciRequest } from 'undici'
import { describe, expect, it } from 'vitest'
import { createPool } from '../../src/index.js'
import { keepAlive } from '../../src/server.js'
import { RawClient } from '../support/raw-client.js'
import { describeWith } from '../support/requirements.js'
import { exchange, get, withKept } from './support.js'

const run = promisify(execFile)

describeWith('curl', 'curl', () => {
  it('uses one connection for several URLs, and a new one when the server has said close', async () => {
    await withKept({ keep: { timeout: 7_000, max: 3 } }, async ({ origin, connections }) => {
      const urls = ['/1', '/2', '/3', '/4'].map((path) => origin + path)
      const { stdout, stderr } = await run('curl', ['--silent', '--show-error', '--include', '--verbose', ...urls])
      expect(stdout.match(/^(Connection|Keep-Alive): .*$/gm)?.map((line) => line.trim())).toEqual([
        ...['Connection: keep-alive', 'Keep-Alive: timeout=7, max=2'],
        ...['Connection: keep-alive', 'Keep-Alive: timeout=7, max=1'],
        'Connection: close',
        ...['Connection: keep-alive', 'Keep-Alive: timeout=7, max=2'],
      ])
      expect(stderr).toMatch(/Re-using existing (http: )?connection/)
      expect(connections.map(({ requests }) => requests.map(({ path }) => path))).toEqual([['/1', '/2', '/3'], ['/4']])
    })
  })
})

interface Sender {
  send(origin: string, id: number): Promise<string>
  close(): unknown
}

/** Ways to POST, each with no retries of its own. */
const senders: Record<string, () => Sender> = {
  keepwise: () => {
    const pool = createPool({ replay: 'off' })
    return {
      send: async (origin, id) => {
        const { body } = await undiciRequest(`${origin}/${id}`, {
          method: 'POST',
          body: 'x',
          dispatcher: pool.dispatcher,
        })
        return body.text()
      },
      close: () => pool.close(),
    }
  },
  'keepwise, as an agent': () => {
    const pool = createPool({ replay: 'off' })
    return { send: (origin, id) => post(pool.httpAgent, origin, id), close: () => pool.close() }
  },
  "Node's agent": () => throughAgent(new http.Agent({ keepAlive: true })),
  agentkeepalive: () => throughAgent(new KeepAliveAgent()),
}

const throughAgent = (agent: http.Agent): Sender => ({
  send: (origin, id) => post(agent, origin, id),
  close: () => agent.destroy(),
})

function post(agent: http.Agent, origin: string, id: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request(`${origin}/${id}`, { method: 'POST', agent }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(text)).on('error', reject)
    })
    request.on('error', reject).end('x')
  })
}

const LANES = 12
const GRACE = 300
/** How long a client pauses between two requests, at most: less than the grace time. */
const PAUSE = 40

describe('a server that gives way to another under load', () => {
  it.each(Object.entries(senders))('loses no request of %s', async (_name, make) => {
    const served = new Map<string, number>()
    const start = async (name: string) => {
      const server = http.createServer((request, response) => {
        served.set(request.url!, (served.get(request.url!) ?? 0) + 1)
        request.resume().on('end', () => setTimeout(() => response.end(name), (Number(request.url!.slice(1)) * 7) % 20))
      })
      const keeper = keepAlive(server, { timeout: 5_000, max: 40 })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return { keeper, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
    }
    const [first, second] = [await start('first'), await start('second')]
    const sender = make()
    let { origin } = first
    let ids = 0
    let isOver = false
    const answers: string[] = []
    const lane = async (number: number): Promise<void> => {
      while (!isOver) {
        const id = ++ids
        answers.push(await sender.send(origin, id))
        await pause((id * 13 + number) % PAUSE)
      }
    }
    const lanes = Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)))
    await pause(400)
    const before = first.keeper.stats()
    const closing = first.keeper.close({ accept: 400, grace: GRACE })
    // It takes a while until everybody knows; meanwhile each request has a connection of its own.
    await pause(200)
    origin = second.origin
    const left = await closing
    isOver = true
    await lanes
    const ended = second.keeper.close({ grace: 0 })
    await sender.close()
    await ended

    expect(left).toEqual({ connections: 0, requests: 0 })
    expect(answers).toHaveLength(ids)
    expect(new Set(answers)).toEqual(new Set(['first', 'second']))
    expect([...served.values()].filter((times) => times !== 1)).toEqual([])
    expect(served.size).toBe(ids)
    // Connections were kept, and then no more.
    expect(before.accepted).toBeLessThanOrEqual(LANES + before.exhausted)
    expect(before.reused).toBeGreaterThan(LANES)
    expect(first.keeper.stats().accepted).toBeGreaterThan(before.accepted)
  })

  it('answers a client that knows no hints, whenever its request comes before the server has said close', async () => {
    const server = http.createServer((_, response) => response.end('ok'))
    const keeper = keepAlive(server, { timeout: 5_000 })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const clients = await Promise.all(Array.from({ length: 30 }, () => RawClient.open(origin)))
    for (const client of clients) await exchange(client, get())
    const closing = keeper.close({ grace: 400 })
    await Promise.all(
      clients.map(async (client, index) => {
        await pause(index * 10)
        await exchange(client, get())
        await client.until(({ ended }) => ended)
        client.socket.destroy()
        expect(client.error).toBeUndefined()
      }),
    )
    expect(await closing).toEqual({ connections: 0, requests: 0 })
    expect(keeper.stats()).toMatchObject({ requests: 60, timedOut: 0 })
  })
})
