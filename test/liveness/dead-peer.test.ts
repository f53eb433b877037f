/**
 * The settings at work: on a wire that is cut, an idle connection is known to be dead after Ti + Td x Nm, and not before.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { itWith } from '../support/requirements.js'
import { testCertificates } from '../support/tls.js'
import { clients, servers } from '../support/wire/programs.js'
import { withWire } from '../support/wire/wire.js'

interface Close {
  reason: string
  connection: { idle: number }
  error?: { code: string }
}

for (const tls of [false, true])
  itWith(
    ['linux', 'root', 'netns', 'tun', 'koffi', ...(tls ? (['openssl'] as const) : [])],
    `an idle ${tls ? 'TLS ' : ''}connection on a cut wire is closed as dead after 2 s + 1 s x 3`,
    async () => {
      await withWire({ delay: 5 }, async (wire) => {
        const server = await wire.server.node(servers.idle)
        const { ports } = (await server.call('listen', {
          closeAfter: 60_000,
          ...(tls && { tls: testCertificates().localhost }),
        })) as { ports: number[] }
        const client = await wire.client.node(clients.keepwise)
        const liveness = { idle: 2_000, interval: 1_000, probes: 3 }
        await client.call('open', { liveness, connect: { rejectUnauthorized: false } })
        const url = `${tls ? 'https' : 'http'}://${wire.server.address}:${ports[0]}/`
        expect(await client.call('request', url)).toMatchObject({ status: 200 })
        await wire.cut('both')
        await pause(4_000)
        expect(await client.call('events', 'close')).toEqual([])
        await pause(2_500)
        const [close] = (await client.call('events', 'close')) as [Close]
        expect(close).toMatchObject({ reason: 'dead', error: { code: 'ETIMEDOUT' } })
        // The last probe is unanswered one interval after it was sent; the kernel's timers are coarse by a few percent.
        expect(close.connection.idle).toBeGreaterThan(4_800)
        expect(close.connection.idle).toBeLessThan(6_000)
        await wire.mend()
        expect(await client.call('request', url)).toMatchObject({ status: 200 })
      })
    },
    20_000,
  )
