/** Errors keep the codes that the client's users match on, and carry what keepwise knows, where the client lets them. */
import { expect, it } from 'vitest'
import { agentPool, expectWhole, setUp } from '../support/agents.js'
import type { Client } from '../support/caller.js'
import { testService } from '../support/service.js'

/** The codes of an error and its causes, from the outside inwards. */
function codesOf(error: unknown): unknown[] {
  return error instanceof Error ? [(error as NodeJS.ErrnoException).code, ...codesOf(error.cause)] : []
}

export function errorCases({ make, errors, keepsCauses }: Client): void {
  async function failureOf(request: Promise<unknown>): Promise<unknown> {
    return request.then(
      (answer) => Promise.reject(new Error(`It did not fail: ${JSON.stringify(answer)}`)),
      (error) => error,
    )
  }

  it('says ECONNREFUSED where nobody listens', async () => {
    const service = await testService()
    await service.close()
    const pool = agentPool()
    const error = await failureOf(make(service.origin, pool).get('/ok'))
    expect(error).toMatchObject(errors.network('ECONNREFUSED'))
    if (keepsCauses) expect(codesOf(error).at(-1)).toBe('ERR_KEEPWISE_CONNECT')
    await expectWhole(pool, { opened: 0, dialFailures: 1 })
  })

  it('says ECONNRESET where the server crashes', async () => {
    const { service, pool } = await setUp()
    const caller = make(service.origin, pool)
    const error = await failureOf(caller.post('/crash', 'may have been processed'))
    expect(error).toMatchObject(errors.network('ECONNRESET'))
    if (keepsCauses) expect(codesOf(error).at(-1)).toBe('ERR_KEEPWISE_CONNECTION')
    expect(await caller.get('/ok')).toEqual({ status: 200, body: 'ok' })
    await expectWhole(pool, { opened: 2, idle: 1, requests: 2, replayed: 0 })
  })

  it('says ERR_KEEPWISE_CLOSED once the pool is closed', async () => {
    const { service, pool } = await setUp()
    const caller = make(service.origin, pool)
    await caller.get('/ok')
    await pool.close()
    await expect(caller.get('/ok')).rejects.toMatchObject(errors.network('ERR_KEEPWISE_CLOSED'))
    expect(service.requestCount()).toBe(1)
  })

  it('finishes what runs while the pool is closed', async () => {
    const { service, pool } = await setUp()
    const running = make(service.origin, pool).get('/held')
    await expect.poll(() => service.requestCount()).toBe(1)
    const closing = pool.close()
    service.release()
    expect(await running).toEqual({ status: 200, body: 'ok' })
    await closing
    await expectWhole(pool, { idle: 0, closed: { 'pool-closed': 1 } })
  })
}
