/** Requests in turn share a connection; requests at once keep to the limit. */
import { describe, expect, it } from 'vitest'
import { expectWhole, schemes } from '../support/agents.js'
import type { Client } from '../support/caller.js'

export function keepAliveCases({ make }: Client): void {
  describe.each(schemes)('over $scheme', ({ setUp }) => {
    it('sends 20 requests in turn on one connection', async () => {
      const { service, pool } = await setUp()
      const caller = make(service.origin, pool)
      for (let n = 0; n < 20; n++) expect(await caller.get('/ok')).toEqual({ status: 200, body: 'ok' })
      expect(service.connections.map(({ requests }) => requests.length)).toEqual([20])
      await expectWhole(pool, { opened: 1, idle: 1, requests: 20, reused: 19 })
    })

    it('sends 50 requests at once on the four connections that maxConnections allows', async () => {
      const { service, pool } = await setUp({ maxConnections: 4 })
      const caller = make(service.origin, pool)
      const answers = await Promise.all(Array.from({ length: 50 }, () => caller.get('/slow')))
      expect(answers).toEqual(Array(50).fill({ status: 200, body: 'ok' }))
      expect(service.connections).toHaveLength(4)
      expect(service.requestCount()).toBe(50)
      await expectWhole(pool, { opened: 4, idle: 4, requests: 50 })
    })

    it('leaves a connection that the server closes in peace, and goes on', async () => {
      const { service, pool } = await setUp()
      const caller = make(service.origin, pool)
      await caller.get('/ok')
      for (const { socket } of service.connections) socket.destroy()
      await expectWhole(pool, { opened: 1, idle: 0 })
      expect(await caller.get('/ok')).toEqual({ status: 200, body: 'ok' })
      await expectWhole(pool, { opened: 2, idle: 1, requests: 2 })
    })
  })
}
