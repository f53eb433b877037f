/**
 * Two addresses of one origin, of which one dies while the other lives.
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
import { monotonic } from '../../support/wire/clock.js'
import { servers } from '../../support/wire/programs.js'
import type { Wire } from '../../support/wire/wire.js'
import { codesOf, FACES, LIVENESS, PROMISED, post } from './common.js'
import { dialsTo } from './dials.js'

const PER_ADDRESS = 4
/** Fewer than there are connections to one address: some idle at each. */
const WAITING = PER_ADDRESS - 1
/**
 * Those that wait lose their peer first, and so die first; so much later the others do, which have been heard less than Ti ago
 * then.
 */
const LATER = 3_500
/** Longer than it takes to find a peer dead. */
const LONG = 7_500

export interface TwoAddresses {
  firstCutAt: number
  cutAt: number
  deadAddress: string
  /** The connections at the cut. */
  before: Entry<'open'>[]
  /** What was told from the cut until the wire was mended. */
  after: Entry[]
  /** Of the requests that were waiting, and where. */
  outcomes: { outcome: Outcome; address: string }[]
  /** Requests after the death, before the wire was mended; and where they came. */
  amid: Outcome[]
  amidArrivals: Arrival[]
  /** Connections that were tried to be opened to the dead address by these. */
  dials: number
  next: Outcome
}

/** Those that were opened and are not closed. */
function openIn(diary: readonly Entry[]): Entry<'open'>[] {
  const closed = entries(diary, 'close').map(({ connection }) => connection.id)
  return entries(diary, 'open').filter(({ connection }) => !closed.includes(connection.id))
}

export async function playAddresses(wire: Wire): Promise<Record<Errand['via'], TwoAddresses>> {
  const server = await wire.server.node(servers.scenes)
  const { ports } = (await server.call('listen', { ports: FACES.length })) as { ports: number[] }
  const play = async (via: Errand['via'], port: number): Promise<TwoAddresses> => {
    const client = await Chronicle.start(wire)
    await client.open('pool', { liveness: LIVENESS }, wire.server.addresses)
    const errand = (id: string, path = '') =>
      post({ id: `${via} ${id}`, pool: 'pool', via, url: `http://two-addresses.test:${port}/${path}` })
    const several = (count: number, id: string, path: string) =>
      Array.from({ length: count }, (_, index) => errand(`${id} ${index}`, path))
    const arrivalsOf = async (errands: Errand[]): Promise<Arrival[]> => {
      const all: Arrival[] = await server.call('requests')
      return errands.flatMap(({ id }) => all.filter((arrival) => arrival.id === id))
    }

    await client.run(several(2 * PER_ADDRESS, 'first', 'after/300'))
    const waiting = several(WAITING, 'waiting', `after/${LONG}`)
    await client.begin(waiting)
    await server.call(
      'arrived',
      waiting.map(({ id }) => id),
    )
    const arrivals = await arrivalsOf(waiting)
    const deadAddress = arrivals[0]!.address
    const doomed = arrivals.filter(({ address }) => address === deadAddress)
    await wire.cut('both', { ports: [port], clientPorts: doomed.map(({ clientPort }) => clientPort) })
    const firstCutAt = monotonic()
    await sleep(LATER)
    await client.run(several(2 * PER_ADDRESS - WAITING, 'second', 'after/100'))
    const place = { ports: [port], addresses: [deadAddress] }
    await wire.cut('both', place)
    const cutAt = monotonic()
    const before = openIn(await client.diary('pool'))
    await sleep(firstCutAt + PROMISED - monotonic())
    const dialsSince = monotonic()
    const more = several(10, 'amid', 'after/50')
    const amid = await client.run(more)
    const dials = await dialsTo(
      wire,
      dialsSince,
      (packet) => packet.target === deadAddress && packet.targetPort === port,
    )
    const outcomes = await client.settled(waiting)
    const after = (await client.diary('pool')).filter(({ at }) => at >= firstCutAt)
    await wire.mend('both', place)
    const [next] = await client.run([errand('next')])
    return {
      ...{ firstCutAt, cutAt, deadAddress, before, after, amid, dials, next: next! },
      outcomes: outcomes.map((outcome, index) => ({ outcome, address: arrivals[index]!.address })),
      amidArrivals: await arrivalsOf(more),
    }
  }
  const [dispatcher, agents] = await Promise.all(FACES.map((via, index) => play(via, ports[index]!)))
  return { dispatcher: dispatcher!, agents: agents! }
}

export function describeAddresses(addresses: () => Record<Errand['via'], TwoAddresses>): void {
  describe.each(FACES)('one of two addresses that dies, %s', (via) => {
    const of = () => addresses()[via]

    it('loses all its connections: what waits there fails, what idles there is closed', () => {
      const { before, after, outcomes, deadAddress, firstCutAt } = of()
      const there = before.filter(({ connection }) => connection.remoteAddress === deadAddress)
      expect(there.length).toBeGreaterThan(1)
      const gone = entries(after, 'close').filter(({ at }) => at < firstCutAt + PROMISED)
      expect(gone.map(({ connection }) => connection.id).sort()).toEqual(
        there.map(({ connection }) => connection.id).sort(),
      )
      const failed = outcomes.filter(({ address }) => address === deadAddress)
      expect(failed.length).toBeGreaterThan(0)
      for (const { outcome } of failed) expect(codesOf(outcome)).toContain('ERR_KEEPWISE_PEER_DEAD')
    })

    it('has what idles asked at once when the first one dies, and evicted before its own time is over', () => {
      const { before, after, deadAddress, cutAt } = of()
      const there = before.filter(({ connection }) => connection.remoteAddress === deadAddress)
      const deaths = entries(after, 'dead')
      const evictions = entries(after, 'close').filter(({ reason }) => reason === 'evicted')
      expect(deaths.length).toBeGreaterThan(0)
      expect(evictions).toHaveLength(there.length - deaths.length)
      expect(evictions.length).toBeGreaterThan(0)
      for (const { at } of evictions) {
        expect(at).toBeGreaterThan(deaths[0]!.at)
        expect(at - cutAt).toBeLessThan(LIVENESS.idle + LIVENESS.interval)
      }
    })

    it('leaves those of the other address alone, which go on serving', () => {
      const { after, outcomes, amid, amidArrivals, deadAddress } = of()
      const troubles = [...entries(after, 'dead'), ...entries(after, 'close')]
      expect(troubles.filter(({ connection }) => connection.remoteAddress !== deadAddress)).toEqual([])
      for (const { outcome, address } of outcomes)
        if (address !== deadAddress) expect(outcome).toMatchObject({ status: 200 })
      expect(amid.filter(({ status }) => status !== 200)).toEqual([])
      expect(amidArrivals.filter(({ address }) => address === deadAddress)).toEqual([])
    })

    it('is not dialed meanwhile, and is served again when the wire is mended', () => {
      const { dials, amid, next } = of()
      expect(dials).toBe(0)
      for (const { at, settledAt } of amid) expect(settledAt - at).toBeLessThan(1_000)
      expect(next).toMatchObject({ status: 200 })
    })
  })
}
