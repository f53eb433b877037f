/**
 * nginx in front of a kept server, with connections that it keeps: it reads no hints, and finds out that a connection is
 * closed when it is. No request is lost around the idle close, nor when one server gives way to another.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { keepAlive } from '../../src/server.js'
import { itWith } from '../support/requirements.js'
import { withNginx } from '../support/servers/nginx.js'

const TIMEOUT = 400

async function start() {
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => response.end('ok'))
  })
  const keeper = keepAlive(server, { timeout: TIMEOUT, buffer: 100, max: 1_000 })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { keeper, port: (server.address() as AddressInfo).port }
}

/** The status: nginx itself says 502 when it got no answer. */
function post(agent: http.Agent, url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', agent }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode!))
    })
    request.on('error', reject).end('x')
  })
}

const upstream = (name: string, port: number) =>
  `upstream ${name} { server 127.0.0.1:${port} max_fails=0; keepalive 16; }`

const location = (name: string) => `location /${name}/ {
  proxy_pass http://${name};
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_next_upstream off;
}`

itWith('nginx', 'nginx as a client gets an answer to every POST, whenever it comes', async () => {
  const [first, second] = [await start(), await start()]
  const options = {
    http: upstream('first', first.port) + upstream('second', second.port),
    server: location('first') + location('second'),
  }
  const agent = new http.Agent({ keepAlive: true })
  await withNginx(options, async ({ origin }) => {
    const statuses: number[] = []
    let where = 'first'
    let isOver = false
    const lane = async (idle: number) => {
      while (!isOver) {
        statuses.push(await post(agent, `${origin}/${where}/`))
        await sleep(idle)
      }
    }
    // Around the idle close, and often.
    const lanes = [0, 20, 40, 60, 80, 100, 120].map((more) => lane(TIMEOUT + more)).concat([5, 6, 7].map(lane))
    await sleep(2_000)
    const before = first.keeper.stats()
    const closing = first.keeper.close({ accept: 600, grace: 300 })
    await sleep(300)
    where = 'second'
    expect(await closing).toEqual({ connections: 0, requests: 0 })
    isOver = true
    await Promise.all(lanes)
    agent.destroy()
    expect(await second.keeper.close({ grace: 0 })).toEqual({ connections: 0, requests: 0 })
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(first.keeper.stats().requests + second.keeper.stats().requests).toBe(statuses.length)
    expect(second.keeper.stats().requests).toBeGreaterThan(0)
    expect(before.reused / before.requests).toBeGreaterThan(0.5)
    expect(before.timedOut).toBeGreaterThan(0)
  })
})
