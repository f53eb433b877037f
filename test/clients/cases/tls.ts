/** What the agents are told to trust holds through the client. */
import { expect, it } from 'vitest'
import { testCertificates } from '../../support/tls.js'
import { agentPool, expectWhole } from '../support/agents.js'
import type { Client } from '../support/caller.js'
import { testService } from '../support/service.js'

export function tlsCases({ make, errors }: Client): void {
  const { ca, untrusted, second } = testCertificates()

  it.each([
    ['signed by an authority that nobody told of', {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['signed by another authority', { ca: untrusted.cert }, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ])('refuses a certificate %s', async (_, connect, code) => {
    const service = await testService({ tls: true })
    const pool = agentPool({ connect })
    await expect(make(service.origin, pool).get('/ok')).rejects.toMatchObject(errors.network(code))
    expect(service.requestCount()).toBe(0)
    await expectWhole(pool, { idle: 0, opened: 0 })
  })

  it('refuses a certificate for another name', async () => {
    const service = await testService({ tls: true, ...second })
    const pool = agentPool({ connect: { ca } })
    const refusal = errors.network('ERR_TLS_CERT_ALTNAME_INVALID')
    await expect(make(service.origin, pool).get('/ok')).rejects.toMatchObject(refusal)
    expect(service.requestCount()).toBe(0)
    await expectWhole(pool, { idle: 0, opened: 0 })
  })

  it('takes any certificate if it is told to', async () => {
    const service = await testService({ tls: true, ...testCertificates().untrusted })
    const pool = agentPool({ connect: { rejectUnauthorized: false } })
    expect(await make(service.origin, pool).get('/ok')).toEqual({ status: 200, body: 'ok' })
  })
}
