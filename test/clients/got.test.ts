import gotModule from 'got'
import { describe, expect, it } from 'vitest'
import type { Pool } from '../../src/index.js'
import { testCertificates } from '../support/tls.js'
import { got } from './callers/got.js'
import { sharedCases } from './cases/all.js'
import { redirectCases } from './cases/redirects.js'
import { agentPool, expectWhole, setUp } from './support/agents.js'
import type { Client } from './support/caller.js'
import { testService } from './support/service.js'

const aborted = { name: 'AbortError', code: 'ERR_ABORTED' }

const client: Client = {
  make: got,
  errors: {
    aborted,
    abortedBody: aborted,
    timedOut: { name: 'TimeoutError', code: 'ETIMEDOUT' },
    network: (code) => ({ name: 'RequestError', code }),
  },
  keepsCauses: true,
  unpacks: true,
  usesGlobalAgents: true,
}

const agentOf = (pool: Pool) => ({ http: pool.httpAgent, https: pool.httpsAgent })

describe('got', () => {
  sharedCases(client)
  describe('redirects', () => redirectCases(client, { breaksOff: false }))

  it('retries what the server failed at, on the same connection', async () => {
    const { service, pool } = await setUp()
    const retry = { limit: 2, backoffLimit: 10 }
    const failing = gotModule(`${service.origin}/busy`, { agent: agentOf(pool), retry })
    await expect(failing).rejects.toMatchObject({ response: { statusCode: 503, retryCount: 2 } })
    expect(service.requestCount()).toBe(3)
    await expectWhole(pool, { opened: 1, idle: 1, requests: 3 })
  })

  it.each([
    [{ request: 100 }, 'ETIMEDOUT'],
    [{ socket: 100 }, 'ok'],
    [{ response: 100 }, 'ok'],
    [{ connect: 100 }, 'ok'],
    [{ send: 100 }, 'ok'],
  ])('with timeout %j in line: %s', async (timeout, expected) => {
    const { service, pool } = await setUp({ maxConnections: 1 })
    const api = gotModule.extend({ agent: agentOf(pool), retry: { limit: 0 } })
    const held = api(`${service.origin}/held`)
    await expect.poll(() => service.requestCount()).toBe(1)
    const outcome = api(`${service.origin}/ok`, { timeout }).then(
      ({ body }) => body,
      ({ code }) => code,
    )
    setTimeout(service.release, 200)
    expect(await outcome).toBe(expected)
    await held
    await expectWhole(pool, { opened: 1, idle: 1, requests: expected === 'ok' ? 2 : 1 })
  })

  it('has its own TLS options obeyed, and connections of another identity are kept apart', async () => {
    const service = await testService({ tls: true })
    const pool = agentPool()
    const { ca } = testCertificates()
    const trusting = gotModule.extend({
      agent: agentOf(pool),
      https: { certificateAuthority: ca },
      retry: { limit: 0 },
    })
    for (let n = 0; n < 3; n++) expect(await trusting(`${service.origin}/ok`).text()).toBe('ok')
    await expectWhole(pool, { opened: 1, idle: 1, requests: 3 })
    const distrusting = trusting.extend({ https: { certificateAuthority: testCertificates().untrusted.cert } })
    await expect(distrusting(`${service.origin}/ok`)).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
    await expectWhole(pool, { opened: 1, idle: 1, requests: 3 })
  })

  it('with http2 opens a connection of its own to ask for the protocol, and uses the pool for HTTP/1.1', async () => {
    const { service, pool } = await setUp({}, { tls: true })
    const options = { agent: agentOf(pool), http2: true, https: { certificateAuthority: testCertificates().ca } }
    for (let n = 0; n < 3; n++) expect(await gotModule(`${service.origin}/ok`, options).text()).toBe('ok')
    await expectWhole(pool, { opened: 1, idle: 1, requests: 3 })
    expect(service.connections.map(({ requests }) => requests.length).sort()).toEqual([0, 3])
  })
})
