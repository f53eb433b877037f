/** The endpoint of `watch`: what it answers, to whom, and within which bounds. */
import http from 'node:http'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createPool, HttpAgent } from '../../src/index.js'
import { MAX_CONNECTIONS } from '../../src/watch/endpoint.js'
import { MAX_READERS } from '../../src/watch/readers.js'
import { watch } from '../../src/watch.js'
import { get, testPool, testServer, turns, until } from '../dispatcher/support.js'
import { PoolRig } from '../support/pool-rig.js'
import { ask, Reader, respond, stateOf, testWatch } from './support.js'

const pathOf = (url: string): string => new URL(url).pathname

describe('the endpoint', () => {
  it('has the page, with a policy that lets it do nothing but ask', async () => {
    const { url } = await testWatch()
    const answers = [await ask(url), await ask(url)]
    const nonces = answers.map(({ status, headers, body }) => {
      expect(status).toBe(200)
      expect(headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
      })
      expect(headers).not.toHaveProperty('access-control-allow-origin')
      expect(body).toMatch(/^<!doctype html>/)
      const policy = headers['content-security-policy'] as string
      expect(policy).toContain("default-src 'none'")
      const nonce = /script-src 'nonce-([^']+)'/.exec(policy)?.[1] as string
      expect(body).toContain(`nonce="${nonce}"`)
      return nonce
    })
    expect(nonces[0]).toMatch(/^[\w+/]{22}==$/)
    expect(nonces[0]).not.toBe(nonces[1])
  })

  it('has the state of all pools, and what happened since it was opened', async () => {
    const { origin } = await testServer()
    const pools = [testPool({ name: 'before' })]
    await get(pools[0]!, origin)
    const { url } = await testWatch()
    pools.push(testPool({ name: 'after' }))
    for (const pool of pools) await get(pool, origin)
    await until(() => pools.every((pool) => pool.stats().idle === 1))
    const before = performance.timeOrigin + performance.now()
    const { status, headers } = await ask(new URL('state', url))
    expect(status).toBe(200)
    expect(headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
    const state = await stateOf(url)
    expect(state.time).toBeGreaterThanOrEqual(before)
    expect(state.time).toBeLessThanOrEqual(performance.timeOrigin + performance.now())
    expect(state.process).toEqual({ pid: process.pid, title: process.title, startedAt: performance.timeOrigin })
    const ours = state.pools.filter(({ pool: { id } }) => pools.some((pool) => pool.id === id))
    expect(ours).toEqual(
      pools.map((pool) => ({
        pool: { id: pool.id, name: pool.name },
        stats: JSON.parse(JSON.stringify(pool.stats())),
      })),
    )
    expect(state.pools.map(({ pool: { id } }) => id)).toEqual(
      state.pools.map(({ pool: { id } }) => id).sort((a, b) => a - b),
    )
    expect(state.last).toBe(state.records.length)
    expect(state.records.map(({ pool, event }) => `${pool.name} ${event}`)).toEqual([
      ...['before active', 'before idle'],
      ...['wait', 'dial', 'open', 'active', 'idle'].map((event) => `after ${event}`),
    ])
    expect(state.open).toEqual([])
    const rest = await stateOf(url, `?after=${state.last - 1}`)
    expect(rest).toMatchObject({ last: state.last, records: state.records.slice(-1) })
    expect(rest).not.toHaveProperty('open')
    expect((await stateOf(url, `?after=${state.last}`)).records).toEqual([])
    expect((await stateOf(url, '?after=0')).records).toEqual(state.records)
  })

  it('does not list pools that were closed', async () => {
    const { url } = await testWatch()
    const pools = [createPool(), createPool(), createPool()]
    const [first, second, third] = pools.map(({ id }) => id)
    const listed = async (): Promise<number[]> => (await stateOf(url)).pools.map(({ pool: { id } }) => id)
    expect(await listed()).toEqual(expect.arrayContaining([first, second, third]))
    await pools[0]!.close()
    pools[1]!.destroy()
    const left = await listed()
    expect(left).toContain(third)
    expect(left).not.toContain(first)
    expect(left).not.toContain(second)
    await pools[2]!.close()
  })

  it('has the pools behind drop-in agents, too', async () => {
    const { url } = await testWatch()
    const agent = new HttpAgent({ keepAlive: true })
    onTestFinished(() => agent.destroy())
    expect((await stateOf(url)).pools.map(({ pool: { id } }) => id)).toContain(agent.pool.id)
  })

  it('tells each record as it is made', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const { url } = await testWatch()
    await get(pool, origin)
    await until(() => pool.stats().idle === 1)
    const readers = await Promise.all([Reader.open(url), Reader.open(url)])
    const { response } = readers[0]!
    expect(response.statusCode).toBe(200)
    expect(response.headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    await until(() => readers.every(({ text }) => text === 'retry: 1000\n\n'))
    await get(pool, origin)
    await pool.close()
    const state = await stateOf(url)
    for (const reader of readers) {
      await until(() => reader.records.length === 3)
      expect(reader.events).toEqual(['active', 'idle', 'close'])
      expect(reader.numbers).toEqual([state.last - 2, state.last - 1, state.last])
      expect(reader.records).toEqual(state.records.slice(-3))
    }
  })

  it('answers HEAD with the head alone', async () => {
    const { url } = await testWatch()
    for (const path of ['', 'state', 'events']) {
      const { status, body } = await ask(new URL(path, url), { method: 'HEAD' })
      expect([path, status, body]).toEqual([path, 200, ''])
    }
  })

  it('sends thousands of records in pieces, and lets others have their turn', async () => {
    const rig = new PoolRig()
    const { url } = await testWatch()
    const [connection] = await rig.idle(1)
    for (let more = 0; more < 2_500; more++) {
      rig.acquire()
      rig.release(connection!)
    }
    let counted = 0
    const count = (): void => {
      counted++
      if (counted < 100_000) ticking = setImmediate(count)
    }
    let ticking = setImmediate(count)
    const state = await stateOf(url)
    clearImmediate(ticking)
    expect(state.records).toHaveLength(5_005)
    expect(state.last).toBe(5_005)
    expect(counted).toBeGreaterThan(20)
  })

  it('sees requests of the whole process through an installed pool, and none of its own', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const uninstall = pool.install()
    onTestFinished(uninstall)
    const { url } = await testWatch()
    const reader = await Reader.open(url)
    expect(await (await fetch(origin)).text()).toBe('ok')
    await until(() => reader.records.length === 5)
    expect(reader.records.map((record) => ('origin' in record ? record.origin : record.connection.origin))).toEqual(
      Array(5).fill(origin),
    )
    expect(Object.keys(pool.stats().origins)).toEqual([origin])
  })
})

describe('who may look', () => {
  it('is who has the address, which no one guesses', async () => {
    const endpoints = [await testWatch(), await testWatch()]
    const [first, second] = endpoints.map(({ url }) => url)
    expect(first).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}\/$/)
    expect(pathOf(first!)).not.toBe(pathOf(second!))
    for (const path of ['/', '/state', '/events', pathOf(second!), pathOf(first!).slice(0, -1), '/favicon.ico']) {
      const { status, headers, body } = await ask(new URL(path, first), { headers: { connection: 'keep-alive' } })
      expect([path, status]).toEqual([path, 404])
      expect(body).not.toContain(pathOf(first!))
      expect(headers).toMatchObject({ connection: 'close', 'content-type': 'text/plain; charset=utf-8' })
      expect(headers['content-security-policy']).toContain("default-src 'none'")
    }
  })

  it('is no page that has its own name lead here', async () => {
    const { url } = await testWatch()
    const { port } = new URL(url)
    for (const host of ['evil.example', `evil.example:${port}`, `10.0.0.1:${port}`])
      for (const path of ['', 'state', 'events'])
        expect(await ask(new URL(path, url), { headers: { host } })).toMatchObject({ status: 403 })
    for (const host of [`localhost:${port}`, 'localhost:9', '127.0.0.1'])
      expect(await ask(url, { headers: { host } })).toMatchObject({ status: 200 })
  })

  it('may only look', async () => {
    const { url } = await testWatch()
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const { status, headers } = await ask(url, { method })
      expect([method, status, headers.allow]).toEqual([method, 405, 'GET, HEAD'])
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
    }
  })

  it('is told what is wrong with the number of a record', async () => {
    const { url } = await testWatch()
    expect(await ask(new URL('state?after=x', url))).toMatchObject({ status: 400 })
  })

  it('is on this machine: it listens nowhere else', async () => {
    const { url } = await testWatch()
    const { port } = new URL(url)
    const elsewhere = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4')
      .map(({ address }) => address)
    for (const host of [...elsewhere, '127.0.0.2']) {
      const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
        const socket = net.connect({ host, port: Number(port) })
        socket.on('error', resolve).on('connect', () => {
          socket.destroy()
          resolve(undefined)
        })
      })
      expect([host, error?.code]).toEqual([host, 'ECONNREFUSED'])
    }
  })

  it.each([...['0.0.0.0', '::', 'localhost', '', '10.0.0.1', '127.0.0.2', 'example.com', '::ffff:127.0.0.1', 1, null]])(
    'cannot be extended by the host %j',
    async (host) => {
      await expect(watch({ host: host as never })).rejects.toMatchObject({
        ...{ code: 'ERR_KEEPWISE_OPTION', option: 'host', name: 'OptionError' },
        message: expect.stringContaining("'127.0.0.1', '::1'"),
      })
    },
  )
})

describe('options', () => {
  it('have it listen on a port, under a token, that one names', async () => {
    const first = await testWatch({ token: 'my-own-secret-token' })
    const port = Number(new URL(first.url).port)
    await first.close()
    const second = await testWatch({ port, token: 'my-own-secret-token' })
    expect(second.url).toBe(first.url)
    expect(second.url).toBe(`http://127.0.0.1:${port}/my-own-secret-token/`)
    expect((await ask(second.url)).status).toBe(200)
  })

  it('have it listen on the other loopback address', async () => {
    const { url } = await testWatch({ host: '::1' })
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+\//)
    expect((await ask(url)).status).toBe(200)
  })

  it('are refused where they cannot be', async () => {
    const code = 'ERR_KEEPWISE_OPTION'
    for (const port of [-1, 65_536, 1.5, '80', NaN, null])
      await expect(watch({ port: port as never })).rejects.toMatchObject({ code, option: 'port' })
    for (const token of [
      '',
      'short',
      'with a space in it ok',
      'a'.repeat(101),
      '../../../etc/passwd',
      'ümlaut-in-this-token',
      1,
    ])
      await expect(watch({ token: token as never })).rejects.toMatchObject({ code, option: 'token' })
    await expect(watch({ hots: '::1' } as never)).rejects.toThrow(/Did you mean "host"/)
    await expect(watch(8080 as never)).rejects.toMatchObject({ code, option: 'options' })
  })

  it('name a port that is taken: the system says so', async () => {
    const { url } = await testWatch()
    await expect(watch({ port: Number(new URL(url).port) })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})

describe('bounds', () => {
  it(`are ${MAX_READERS} readers at a time; one who goes makes room`, async () => {
    const { url } = await testWatch()
    const readers = await Promise.all(Array.from({ length: MAX_READERS }, () => Reader.open(url)))
    expect(readers.every(({ response }) => response.statusCode === 200)).toBe(true)
    const tooMany = await ask(new URL('events', url))
    expect(tooMany).toMatchObject({ status: 503, headers: { 'content-type': 'text/plain; charset=utf-8' } })
    // The rest goes on.
    expect((await stateOf(url)).last).toBe(0)
    readers[0]!.response.destroy()
    await until(() => readers[0]!.ended)
    const again = await untilAccepted(url)
    expect(again.response.statusCode).toBe(200)
  })

  it('cut off a reader who does not read, and nobody else', async () => {
    const rig = new PoolRig()
    const { url } = await testWatch()
    const good = await Reader.open(url)
    const stuck = await respond(new URL('events', url))
    onTestFinished(() => void stuck.destroy())
    stuck.pause()
    const { events, identity } = rig.core
    const samples = Array.from({ length: 20_000 }, () => 5_000)
    // Of 100 KB each: 16 MB, which is more than the kernel takes for one who reads nothing, and the bound.
    for (let count = 0; count < 160; count++) {
      events.emit('learn', { origin: 'http://a', address: '127.0.0.1', timeout: 5_000, samples })
      await turns(2)
    }
    await until(() => good.numbers.at(-1) === 160)
    expect(good.ended).toBe(false)
    expect(good.numbers).toHaveLength(160)
    expect(good.records.at(-1)!.pool).toEqual(identity)
    // It finds its end when it reads again, and has not got all of it.
    let read = 0
    stuck.on('error', () => {}).on('data', (chunk: Buffer) => (read += chunk.length))
    stuck.resume()
    await until(() => stuck.closed)
    expect(read).toBeGreaterThan(100_000)
    expect(read).toBeLessThan(good.text.length - 1_000_000)
  })

  it(`are ${MAX_CONNECTIONS} connections at a time`, async () => {
    const { url } = await testWatch()
    const port = Number(new URL(url).port)
    const sockets = Array.from({ length: MAX_CONNECTIONS + 1 }, () => net.connect({ host: '127.0.0.1', port }))
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
    })
    await until(() => sockets.every(({ connecting }) => !connecting))
    for (const socket of sockets) socket.on('error', () => {}).resume()
    await until(() => sockets.some(({ closed }) => closed))
    expect(sockets.filter(({ closed }) => closed)).toHaveLength(1)
    sockets[0]!.destroy()
    sockets[1]!.destroy()
    await until(() => sockets.filter(({ closed }) => closed).length === 3)
    await turns()
    expect((await ask(url)).status).toBe(200)
  })

  it('keep garbage out', async () => {
    const { url } = await testWatch()
    const { port } = new URL(url)
    const socket = net.connect({ host: '127.0.0.1', port: Number(port) })
    let answer = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk))
    socket.end('\u0016\u0003\u0001 nonsense\r\n\r\n')
    await until(() => socket.closed)
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect((await ask(url)).status).toBe(200)
  })
})

describe('the end', () => {
  it('comes with close: readers are cut off, nothing is recorded any more, and the port is free', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const endpoint = await testWatch()
    const reader = await Reader.open(endpoint.url)
    const closed = endpoint.close()
    expect(endpoint.close()).toBe(closed)
    await closed
    await until(() => reader.ended)
    await get(pool, origin)
    expect(reader.records).toEqual([])
    await expect(ask(endpoint.url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    const server = http.createServer().listen(Number(new URL(endpoint.url).port), '127.0.0.1')
    await until(() => server.listening)
    server.close()
  })

  it('leaves nobody listening to pools', async () => {
    const endpoint = await testWatch()
    const rig = new PoolRig()
    expect(rig.core.events.heard('idle')).toBe(true)
    await endpoint.close()
    expect(rig.core.events.heard('idle')).toBe(false)
  })
})

async function untilAccepted(url: string): Promise<Reader> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const reader = await Reader.open(url)
    if (reader.response.statusCode === 200) return reader
    await turns()
  }
  throw new Error('There is no room')
}
