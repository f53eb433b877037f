/**
 * A server that was restarted behind a cut wire, and has forgotten its connections: it answers with RST.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Chronicle, type Entry, type Errand, entries, entriesOf, type Outcome } from '../../support/wire/chronicle.js'
import { monotonic } from '../../support/wire/clock.js'
import { servers } from '../../support/wire/programs.js'
import type { Wire } from '../../support/wire/wire.js'
import { codesOf, FACES, LIVENESS, post } from './common.js'

interface Forgotten {
  told: Entry[]
  /** Of the request that was under way, if one was. */
  outcome?: Outcome
  next: Outcome
}

export interface Restarted {
  mendedAt: number
  idle: Forgotten
  waiting: Forgotten
  sending: Forgotten
}

/** Less than Ti: what is sent again is not sent to a peer that has been silent for long. */
const DOWN_FOR = 1_000

export async function playRestarted(wire: Wire): Promise<Record<Errand['via'], Restarted>> {
  const server = await wire.server.node(servers.scenes)
  const doings = ['idle', 'waiting', 'sending'] as const
  const scenes = FACES.flatMap((via) => doings.map((doing) => ({ via, doing })))
  const { ports } = (await server.call('listen', { ports: scenes.length })) as { ports: number[] }
  const client = await Chronicle.start(wire)
  await client.open('pool', { liveness: LIVENESS })
  const originOf = (index: number) => `http://${wire.server.address}:${ports[index]}`
  const errand = (index: number, id: string, path = '') =>
    post({ id: `${id} ${index}`, pool: 'pool', via: scenes[index]!.via, url: `${originOf(index)}/${path}` })
  const those = (doing: (typeof doings)[number]) => [...scenes.keys()].filter((index) => scenes[index]!.doing === doing)
  const all = [...scenes.keys()]

  await client.run(all.map((index) => errand(index, 'first')))
  const waiting = those('waiting').map((index) => errand(index, 'waiting', 'never'))
  await client.begin(waiting)
  await server.call(
    'arrived',
    waiting.map(({ id }) => id),
  )
  await sleep(100)
  await wire.cut('both', { ports })
  await server.call('forget')
  const sending = those('sending').map((index) => errand(index, 'sending'))
  await client.begin(sending)
  await sleep(DOWN_FOR)
  await wire.mend('both', { ports })
  const mendedAt = monotonic()
  const outcomes = await client.settled([...waiting, ...sending])
  await sleep(mendedAt + LIVENESS.idle + 1_000 - monotonic())
  const next = await client.run(all.map((index) => errand(index, 'next')))
  const diary = await client.diary('pool')
  const forgotten = (via: Errand['via'], doing: (typeof doings)[number]): Forgotten => {
    const index = scenes.findIndex((scene) => scene.via === via && scene.doing === doing)
    const outcome = outcomes.find(({ id }) => id === `${doing} ${index}`)
    return {
      told: entriesOf(diary, originOf(index)),
      ...(outcome && { outcome }),
      next: next[index]!,
    }
  }
  const of = (via: Errand['via']): Restarted => ({
    ...{ mendedAt, idle: forgotten(via, 'idle') },
    ...{ waiting: forgotten(via, 'waiting'), sending: forgotten(via, 'sending') },
  })
  return { dispatcher: of('dispatcher'), agents: of('agents') }
}

export function describeRestarted(restarted: () => Record<Errand['via'], Restarted>): void {
  describe.each(FACES)('a server that was restarted, %s', (via) => {
    it('is known to be gone when it answers a probe of an idle connection with RST', () => {
      const { idle, mendedAt } = restarted()[via]
      expect(entries(idle.told, 'dead')).toMatchObject([{ evidence: { cause: 'reset', doing: 'idle' } }])
      expect(entries(idle.told, 'close')).toMatchObject([{ reason: 'dead' }])
      expect(entries(idle.told, 'dead')[0]!.at - mendedAt).toBeLessThan(LIVENESS.idle + 1_000)
    })

    it('is known to be gone when it answers a probe of a connection that waits with RST', () => {
      const { waiting, mendedAt } = restarted()[via]
      expect(entries(waiting.told, 'dead')).toMatchObject([{ evidence: { cause: 'reset', doing: 'waiting' } }])
      expect(codesOf(waiting.outcome!)).toEqual(
        via === 'dispatcher' ? ['ERR_KEEPWISE_PEER_DEAD', 'ECONNRESET'] : ['ECONNRESET', 'ERR_KEEPWISE_PEER_DEAD'],
      )
      expect(waiting.outcome!.settledAt - mendedAt).toBeLessThan(LIVENESS.idle + 1_000)
    })

    it('resets what is sent to it again: the request fails with ECONNRESET', () => {
      const { sending, mendedAt } = restarted()[via]
      expect([sending.outcome!.error!.code, ...sending.outcome!.error!.causes]).toContain('ECONNRESET')
      expect(sending.outcome!.settledAt - mendedAt).toBeLessThan(LIVENESS.idle)
      expect(entries(sending.told, 'close')).toHaveLength(1)
    })

    it('serves the next requests, on new connections', () => {
      const { idle, waiting, sending } = restarted()[via]
      for (const { next, told } of [idle, waiting, sending]) {
        expect(next).toMatchObject({ status: 200 })
        expect(entries(told, 'open')).toHaveLength(2)
      }
    })
  })
}
