import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeWith } from '../requirements.js'
import { crossing } from './crossing.js'
import { clients, servers } from './programs.js'
import { withWire } from './wire.js'

interface KeepwiseAnswer {
  status?: number
  error?: { message: string }
  took: number
}

describeWith(['linux', 'root', 'netns', 'tun', 'ip', 'koffi'], 'crossing', () => {
  it('lets a request of a pool leave on a connection that the server has closed', async () => {
    await withWire({ delay: 1 }, async (wire) => {
      const server = await wire.server.node(servers.idle)
      const { ports } = await server.call('listen', { closeAfter: 300 })
      const url = `http://${wire.server.address}:${ports[0]}/`
      const client = await wire.client.node(clients.keepwise)
      await client.call('open', { replay: 'off' })
      const first: KeepwiseAnswer = await client.call('request', url, { id: 'first' })
      expect(first.status).toBe(200)
      const raced: KeepwiseAnswer = await crossing(wire, () =>
        client.call('request', url, { id: 'raced', method: 'POST', body: 'x' }),
      )
      expect(raced.error?.message).toEqual(expect.any(String))
      expect(await server.call('report')).toMatchObject({ processed: 1, connections: 1, ended: 1 })
      const next: KeepwiseAnswer = await client.call('request', url, { id: 'next' })
      expect(next.status).toBe(200)
      expect(await server.call('report')).toMatchObject({ processed: 2, connections: 2 })
    })
  })

  it('says so when nothing is sent on the closed connection, and mends the wire', async () => {
    await withWire({ delay: 1 }, async (wire) => {
      const server = await wire.server.node(servers.idle)
      const { ports } = await server.call('listen', { closeAfter: 100 })
      const client = await wire.client.node(clients.raw)
      const id = await client.call('connect', wire.server.address, ports[0])
      await client.call('exchange', id, 'GET / HTTP/1.1\r\nhost: wire\r\n\r\n')
      await expect(crossing(wire, () => sleep(1))).rejects.toThrow('Nothing was sent on the connection')
      await expect.poll(async () => (await client.call('state', id)).ended, { timeout: 2000 }).toBe(true)
    })
  })
})
