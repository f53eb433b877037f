/** A caller gives up: before, in line, while a connection is opened, before the response, within it. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { expectWhole, schemes, setUp } from '../support/agents.js'
import type { Client } from '../support/caller.js'

export function abortCases({ make, errors }: Client): void {
  describe.each(schemes)('over $scheme', ({ setUp }) => {
    it('is aborted while it waits for the response', async () => {
      const { service, pool } = await setUp()
      const caller = make(service.origin, pool)
      await caller.get('/ok')
      const controller = new AbortController()
      const failure = expect(caller.get('/silent', { signal: controller.signal })).rejects.toMatchObject(errors.aborted)
      await expect.poll(() => service.requestCount()).toBe(2)
      controller.abort()
      await failure
      await expectWhole(pool, { idle: 0, closed: { aborted: 1 } })
      await expect.poll(() => service.openConnections()).toBe(0)
      expect(await caller.get('/ok')).toEqual({ status: 200, body: 'ok' })
      await expectWhole(pool, { opened: 2, idle: 1, requests: 3 })
    })

    it('is aborted while it reads the body', async () => {
      const { service, pool } = await setUp()
      const caller = make(service.origin, pool)
      const controller = new AbortController()
      const body = await caller.download('/endless', { signal: controller.signal })
      const ending = new Promise((resolve) => body.once('error', resolve))
      expect(`${(await once(body, 'data'))[0]}`).toBe('beginning')
      controller.abort()
      expect(await ending).toMatchObject(errors.abortedBody)
      await expectWhole(pool, { idle: 0, closed: { aborted: 1 } })
      await expect.poll(() => service.openConnections()).toBe(0)
      expect(await caller.get('/ok')).toEqual({ status: 200, body: 'ok' })
    })
  })

  it('is aborted while it waits in line: the connection, and those behind it in line, are left alone', async () => {
    const { service, pool } = await setUp({ maxConnections: 1 })
    const caller = make(service.origin, pool)
    const first = caller.get('/held')
    await expect.poll(() => service.requestCount()).toBe(1)
    const controller = new AbortController()
    const second = expect(caller.get('/ok', { signal: controller.signal })).rejects.toMatchObject(errors.aborted)
    await expect.poll(() => pool.stats().waiting).toBe(1)
    const third = caller.get('/ok')
    await expect.poll(() => pool.stats().waiting).toBe(2)
    controller.abort()
    await second
    await expect.poll(() => pool.stats().waiting).toBe(1)
    service.release()
    expect([await first, await third]).toEqual(Array(2).fill({ status: 200, body: 'ok' }))
    expect(service.connections.map(({ requests }) => requests.length)).toEqual([2])
    await expectWhole(pool, { opened: 1, idle: 1, requests: 2 })
  })

  it('is aborted while its connection is opened', async () => {
    // Takes connections, and never says a word of TLS.
    const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const { pool } = await setUp()
    const { port } = server.address() as { port: number }
    const controller = new AbortController()
    const connected = once(server, 'connection')
    const failure = expect(make(`https://127.0.0.1:${port}`, pool).get('/ok', { signal: controller.signal }))
    const rejected = failure.rejects.toMatchObject(errors.aborted)
    await connected
    controller.abort()
    await rejected
    await expect.poll(() => pool.stats().pending).toBe(0)
    pool.destroy()
    await expectWhole(pool, { opened: 0, idle: 0 })
  })

  it('is aborted before it began: nothing is sent', async () => {
    const { service, pool } = await setUp()
    const caller = make(service.origin, pool)
    await expect(caller.get('/ok', { signal: AbortSignal.abort() })).rejects.toMatchObject(
      errors.abortedBefore ?? errors.aborted,
    )
    await expectWhole(pool, { requests: 0 })
    expect(service.requestCount()).toBe(0)
  })
}
