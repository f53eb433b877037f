/** Redirects, which the client follows by itself: within one origin, and from http to https and back. */
import { expect, it } from 'vitest'
import { testCertificates } from '../../support/tls.js'
import { agentPool, expectWhole, setUp } from '../support/agents.js'
import type { Client } from '../support/caller.js'
import { testService } from '../support/service.js'

interface Redirects {
  /** Whether the client breaks off the response that redirects it, and so ends the connection. */
  readonly breaksOff: boolean
}

export function redirectCases({ make }: Client, { breaksOff }: Redirects): void {
  it(`follows redirects within the origin${breaksOff ? ', each of which costs a connection' : ''}`, async () => {
    const { service, pool } = await setUp()
    const caller = make(service.origin, pool)
    for (let n = 0; n < 5; n++) expect(await caller.get('/redirect')).toEqual({ status: 200, body: 'ok' })
    expect(service.requestCount()).toBe(10)
    // The next request is sent before the response to the last one was read: it may open a second one.
    const { opened } = pool.stats()
    expect(breaksOff ? opened === 6 : opened <= 2).toBe(true)
    await expectWhole(pool, { requests: 10, closed: { aborted: breaksOff ? 5 : 0 } })
  })

  it('follows redirects from http to https and back: each through the agent for it', async () => {
    const [plain, secure] = await Promise.all([testService(), testService({ tls: true })])
    const pool = agentPool({ connect: { ca: testCertificates().ca } })
    const to = (origin: string, path: string) => `${origin}/redirect?to=${encodeURIComponent(path)}`
    const caller = make(plain.origin, pool)
    for (let n = 0; n < 3; n++)
      expect(await caller.get(to('', to(secure.origin, `${plain.origin}/ok`)))).toEqual({ status: 200, body: 'ok' })
    expect([plain, secure].map(({ requestCount }) => requestCount())).toEqual([6, 3])
    await expectWhole(pool, { requests: 9 })
    expect(Object.keys(pool.stats().origins).sort()).toEqual([plain.origin, secure.origin].sort())
  })
}
