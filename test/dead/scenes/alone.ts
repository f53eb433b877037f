/**
 * One connection that dies alone, as when something on the way has forgotten it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import {
  type Arrival,
  Chronicle,
  type Entry,
  type Errand,
  entries,
  type Outcome,
} from '../../support/wire/chronicle.js'
import { servers } from '../../support/wire/programs.js'
import type { Wire } from '../../support/wire/wire.js'
import { codesOf, FACES, LIVENESS, post } from './common.js'

/** Milliseconds after the cut when the siblings are heard last: less than Ti before they are asked. */
const LATER = 3_500
const SIBLINGS = 3

export interface Alone {
  told: Entry[]
  outcome: Outcome
  next: Outcome[]
}

export async function playAlone(wire: Wire): Promise<Record<Errand['via'], Alone>> {
  const server = await wire.server.node(servers.scenes)
  const { ports } = (await server.call('listen', { ports: FACES.length })) as { ports: number[] }
  const play = async (via: Errand['via'], port: number): Promise<Alone> => {
    const client = await Chronicle.start(wire)
    await client.open('pool', { maxConnections: SIBLINGS + 1, liveness: LIVENESS })
    const errand = (id: string, path: string) =>
      post({ id: `${via} ${id}`, pool: 'pool', via, url: `http://${wire.server.address}:${port}/${path}` })
    const several = (count: number, id: string, path: string) =>
      Array.from({ length: count }, (_, index) => errand(`${id} ${index}`, path))
    await client.run(several(SIBLINGS + 1, 'first', 'after/200'))
    const waiting = errand('waiting', 'never')
    await client.begin([waiting])
    await server.call('arrived', [waiting.id])
    const arrivals: Arrival[] = await server.call('requests')
    const { clientPort } = arrivals.find(({ id }) => id === waiting.id)!
    await wire.cut('both', { ports: [port], clientPorts: [clientPort] })
    await sleep(LATER)
    // Heard less than Ti ago when they are asked: they would not be asked by the kernel yet.
    await client.run(several(SIBLINGS, 'second', 'after/100'))
    const [outcome] = await client.settled([waiting])
    await sleep(750)
    const next = await client.run(several(SIBLINGS, 'next', 'after/50'))
    return { told: await client.diary('pool'), outcome: outcome!, next }
  }
  const [dispatcher, agents] = await Promise.all(FACES.map((via, index) => play(via, ports[index]!)))
  return { dispatcher: dispatcher!, agents: agents! }
}

export function describeAlone(alone: () => Record<Errand['via'], Alone>): void {
  describe.each(FACES)('a connection that dies alone, %s', (via) => {
    it('has its siblings asked, which answer, stay and serve', () => {
      const { told, outcome, next } = alone()[via]
      const [death] = entries(told, 'dead')
      expect(codesOf(outcome)).toContain('ERR_KEEPWISE_PEER_DEAD')
      expect(entries(told, 'close').map(({ connection }) => connection.id)).toEqual([death!.connection.id])
      // They were asked: another `idle` says that they have answered.
      const answers = entries(told, 'idle').filter(({ at }) => at > death!.at && at < next[0]!.at)
      expect(new Set(answers.map(({ connection }) => connection.id)).size).toBe(SIBLINGS)
      for (const { at } of answers) expect(at - death!.at).toBeLessThan(500)
      expect(next.filter(({ status }) => status !== 200)).toEqual([])
      expect(entries(told, 'open')).toHaveLength(SIBLINGS + 1)
    })
  })
}
