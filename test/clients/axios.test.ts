import { type AxiosRequestConfig, create } from 'axios'
import { describe, expect, it } from 'vitest'
import { axios } from './callers/axios.js'
import { sharedCases } from './cases/all.js'
import { redirectCases } from './cases/redirects.js'
import { expectWhole, setUp } from './support/agents.js'
import type { Client } from './support/caller.js'

const aborted = { name: 'CanceledError', code: 'ERR_CANCELED' }

const client: Client = {
  make: axios,
  errors: {
    aborted,
    abortedBody: aborted,
    timedOut: { isAxiosError: true, code: 'ECONNABORTED' },
    network: (code) => ({ isAxiosError: true, code }),
  },
  keepsCauses: true,
  unpacks: true,
  usesGlobalAgents: true,
}

describe('axios', () => {
  sharedCases(client)
  describe('redirects', () => redirectCases(client, { breaksOff: true }))

  // Without them it calls node:http itself, with them through follow-redirects.
  describe.each([0, 5])('with maxRedirects %s', (maxRedirects) => {
    async function setUpAxios(config: AxiosRequestConfig = {}) {
      const { service, pool } = await setUp({ maxConnections: 1 })
      const { httpAgent, httpsAgent } = pool
      return { service, pool, instance: create({ httpAgent, httpsAgent, maxRedirects, proxy: false, ...config }) }
    }

    it('sends 20 requests in turn on one connection', async () => {
      const { service, pool, instance } = await setUpAxios({ timeout: 1000 })
      for (let n = 0; n < 20; n++) expect((await instance.get(`${service.origin}/ok`)).data).toBe('ok')
      await expectWhole(pool, { opened: 1, idle: 1, requests: 20 })
    })

    it('gives up waiting for a response after its timeout', async () => {
      const { service, pool, instance } = await setUpAxios({ timeout: 100 })
      await expect(instance.get(`${service.origin}/silent`)).rejects.toMatchObject({ code: 'ECONNABORTED' })
      await expectWhole(pool, { idle: 0, requests: 1 })
    })

    it(`${maxRedirects === 0 ? 'counts' : 'does not count'} time in line as part of its timeout`, async () => {
      const { service, pool, instance } = await setUpAxios()
      const held = instance.get(`${service.origin}/held`)
      await expect.poll(() => service.requestCount()).toBe(1)
      const inLine = instance.get(`${service.origin}/ok`, { timeout: 100 })
      const outcome = inLine.then(
        ({ data }) => data,
        ({ code }) => code,
      )
      setTimeout(service.release, 300)
      expect(await outcome).toBe(maxRedirects === 0 ? 'ECONNABORTED' : 'ok')
      await held
      await expectWhole(pool, { opened: 1, idle: 1, requests: maxRedirects === 0 ? 1 : 2 })
    })
  })
})
