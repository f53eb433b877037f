/** The other ways to put keepwise there: agents constructed by the code itself, and all of the process. */
import { expect, it, onTestFinished } from 'vitest'
import { HttpAgent, HttpsAgent } from '../../../src/index.js'
import { testCertificates } from '../../support/tls.js'
import { agentPool, expectWhole } from '../support/agents.js'
import type { Client } from '../support/caller.js'
import { testService } from '../support/service.js'

export function otherAgentCases({ make, usesGlobalAgents }: Client): void {
  it.each([false, true])('works over agents with options of node:http (TLS: %s)', async (tls) => {
    const service = await testService({ tls })
    const options = { keepAlive: true, maxSockets: 2, maxFreeSockets: 2 }
    const httpAgent = new HttpAgent(options)
    const httpsAgent = new HttpsAgent({ ...options, ca: testCertificates().ca })
    onTestFinished(() => {
      httpAgent.destroy()
      httpsAgent.destroy()
    })
    const caller = make(service.origin, { httpAgent, httpsAgent })
    await Promise.all(Array.from({ length: 20 }, () => caller.get('/slow')))
    for (let n = 0; n < 5; n++) expect(await caller.get('/ok')).toEqual({ status: 200, body: 'ok' })
    expect(service.connections).toHaveLength(2)
    await expect.poll(() => Object.values((tls ? httpsAgent : httpAgent).freeSockets).flat()).toHaveLength(2)
  })

  it(usesGlobalAgents ? 'is reached by install()' : 'is not reached by install()', async () => {
    const service = await testService()
    const pool = agentPool()
    const restore = pool.install()
    onTestFinished(restore)
    const caller = make(service.origin)
    for (let n = 0; n < 3; n++) expect(await caller.get('/ok')).toEqual({ status: 200, body: 'ok' })
    await expectWhole(pool, usesGlobalAgents ? { requests: 3, opened: 1, idle: 1 } : { requests: 0, opened: 0 })
    restore()
    expect(await make(service.origin).get('/ok')).toEqual({ status: 200, body: 'ok' })
    await expectWhole(pool, { requests: usesGlobalAgents ? 3 : 0 })
  })
}
