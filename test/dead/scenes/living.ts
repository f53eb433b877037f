/**
 * Peers that live, and must never be taken for dead, whatever they do: slow responses, closed windows, stalled uploads,
 * readers that pause, a server process that is stopped; and wires that are cut for a while and mended before Ti + Td x Nm is
 * over. Both faces, plain and with TLS, on the oldest and the newest Node, all on one wire at the same time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
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
import type { Talker } from '../../support/wire/talker.js'
import type { Wire } from '../../support/wire/wire.js'
import { FACES, LIVENESS } from './common.js'

const NODES = [20, 26] as const

/** Twice as long as it takes the impatient ones to find a peer dead. */
const LONG = 10_000
/** Wires are mended before 16 s are over. */
const PATIENT = { idle: 10_000, interval: 2_000, probes: 3 }
const PATIENT_FOR = PATIENT.idle + PATIENT.interval * PATIENT.probes

/** Bytes that a kernel takes and nobody reads: at the least, first, and at the most. */
const RECEIVE_BUFFERS = '4096 131072 262144'
/** Far more than that. */
const LARGE = 1_000_000
/** Of an upload, what has arrived before its wire is cut; the rest is sent into the cut. */
const HALF = 100_000
const SMALL = 50

/** What somebody does for longer than Ti + Td x Nm; `server`: on which server. */
const PAUSES: Record<string, { path: string; size?: number; stall?: number; hold?: number; server?: 'stopped' }> = {
  'a slow response': { path: `after/${LONG}`, size: SMALL },
  'a closed window': { path: `unread/${LONG}`, size: LARGE },
  'a stalled upload': { path: '', size: SMALL, stall: LONG },
  'a paused reader': { path: `large/${LARGE}`, size: SMALL, hold: LONG },
  'a stopped server': { path: '', size: SMALL, server: 'stopped' },
  'a stopped server, its window closed': { path: '', size: LARGE, server: 'stopped' },
}

/** Milliseconds after which a cut wire is mended. */
const CUTS = [1_000, 3_000, 10_000]
/** What is done on it when it is cut. */
const DOINGS = ['idling', 'waiting', 'sending', 'uploading'] as const

interface Scene {
  name: string
  node: (typeof NODES)[number]
  via: Errand['via']
  tls: boolean
  origin: string
  port: number
  pause?: keyof typeof PAUSES
  cut?: { after: number; doing: (typeof DOINGS)[number] }
}

export interface LivingReport extends Scene {
  told: Entry[]
  outcome: Outcome
  arrivals: Arrival[]
  /** Of the request after that. */
  next: Outcome
  /** Amid the pause, one end had no room for more. */
  closedWindow: boolean
  /** Of those whose wire is cut. */
  cutAt?: number
  mendedAt?: number
}

const WAYS = NODES.flatMap((node) => FACES.flatMap((via) => [false, true].map((tls) => ({ node, via, tls }))))
const titleOf = ({ node, via, tls }: (typeof WAYS)[number]) => `Node ${node}, ${via}, ${tls ? 'TLS' : 'plain'}`

const PAUSED = WAYS.flatMap((way) =>
  Object.keys(PAUSES).map((pause) => ({ ...way, pause, name: `${pause}, ${titleOf(way)}` })),
)
const MENDED = WAYS.flatMap((way) =>
  CUTS.flatMap((after) =>
    DOINGS.map((doing) => ({ ...way, cut: { after, doing }, name: `${doing}, cut for ${after} ms, ${titleOf(way)}` })),
  ),
)

export function describeLiving(reports: () => LivingReport[]): void {
  const of = (name: string) => reports().find((report) => report.name === name)!

  describe.each(PAUSED.map(({ name }) => name))('%s', (name) => {
    it('is not taken for dead, and is answered in the end', () => {
      const { told, outcome, pause } = of(name)
      expect(entries(told, 'dead')).toEqual([])
      expect(outcome).toMatchObject({ status: 200 })
      expect(outcome.settledAt - outcome.at).toBeGreaterThan(LONG)
      if (pause === 'a paused reader') expect(outcome.bytes).toBe(LARGE)
    })

    it('has no room, where that is what it is about', () => {
      const { pause, closedWindow } = of(name)
      expect(closedWindow).toBe(
        ['a closed window', 'a stopped server, its window closed', 'a paused reader'].includes(pause!),
      )
    })

    it('sends everything once, and keeps the connection', () => {
      const { told, outcome, arrivals, next, pause } = of(name)
      expect(arrivals).toMatchObject([{ complete: true, received: PAUSES[pause!]!.size }])
      if (outcome.text !== undefined) expect(JSON.parse(outcome.text)).toMatchObject({ id: outcome.id })
      expect(next).toMatchObject({ status: 200 })
      // One that is being asked in this very moment is not lent, so there may be a second.
      expect(entries(told, 'close')).toEqual([])
    })
  })

  describe.each(MENDED.map(({ name }) => name))('%s', (name) => {
    it('is not taken for dead, and is answered when the wire is mended', () => {
      const { told, outcome, cutAt, mendedAt } = of(name)
      expect(entries(told, 'dead')).toEqual([])
      expect(outcome).toMatchObject({ status: 200 })
      expect(outcome.settledAt).toBeGreaterThan(mendedAt!)
      expect(outcome.settledAt - cutAt!).toBeLessThan(PATIENT_FOR)
    })

    it('sends everything once, and keeps the connection', () => {
      const { told, outcome, arrivals, next } = of(name)
      expect(arrivals).toHaveLength(1)
      expect(JSON.parse(outcome.text!)).toEqual({ id: outcome.id, received: arrivals[0]!.received })
      expect(next).toMatchObject({ status: 200 })
      // One that is being asked in this very moment is not lent, so there may be a second.
      expect(entries(told, 'close')).toEqual([])
    })
  })
}

class Play {
  private constructor(
    readonly wire: Wire,
    readonly scenes: readonly Scene[],
    private readonly servers: readonly Talker[],
    private readonly chronicles: readonly Chronicle[],
  ) {}

  static async start(wire: Wire): Promise<Play> {
    const tls = certificateFor(wire.server.address)
    // Some kernels take more than a megabyte that nobody reads.
    const limit = ['-c', `echo ${RECEIVE_BUFFERS} > /proc/sys/net/ipv4/tcp_rmem`]
    await Promise.all([wire.server, wire.client].map((side) => side.run('sh', limit)))
    const kinds = [{}, { tls }, {}, { tls }]
    const talkers = await Promise.all(kinds.map(() => wire.server.node(servers.scenes)))
    const all = [...PAUSED, ...MENDED]
    const free: { ports: number[] }[] = await Promise.all(
      talkers.map((talker, index) => talker.call('listen', { ports: all.length / 2, ...kinds[index] })),
    )
    const scenes = all.map((scene) => {
      const port = free[serverOf(scene)]!.ports.shift()!
      return { ...scene, port, origin: `${scene.tls ? 'https' : 'http'}://${wire.server.address}:${port}` }
    })
    const chronicles = await Promise.all(NODES.map((node) => Chronicle.start(wire, { node: nodeBinary(node) })))
    const connect = { ca: tls.cert }
    for (const chronicle of chronicles) {
      await chronicle.open('impatient', { liveness: LIVENESS, connect })
      await chronicle.open('patient', { liveness: PATIENT, connect })
    }
    return new Play(wire, scenes, talkers, chronicles)
  }

  errandOf(scene: Scene, id: 'first' | 'second' | 'main' | 'next'): Errand {
    const { name, via, origin, pause, cut } = scene
    const pool = poolOf(scene)
    const errand: Errand = { id: `${name}: ${id}`, pool, via, url: `${origin}/`, method: 'POST', size: SMALL }
    if (id !== 'main') return errand
    if (pause !== undefined) {
      const { path, size, stall, hold } = PAUSES[pause]!
      return {
        ...errand,
        url: `${origin}/${path}`,
        ...{ size, ...(stall && { stall }), ...(hold && { hold }) },
      } as Errand
    }
    if (cut?.doing === 'waiting') return { ...errand, url: `${origin}/told` }
    return cut?.doing === 'uploading' ? { ...errand, size: LARGE, halt: HALF } : errand
  }

  /** Sends one request for each scene. */
  async begin(scenes: readonly Scene[], id: 'first' | 'second' | 'main' | 'next'): Promise<void> {
    await Promise.all(
      this.chronicles.map((chronicle, index) =>
        chronicle.begin(scenes.filter(({ node }) => node === NODES[index]).map((scene) => this.errandOf(scene, id))),
      ),
    )
  }

  async settled(scenes: readonly Scene[], id: 'first' | 'second' | 'main' | 'next'): Promise<Outcome[]> {
    const chronicleOf = ({ node }: Scene) => this.chronicles[NODES.indexOf(node)]!
    return Promise.all(scenes.map(async (scene) => (await chronicleOf(scene).settled([this.errandOf(scene, id)]))[0]!))
  }

  async run(scenes: readonly Scene[], id: 'first' | 'second' | 'next'): Promise<Outcome[]> {
    await this.begin(scenes, id)
    return this.settled(scenes, id)
  }

  /** Resolves when these have arrived, and so much of their bodies. */
  async arrived(scenes: readonly Scene[], bytes: number): Promise<void> {
    await this.#onServers(scenes, (server, ids) => server.call('arrived', ids, bytes))
  }

  /** Has those answered that wait for it. */
  async answer(scenes: readonly Scene[]): Promise<void> {
    await this.#onServers(scenes, (server, ids) => server.call('tell', ids))
  }

  /** Has those go on that have halted. */
  async resume(scenes: readonly Scene[]): Promise<void> {
    await Promise.all(
      this.chronicles.map((chronicle, index) => {
        const here = scenes.filter(({ node }) => node === NODES[index])
        return chronicle.resume(here.map((scene) => this.errandOf(scene, 'main')))
      }),
    )
  }

  /** On those that run: one that is stopped would not answer. */
  async #onServers(scenes: readonly Scene[], call: (server: Talker, ids: string[]) => Promise<unknown>): Promise<void> {
    const idsAt = (index: number) =>
      scenes.filter((scene) => serverOf(scene) === index).map((scene) => this.errandOf(scene, 'main').id)
    await Promise.all(this.servers.slice(0, STOPPED).map((server, index) => call(server, idsAt(index))))
  }

  /** Stops or continues the processes of two servers: their kernels answer as before. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    for (const { pid } of this.servers.slice(STOPPED)) process.kill(pid!, signal)
  }

  async cut(scenes: readonly Scene[]): Promise<void> {
    await this.wire.cut('both', placeOf(scenes))
  }

  async mend(scenes: readonly Scene[]): Promise<void> {
    await this.wire.mend('both', placeOf(scenes))
  }

  /** The ports of connections one end of which says, in so many milliseconds, that it has no room. */
  async closedWindows(milliseconds: number): Promise<Set<number>> {
    const ports = new Set<number>()
    const end = monotonic() + milliseconds
    // Often: the wire remembers so many packets, and no more.
    for (let since = monotonic(); since < end; ) {
      await sleep(500)
      const now = monotonic()
      const { toServer, toClient } = await this.wire.trace(since)
      for (const { flags, window, sourcePort, targetPort } of [...toServer, ...toClient])
        if (flags === 'A' && window === 0) ports.add(sourcePort).add(targetPort)
      since = now
    }
    return ports
  }

  async report(
    outcomes: readonly Outcome[],
    next: readonly Outcome[],
    closed: Set<number>,
    cutAt: number,
    mendedAt: ReadonlyMap<number, number>,
  ): Promise<LivingReport[]> {
    const arrivals: Arrival[] = (await Promise.all(this.servers.map((server) => server.call('requests')))).flat()
    const diaries = await Promise.all(
      this.chronicles.map(async (chronicle) => [
        ...(await chronicle.diary('impatient')),
        ...(await chronicle.diary('patient')),
      ]),
    )
    return this.scenes.map((scene, index) => ({
      ...scene,
      told: entriesOf(diaries[NODES.indexOf(scene.node)]!, scene.origin),
      outcome: outcomes[index]!,
      next: next[index]!,
      closedWindow: closed.has(scene.port),
      ...(scene.cut && { cutAt, mendedAt: mendedAt.get(scene.cut.after)! }),
      arrivals: arrivals.filter(({ id }) => id === outcomes[index]!.id),
    }))
  }
}

/** The first two servers run, the others are stopped for a while; of each two, one speaks TLS. */
const STOPPED = 2
const serverOf = ({ tls, pause }: Pick<Scene, 'tls' | 'pause'>) =>
  Number(tls) + (pause !== undefined && PAUSES[pause]!.server === 'stopped' ? STOPPED : 0)

const poolOf = ({ pause }: Scene) => (pause === undefined ? 'patient' : 'impatient')

const placeOf = (scenes: readonly Scene[]) => ({ ports: scenes.map(({ port }) => port) })

/** A server answers so long before its wire is mended. */
const ANSWERED_BEFORE = 500

export async function playLiving(wire: Wire): Promise<LivingReport[]> {
  const on = await Play.start(wire)
  const stopped = on.scenes.filter((scene) => serverOf(scene) >= STOPPED)
  const paused = on.scenes.filter(({ pause }) => pause !== undefined).filter((scene) => !stopped.includes(scene))
  const doing = (...what: string[]) => on.scenes.filter(({ cut }) => cut !== undefined && what.includes(cut.doing))
  const cutFor = (after: number) => on.scenes.filter(({ cut }) => cut?.after === after)

  await on.run(on.scenes, 'first')
  on.signal('SIGSTOP')
  await on.begin(stopped, 'main')
  const stoppedFor = sleep(LONG + 100).then(() => on.signal('SIGCONT'))
  await on.begin(paused, 'main')
  const closed = on.closedWindows(LONG - 1_500)

  await on.begin(doing('waiting', 'uploading'), 'main')
  await Promise.all([on.arrived(doing('waiting'), 0), on.arrived(doing('uploading'), HALF)])
  // Until the last acknowledgement is there.
  await sleep(100)
  await on.run(doing('sending', 'idling'), 'second')
  for (const after of CUTS) await on.cut(cutFor(after))
  const cutAt = monotonic()
  await on.begin(doing('sending'), 'main')
  await on.resume(doing('uploading'))
  const mendedAt = new Map<number, number>()
  for (const after of CUTS) {
    await sleep(cutAt + after - ANSWERED_BEFORE - monotonic())
    await on.answer(cutFor(after).filter(({ cut }) => cut!.doing === 'waiting'))
    await sleep(ANSWERED_BEFORE)
    mendedAt.set(after, monotonic())
    await on.mend(cutFor(after))
  }
  // Those that were suspected are asked again, and are as good as the others then.
  await sleep(PATIENT.interval + 1_000)
  await on.begin(doing('idling'), 'main')
  await stoppedFor
  const outcomes = await on.settled(on.scenes, 'main')
  return on.report(outcomes, await on.run(on.scenes, 'next'), await closed, cutAt, mendedAt)
}
