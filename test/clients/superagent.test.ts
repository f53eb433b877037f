import superagentModule from 'superagent'
import { describe, expect, it } from 'vitest'
import { testCertificates } from '../support/tls.js'
import { superagent, through } from './callers/superagent.js'
import { sharedCases } from './cases/all.js'
import { redirectCases } from './cases/redirects.js'
import { agentPool, expectWhole, setUp } from './support/agents.js'
import type { Client } from './support/caller.js'
import { testService } from './support/service.js'

const client: Client = {
  make: superagent,
  errors: {
    aborted: { code: 'ABORTED' },
    abortedBefore: { name: 'AbortError' },
    abortedBody: { message: 'aborted' },
    timedOut: { code: 'ECONNABORTED', errno: 'ETIMEDOUT' },
    network: (code) => ({ code }),
  },
  keepsCauses: true,
  unpacks: true,
  usesGlobalAgents: false,
}

describe('superagent', () => {
  sharedCases(client)
  describe('redirects', () => redirectCases(client, { breaksOff: false }))

  it('has an agent of its own, with cookies, over the agents of a pool', async () => {
    const { service, pool } = await setUp()
    const agent = superagentModule.agent().use(through(pool))
    for (let n = 0; n < 5; n++) expect((await agent.get(`${service.origin}/ok`)).status).toBe(200)
    await expectWhole(pool, { opened: 1, idle: 1, requests: 5 })
  })

  it.each([{ response: 100 }, { deadline: 100 }])('counts time in line as part of its timeout %j', async (timeout) => {
    const { service, pool } = await setUp({ maxConnections: 1 })
    const held = superagent(service.origin, pool).get('/held')
    await expect.poll(() => service.requestCount()).toBe(1)
    const inLine = superagentModule.get(`${service.origin}/ok`).use(through(pool)).timeout(timeout)
    await expect(inLine).rejects.toMatchObject({ code: 'ECONNABORTED' })
    service.release()
    await held
    await expectWhole(pool, { opened: 1, idle: 1, requests: 1 })
  })

  it('retries what the server failed at, on the same connection', async () => {
    const { service, pool } = await setUp()
    const failing = superagentModule.get(`${service.origin}/busy`).use(through(pool)).retry(2)
    await expect(failing).rejects.toMatchObject({ status: 503 })
    expect(service.requestCount()).toBe(3)
    await expectWhole(pool, { opened: 1, idle: 1, requests: 3 })
  })

  it('has its own TLS options obeyed', async () => {
    const service = await testService({ tls: true })
    const pool = agentPool()
    const get = () => superagentModule.get(`${service.origin}/ok`).use(through(pool))
    for (let n = 0; n < 3; n++) expect((await get().ca(testCertificates().ca)).status).toBe(200)
    await expectWhole(pool, { opened: 1, idle: 1, requests: 3 })
    await expect(get()).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
    await expectWhole(pool, { opened: 1, idle: 1, requests: 3 })
  })
})
