/**
 * A wire that is cut, with Ti 2 s, Td 1 s, Nm 3: connections that idle, wait and send, through both faces, plain and with
 * TLS, on the oldest and the newest Node, cut in both directions and in either one, all on one wire at the same time. Each is
 * reported dead within 6 s, suspected before, and replaced when the wire is mended.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { PeerEvidence } from '../../../src/liveness/evidence.js'
import { nodeBinary } from '../../support/nodes.js'
import { certificateFor } from '../../support/wire/certificate.js'
import {
  type Arrival,
  Chronicle,
  type Entry,
  type Errand,
  entries,
  entriesOf,
  type Outcome,
} from '../../support/wire/chronicle.js'
import { monotonic } from '../../support/wire/clock.js'
import { servers } from '../../support/wire/programs.js'
import type { TracedPacket, Wire } from '../../support/wire/wire.js'
import { DEAD_AFTER, DELAY, FACES, LIVENESS, PROMISED, SUSPECT_AFTER } from './common.js'

/** Milliseconds by which clocks that count in whole ones may disagree. */
const COARSE = 20
const LARGE = 1_000_000
/** Of that, what has arrived before the cut; the rest is sent into it. */
const HALF = 100_000
const SMALL = 50

/** What the connection is doing when it is cut off. A GET is sent again on a new connection, and is answered in the end. */
const DOINGS = ['idle', 'waiting', 'reading', 'sending', 'uploading', 'get waiting', 'get sending'] as const
const CUTS = ['both', 'toServer', 'toClient'] as const
const NODES = [20, 26] as const

interface Scene {
  name: string
  node: (typeof NODES)[number]
  doing: (typeof DOINGS)[number]
  via: Errand['via']
  tls: boolean
  cut: (typeof CUTS)[number]
  origin: string
  port: number
}

export interface CutReport extends Scene {
  cutAt: number
  /** When the last packet from the server's end arrived. */
  lastHeard: number
  /** What was told from the cut on. */
  told: Entry[]
  /** Of the request that was under way; undefined where it idled. */
  outcome?: Outcome
  /** Of its request, as often as it arrived. */
  arrivals: Arrival[]
  /** Of the request after the wire was mended. */
  next: Outcome
}

/** A server goes on sending what a client cannot acknowledge any more, so it is heard for a while after such a cut. */
const isMeant = ({ doing, cut }: Pick<Scene, 'doing' | 'cut'>) =>
  cut === 'both' || (doing === 'reading' ? cut === 'toClient' : !doing.startsWith('get'))

const SCENES = NODES.flatMap((node) =>
  CUTS.flatMap((cut) =>
    FACES.flatMap((via) =>
      [false, true].flatMap((tls) =>
        DOINGS.map((doing) => ({ node, cut, via, tls, doing }))
          .filter(isMeant)
          .map(({ doing }) => ({
            ...{ node, cut, via, tls, doing },
            name: `Node ${node}, ${via}, ${tls ? 'TLS' : 'plain'}, ${doing}, cut ${cut}`,
          })),
      ),
    ),
  ),
)

const isPost = ({ doing }: Scene) => doing !== 'idle' && !doing.startsWith('get')
const waits = ({ doing }: Scene) => ['waiting', 'reading', 'get waiting'].includes(doing)
const sends = ({ doing }: Scene) => ['sending', 'get sending'].includes(doing)

export function describeCut(reports: () => CutReport[]): void {
  const of = (name: string) => reports().find((report) => report.name === name)!

  describe.each(SCENES.map(({ name }) => name))('%s', (name) => {
    it('is reported dead after Ti + Td x Nm, once, and no later than a second after that', () => {
      const { told, lastHeard, cutAt } = of(name)
      const deaths = entries(told, 'dead').filter(({ at }) => at < cutAt + PROMISED + 1_000)
      expect(deaths).toHaveLength(1)
      const [{ at, evidence }] = deaths as [Entry<'dead'>]
      expect(at - lastHeard).toBeGreaterThan(DEAD_AFTER - COARSE)
      expect(at - cutAt).toBeLessThan(PROMISED)
      expect(evidence.cause).toBe('unanswered')
      expect(evidence.doing).toBe(doingOf(of(name)))
      expect(evidence.lastHeard).toBeGreaterThan(DEAD_AFTER - COARSE)
      expect(Math.max(evidence.probes!, evidence.retransmits!)).toBeGreaterThan(0)
    })

    it('is suspected before, and not before Ti', () => {
      const { told, lastHeard } = of(name)
      const [suspicion] = entries(told, 'suspect')
      const [death] = entries(told, 'dead')
      expect(suspicion!.at).toBeLessThan(death!.at)
      expect(suspicion!.at - lastHeard).toBeGreaterThan(SUSPECT_AFTER - COARSE)
      expect(suspicion!.connection.id).toBe(death!.connection.id)
    })

    it('is closed as dead, and replaced by a new connection when the wire is mended', () => {
      const { told, next } = of(name)
      const [death] = entries(told, 'dead')
      expect(entries(told, 'close')).toMatchObject([{ reason: 'dead', connection: { id: death!.connection.id } }])
      expect(next).toMatchObject({ status: 200 })
      expect(entries(told, 'open')).toHaveLength(1)
    })
  })

  describe.each(SCENES.filter((scene) => isPost(scene as Scene)).map(({ name }) => name))('%s', (name) => {
    it('fails the request at once, and says why', () => {
      const { told, outcome, via } = of(name)
      const [death] = entries(told, 'dead')
      expect(outcome!.settledAt - death!.at).toBeLessThan(500)
      const { code, causes } = outcome!.error!
      if (via === 'dispatcher') expect([code, causes[0]]).toEqual(['ERR_KEEPWISE_PEER_DEAD', 'ETIMEDOUT'])
      else expect([code, causes[0]]).toEqual(['ETIMEDOUT', 'ERR_KEEPWISE_PEER_DEAD'])
    })

    it('sends it once', () => {
      const { told, arrivals } = of(name)
      expect(arrivals.length).toBeLessThanOrEqual(1)
      expect(entries(told, 'replay')).toEqual([])
    })
  })

  describe.each(SCENES.filter(({ doing }) => doing.startsWith('get')).map(({ name }) => name))('%s', (name) => {
    it('sends the GET again, once, and has it answered when the wire is mended', () => {
      const { told, outcome, arrivals, doing } = of(name)
      expect(outcome).toMatchObject({ status: 200 })
      expect(entries(told, 'replay')).toMatchObject([{ method: 'GET', attempt: 1 }])
      expect(arrivals).toHaveLength(doing === 'get waiting' ? 2 : 1)
    })
  })

  it('had cut large bodies in the middle', () => {
    const uploads = reports()
      .filter(({ doing }) => doing === 'uploading')
      .flatMap(({ arrivals }) => arrivals)
    expect(uploads).toHaveLength(SCENES.filter(({ doing }) => doing === 'uploading').length)
    for (const { received, complete } of uploads) {
      expect(received).toBeGreaterThanOrEqual(HALF)
      expect(complete).toBe(false)
    }
  })
}

export async function playCut(wire: Wire): Promise<CutReport[]> {
  const tls = certificateFor(wire.server.address)
  const [plainServer, tlsServer] = await Promise.all([
    wire.server.node(servers.scenes),
    wire.server.node(servers.scenes),
  ])
  const count = SCENES.length / 2
  const listening = await Promise.all([
    plainServer.call('listen', { ports: count }),
    tlsServer.call('listen', { ports: count, tls }),
  ])
  const free: { ports: number[] }[] = listening
  const scenes = SCENES.map((scene): Scene => {
    const port = free[Number(scene.tls)]!.ports.shift()!
    return { ...scene, port, origin: `${scene.tls ? 'https' : 'http'}://${wire.server.address}:${port}` }
  })
  const options = { maxConnections: 1, liveness: LIVENESS, connect: { ca: tls.cert } }
  const chronicles = await Promise.all(NODES.map((node) => Chronicle.start(wire, { node: nodeBinary(node) })))
  await Promise.all(chronicles.map((chronicle) => chronicle.open('pool', options)))
  const clientOf = ({ node }: Scene) => chronicles[NODES.indexOf(node)]!
  const errandOf = (scene: Scene, id: string): Errand => {
    const { doing, via, origin } = scene
    const errand = { id: `${scene.name}: ${id}`, pool: 'pool', via, url: `${origin}/` }
    if (id !== 'under way') return errand
    if (!isPost(scene)) return { ...errand, url: `${origin}/${doing === 'get waiting' ? 'second' : ''}` }
    if (doing === 'uploading') return { ...errand, method: 'POST', size: LARGE, halt: HALF }
    const path = { waiting: 'never', reading: 'stream/50' }[doing as string] ?? ''
    return { ...errand, method: 'POST', size: SMALL, url: `${origin}/${path}` }
  }
  /** Has each client send one request for each of its scenes. */
  const begin = async (some: Scene[], id: string) => {
    const errands = (chronicle: Chronicle) =>
      some.filter((scene) => clientOf(scene) === chronicle).map((scene) => errandOf(scene, id))
    await Promise.all(chronicles.map((chronicle) => chronicle.begin(errands(chronicle))))
  }
  const settled = (some: Scene[], id: string) =>
    Promise.all(some.map(async (scene) => (await clientOf(scene).settled([errandOf(scene, id)]))[0]!))
  const arrived = (some: Scene[], bytes: number) =>
    Promise.all(
      [plainServer, tlsServer].map((server, index) =>
        server.call(
          'arrived',
          some.filter((scene) => Number(scene.tls) === index).map((scene) => errandOf(scene, 'under way').id),
          bytes,
        ),
      ),
    )
  const cutAt = new Map<Scene, number>()
  const cut = async (some: Scene[]) => {
    for (const direction of CUTS) {
      const group = some.filter((scene) => scene.cut === direction)
      await wire.cut(direction, { ports: group.map(({ port }) => port) })
      for (const scene of group) cutAt.set(scene, monotonic())
    }
  }

  await begin(scenes, 'first')
  await settled(scenes, 'first')
  const uploads = scenes.filter(({ doing }) => doing === 'uploading')
  const waiting = scenes.filter(waits)
  const resting = scenes.filter((scene) => !uploads.includes(scene) && !waits(scene))
  await begin([...uploads, ...waiting], 'under way')
  await Promise.all([arrived(uploads, HALF), arrived(waiting, 0)])
  // Until the last acknowledgement is there.
  await sleep(100)
  await begin(resting, 'second')
  await settled(resting, 'second')
  // A server whose response is not acknowledged repeats it, and so is heard where only the other direction is cut.
  await sleep(100)
  await cut(scenes)
  await begin(scenes.filter(sends), 'under way')
  const halted = (node: Scene['node']) => uploads.filter((scene) => scene.node === node)
  await Promise.all(
    NODES.map((node, index) => chronicles[index]!.resume(halted(node).map((scene) => errandOf(scene, 'under way')))),
  )

  const lastCut = Math.max(...cutAt.values())
  await sleep(lastCut + PROMISED + 500 - monotonic())
  await wire.mend()
  const begun = scenes.filter(({ doing }) => doing !== 'idle')
  const outcomes = await settled(begun, 'under way')
  await begin(scenes, 'next')
  const next = await settled(scenes, 'next')
  const diaries = await Promise.all(chronicles.map((chronicle) => chronicle.diary('pool')))
  const arrivals: Arrival[] = (await Promise.all([plainServer.call('requests'), tlsServer.call('requests')])).flat()
  const { toClient } = await wire.trace()
  return scenes.map((scene, index) => ({
    ...scene,
    cutAt: cutAt.get(scene)!,
    lastHeard: lastHeard(toClient, scene, cutAt.get(scene)!),
    told: entriesOf(diaries[NODES.indexOf(scene.node)]!, scene.origin).filter(({ at }) => at > cutAt.get(scene)!),
    ...(begun.includes(scene) && { outcome: outcomes[begun.indexOf(scene)]! }),
    arrivals: arrivals.filter(({ id }) => id === errandOf(scene, 'under way').id),
    next: next[index]!,
  }))
}

/** When the last packet that was not lost before the wire was mended has arrived. */
function lastHeard(toClient: TracedPacket[], { port }: Scene, cutAt: number): number {
  const heard = toClient.filter(({ sourcePort, lost, at }) => sourcePort === port && !lost && at < cutAt + PROMISED)
  return Math.max(...heard.map(({ at }) => at)) + DELAY
}

/** What evidence says of it. */
function doingOf(scene: Scene): PeerEvidence['doing'] {
  if (scene.doing === 'idle') return 'idle'
  return waits(scene) ? 'waiting' : 'sending'
}
