import { expect, it } from 'vitest'
import { oneConnectionAgent, plainRequest, RawClient } from '../raw-client.js'
import { describeWith } from '../requirements.js'
import { byConnection } from './access-log.js'
import { startHaproxy, withHaproxy } from './haproxy.js'

describeWith('haproxy', 'a real HAProxy', () => {
  it('closes an idle connection after its timeout and has not said so', async () => {
    await withHaproxy({ keepAliveTimeout: '700ms' }, async ({ origin }) => {
      const client = await RawClient.open(origin)
      client.get()
      await client.until(({ received }) => received.endsWith('ok'))
      const start = performance.now()
      expect(client.received.toLowerCase()).not.toContain('keep-alive')
      await client.until(({ ended }) => ended)
      expect(performance.now() - start).toBeGreaterThan(600)
      client.socket.destroy()
    })
  })

  it('logs requests by connection', async () => {
    const agent = oneConnectionAgent()
    await withHaproxy({}, async (haproxy) => {
      await plainRequest(`${haproxy.origin}/a`, { agent })
      await plainRequest(`${haproxy.origin}/b`, { agent, method: 'POST' }, 'body')
      await plainRequest(`${haproxy.origin}/c`)
      const groups = byConnection(await haproxy.accessLog(3))
      expect(groups.map((group) => group.map(({ nth, method, path }) => `${nth} ${method} ${path}`))).toEqual([
        ['1 GET /a', '2 POST /b'],
        ['1 GET /c'],
      ])
    })
    agent.destroy()
  })

  it('says what is wrong with a configuration', async () => {
    await expect(startHaproxy({ frontend: 'nonsense' })).rejects.toThrow("unknown keyword 'nonsense'")
  })
})

describeWith(['haproxy', 'openssl'], 'a real HAProxy over TLS', () => {
  it('serves https', async () => {
    await withHaproxy({ tls: true }, async ({ origin }) => {
      expect(await plainRequest(origin)).toMatchObject({ status: 200, body: 'ok' })
    })
  })
})
