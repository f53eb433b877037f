/**
 * Clients of a kept server that live, whatever they do, and clients that die: idle, in the middle of a request, waiting for
 * a response, and in the middle of one. Plain and TLS, all on one wire at the same time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { ServerEvents } from '../../src/server/events.js'
import { nodeBinary } from '../support/nodes.js'
import { describeWith } from '../support/requirements.js'
import { certificateFor } from '../support/wire/certificate.js'
import { monotonic } from '../support/wire/clock.js'
import type { Talker } from '../support/wire/talker.js'
import { withWire } from '../support/wire/wire.js'

const KEPT = fileURLToPath(new URL('../support/wire/servers/kept.js', import.meta.url))
const HAND = fileURLToPath(new URL('../support/wire/clients/hand.js', import.meta.url))

const liveness = { idle: 2_000, interval: 1_000, probes: 2 }
const DEAD_AFTER = 4_000

/** What clients are in the middle of, `during` what that is to the server, and what its handler learns of their death. */
const scenes = {
  'idle, after a response': { during: 'idle', sends: ['GET / HTTP/1.1\r\nhost: a\r\n\r\n'] },
  'idle, before its first request': { during: 'idle', sends: [] },
  'half a head': { during: 'request', sends: ['GET / HTTP/1.1\r\nho'] },
  'half a head, after a response': {
    during: 'request',
    sends: ['GET / HTTP/1.1\r\nhost: a\r\n\r\n', 'GET / HTTP/1.1\r\nho'],
  },
  'half a body': {
    during: 'request',
    sends: ['POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nxxx'],
    learns: ['/ error ECONNRESET', '/ close'],
  },
  'a slow upload': {
    during: 'request',
    sends: ['POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nxxx'],
    does: 'trickle',
    learns: ['/ error ECONNRESET', '/ close'],
  },
  'a response that is awaited': {
    during: 'response',
    sends: ['GET /never HTTP/1.1\r\nhost: a\r\n\r\n'],
    learns: ['/never close'],
  },
  'a response under way': {
    during: 'response',
    sends: ['GET /stream HTTP/1.1\r\nhost: a\r\n\r\n'],
    learns: ['/stream close'],
  },
  'a response that nobody reads': {
    during: 'response',
    sends: ['GET /flood HTTP/1.1\r\nhost: a\r\n\r\n'],
    does: 'pause',
    learns: ['/flood close'],
  },
} satisfies Record<string, { during: string; sends: string[]; does?: 'trickle' | 'pause'; learns?: string[] }>

type Scene = { during: string; sends: string[]; does?: 'trickle' | 'pause'; learns?: string[] }
type Told = Parameters<ServerEvents['dead']>[0] & { event: string; port: number; at: number }

interface Act {
  readonly name: string
  readonly scene: Scene
  readonly tls: boolean
  readonly port: number
}

/** Has a client do everything there is to a server, plain and with TLS. */
async function perform(client: Talker, host: string, ports: { plain: number; tls: number }): Promise<Act[]> {
  const acts = Object.entries<Scene>(scenes).flatMap(([name, scene]) => [
    { name, scene, tls: false },
    { name, scene, tls: true },
  ])
  return Promise.all(
    acts.map(async (act) => {
      const port = (await client.call('connect', host, act.tls ? ports.tls : ports.plain, act.tls)) as number
      if (act.scene.does === 'pause') await client.call('pause', port)
      for (const text of act.scene.sends.slice(0, -1)) await client.call('exchange', port, text)
      await client.call('send', port, act.scene.sends.at(-1) ?? '')
      if (act.scene.does === 'trickle') await client.call('trickle', port, 200)
      return { ...act, port }
    }),
  )
}

describeWith(['linux', 'root', 'netns', 'tun', 'koffi', 'openssl', 'node26'], 'clients of a kept server', () => {
  it('are never taken for dead while they live, and within Ti + Td x Nm + 1 s when they are', async () => {
    await withWire({ delay: 5 }, async (wire) => {
      const host = wire.server.address
      const certificate = certificateFor(host)
      const options = { timeout: 60_000, liveness, certificate }
      const server = await wire.server.node(KEPT)
      // Where the kernel cannot be asked, its own probes are all there is; this Node can have it send them as often.
      const blind = await wire.server.node(KEPT, { env: { KERNEL: 'no' }, node: nodeBinary(26) })
      const ports = (await server.call('listen', options)) as { plain: number; tls: number }
      const blindPorts = (await blind.call('listen', options)) as { plain: number; tls: number }
      const [client, stopped] = [await wire.client.node(HAND), await wire.client.node(HAND)]

      const acts = [...(await perform(client, host, ports)), ...(await perform(stopped, host, ports))]
      const blindActs = await perform(client, host, blindPorts)
      // Its kernel still answers.
      process.kill(stopped.pid as number, 'SIGSTOP')
      try {
        // A machine that is started anew knows nothing of its connections, and says so when it is asked.
        const restarted = await wire.client.node(HAND)
        const forgotten = await Promise.all(
          [false, true].map(async (tls) => {
            const port = (await restarted.call('connect', host, tls ? ports.tls : ports.plain, tls)) as number
            await restarted.call('exchange', port, 'GET / HTTP/1.1\r\nhost: a\r\n\r\n')
            return port
          }),
        )
        await sleep(200) // all that was said is acknowledged
        await wire.cut('both')
        await restarted.call('forget')
        await wire.mend()

        await sleep(DEAD_AFTER + 1_500)
        expect(await blind.call('events')).toEqual([])
        const early = (await server.call('events')) as Told[]
        expect(early.map(({ event, during, evidence }) => [event, during, evidence.cause])).toEqual([
          ['dead', 'idle', 'reset'],
          ['dead', 'idle', 'reset'],
        ])
        expect(early.map(({ port }) => port).sort()).toEqual(forgotten.sort())
        for (const { evidence } of early) expect(evidence.lastHeard).toBeGreaterThanOrEqual(liveness.idle)

        await wire.cut('both')
        const cutAt = monotonic()
        await sleep(DEAD_AFTER + 1_000)
        const told = (await server.call('events')) as Told[]
        const ends = (await server.call('ends')) as { port: number; path: string; what: string }[]
        for (const { name, scene, tls, port } of acts) {
          const title = `${name}, TLS: ${tls}`
          const [suspect, dead, ...more] = told.filter((each) => each.port === port)
          expect([suspect?.event, dead?.event, more.length], title).toEqual(['suspect', 'dead', 0])
          expect([suspect?.during, dead?.during], title).toEqual([scene.during, scene.during])
          expect(suspect!.at, title).toBeLessThan(dead!.at)
          // It was heard for the last time up to Ti before the wire was cut.
          expect(dead!.at - cutAt, title).toBeGreaterThan(DEAD_AFTER - liveness.idle - 100)
          const { lastHeard, probes, retransmits, cause, doing, rtt } = dead!.evidence
          expect(cause, title).toBe('unanswered')
          expect(lastHeard, title).toBeGreaterThanOrEqual(DEAD_AFTER)
          expect((probes ?? 0) + (retransmits ?? 0), title).toBeGreaterThanOrEqual(2)
          expect(doing === 'idle', title).toBe(scene.during === 'idle')
          expect(rtt, title).toBeGreaterThan(9)
          expect(dead!.client, title).toMatchObject({ remoteAddress: expect.stringContaining(wire.client.address) })
          const learnt = ends.filter((each) => each.port === port).map(({ path, what }) => `${path} ${what}`)
          expect(learnt.sort(), title).toEqual([...(scene.learns ?? [])].sort())
        }
        const stats = (await server.call('stats')) as {
          dead: number
          suspected: number
          active: number
          idle: number
        }[]
        const each = acts.length / 2
        expect(stats).toMatchObject(Array(2).fill({ suspected: each, dead: each + 1, active: 0, idle: 0 }))

        // Nothing was on the way to them: the kernel has probed, and its error says so.
        const found = (await blind.call('events')) as Told[]
        const silent = blindActs.filter(({ name }) => /idle|half|awaited/.test(name))
        for (const { name, scene, tls, port } of silent) {
          const title = `${name}, TLS: ${tls}, kernel not asked`
          const [dead, ...more] = found.filter((each) => each.port === port)
          expect([dead?.event, dead?.during, more.length], title).toEqual(['dead', scene.during, 0])
          expect(dead!.evidence, title).toMatchObject({ cause: 'unanswered' })
          expect(dead!.evidence.lastHeard, title).toBeUndefined()
        }
      } finally {
        process.kill(stopped.pid as number, 'SIGCONT')
      }
    })
  }, 40_000)
})
