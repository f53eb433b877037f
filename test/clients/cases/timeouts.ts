/** The client's own limits of time, and the pool's beside them. */
import { expect, it } from 'vitest'
import { expectWhole, setUp } from '../support/agents.js'
import type { Client } from '../support/caller.js'

export function timeoutCases({ make, errors }: Client): void {
  it('gives up by its own limit: the connection goes, the pool goes on', async () => {
    const { service, pool } = await setUp()
    const caller = make(service.origin, pool)
    await caller.get('/ok')
    await expect(caller.get('/silent', { timeout: 100 })).rejects.toMatchObject(errors.timedOut)
    await expectWhole(pool, { idle: 0, requests: 2 })
    await expect.poll(() => service.openConnections()).toBe(0)
    expect(await caller.get('/ok')).toEqual({ status: 200, body: 'ok' })
    await expectWhole(pool, { opened: 2, idle: 1, requests: 3 })
  })

  it('leaves no limit of one request behind for the next one on its connection', async () => {
    const { service, pool } = await setUp()
    const caller = make(service.origin, pool)
    await caller.get('/ok', { timeout: 60 })
    const held = caller.get('/held')
    setTimeout(service.release, 150)
    expect(await held).toEqual({ status: 200, body: 'ok' })
    await expectWhole(pool, { opened: 1, idle: 1, requests: 2 })
  })

  it('waits no longer for a connection than acquireTimeout', async () => {
    const { service, pool } = await setUp({ maxConnections: 1, acquireTimeout: 100 })
    const caller = make(service.origin, pool)
    const first = caller.get('/held')
    await expect.poll(() => service.requestCount()).toBe(1)
    await expect(caller.get('/ok')).rejects.toMatchObject(errors.network('ERR_KEEPWISE_ACQUIRE_TIMEOUT'))
    service.release()
    expect(await first).toEqual({ status: 200, body: 'ok' })
    await expectWhole(pool, { opened: 1, idle: 1, requests: 1 })
  })
}
