/**
 * Where the tests of replay let requests race: a wire with a pool at one end and a scripted server at the other, both in
 * the test's own process, and ways to make a request cross the end of its connection, every time.
 *
 * Only what the kernel does takes time here: what must cross is held on the wire, never timed.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { systemClock } from '../../src/clock.js'
import type { ConnectionError, Pool, PoolEvents, PoolOptions } from '../../src/index.js'
import { loadNative, type NativeResult } from '../../src/liveness/native.js'
import { resolveOptions } from '../../src/options/pool-options.js'
import { Pool as PoolOn } from '../../src/pool.js'
import { blockLoop, until } from '../dispatcher/support.js'
import type { Requirement } from '../support/requirements.js'
import { type ResponseOptions, response } from '../support/servers/script-steps.js'
import { type ScriptedServer, type Scripts, type Step, startScripted } from '../support/servers/scripted.js'
import type { ScriptedConnection } from '../support/servers/scripted-connection.js'
import { monotonic } from '../support/wire/clock.js'
import { type TracedPacket, Wire } from '../support/wire/wire.js'
import { Namespace } from './namespaces.js'

/** What a test file needs to use a track. */
export const TRACK: readonly Requirement[] = ['linux', 'root', 'netns', 'tun', 'ip', 'koffi', 'openssl']

/** Milliseconds one way. */
const DELAY = 1
/** A server that has nothing to say to a request may still acknowledge it, up to 40 ms late. */
const REACTION = 150
/** For what was held on the wire to arrive, while nobody here can read any of it. */
const DELIVERY = 5
const PATIENCE = 5000

type Direction = 'toServer' | 'toClient'
type Lookout = (packet: TracedPacket) => boolean

export type Replay = Parameters<PoolEvents['replay']>[0]
export type TrackPool = Pool & { readonly replays: Replay[] }

/** How a server ends a connection on which it expects nothing. */
export type Ending = (connection: ScriptedConnection) => unknown

export const endings = {
  /** FIN, then RST for what still comes. */
  close: (connection) => connection.destroy(),
  /** FIN; what still comes is read, and acknowledged. */
  halfClose: (connection) => connection.halfClose(),
  /** RST, without FIN. */
  reset: (connection) => connection.reset(),
  /** The reason, then FIN, then RST for what still comes. */
  requestTimeout: async (connection) => {
    await connection.send(requestTimeout())
    connection.destroy()
  },
} satisfies Record<string, Ending>

/** The bytes of a 408. */
export function requestTimeout(options: ResponseOptions = {}): string {
  return response({ status: 408, reason: 'Request Timeout', headers: { connection: 'close' }, body: '', ...options })
}

/** Takes one request, whole, and answers it. */
export function serve(options?: ResponseOptions): Step {
  return async (connection) => {
    await connection.takeRequest()
    await connection.send(response(options))
  }
}

/** Takes requests for ever and answers them, as long as its end of the connection is open. */
export const serveAll: Step = async (connection) => {
  for (;;) {
    await connection.takeRequest()
    if (!connection.socket.writableEnded) await connection.send(response())
  }
}

/** A wire for all tests of a file. The process is at its client's end while they run. */
export function useTrack(): RaceTrack {
  const track = new RaceTrack()
  beforeAll(() => track.build())
  afterAll(() => track.clear())
  return track
}

export class RaceTrack {
  wire!: Wire
  #home!: Namespace
  #server!: Namespace
  #client!: Namespace

  async build(): Promise<void> {
    this.wire = await Wire.start({ delay: DELAY })
    this.#home = Namespace.current()
    this.#server = Namespace.named(this.wire.server.namespace)
    this.#client = Namespace.named(this.wire.client.namespace)
    this.#client.enter()
  }

  /** Leaves before the wire goes: every process that is found in its namespaces then is ended. */
  async clear(): Promise<void> {
    this.#home.enter()
    for (const namespace of [this.#home, this.#server, this.#client]) namespace.close()
    await this.wire.end()
  }

  /** Opens something that listens, at the other end. */
  atServer<T>(listen: () => Promise<T>): Promise<T> {
    return this.#server.visit(this.#client, listen)
  }

  /** A server at the other end, for one test. What its scripts found wrong fails the test. */
  async server(scripts: Scripts = [serveAll], { tls = false } = {}): Promise<ScriptedServer> {
    const server = await this.atServer(() => startScripted(scripts, { tls, host: this.wire.server.address }))
    onTestFinished(async () => {
      await server.close()
      await this.restore()
      if (server.failures.length > 0) throw server.failures[0]
    })
    return server
  }

  /** The wire as it was built. */
  async restore(): Promise<void> {
    await this.wire.mend()
    await this.wire.setDelay(DELAY)
  }

  /** Has the kernel at this end take no more than so much to send on each connection that is opened from now on in this test. */
  limitSendBuffers(bytes: number): void {
    const setting = '/proc/sys/net/ipv4/tcp_wmem' // of the namespace that this process is in
    const before = readFileSync(setting, 'latin1')
    writeFileSync(setting, `4096 ${bytes} ${bytes}`)
    onTestFinished(() => writeFileSync(setting, before))
  }

  /** A pool at this end, for one test, which remembers what it said of replays. It learns only if it is told to. */
  pool(options: PoolOptions = {}, native: NativeResult = loadNative()): TrackPool {
    const connect = { rejectUnauthorized: false, ...options.connect }
    const pool = new PoolOn(resolveOptions({ learn: false, ...options, connect }), { clock: systemClock, native })
    const replays: Replay[] = []
    pool.on('replay', (replay) => void replays.push(replay))
    onTestFinished(() => pool.destroy())
    return Object.assign(pool, { replays })
  }

  /**
   * Has the server end its newest connection, and the request that `send` makes leave before word of it arrives. That word,
   * and what the server's kernel has to say to the request, then arrive at once: all of the evidence is there when the
   * first of it is read.
   *
   * @returns what `send` came to
   */
  async cross<T>(server: ScriptedServer, ending: Ending, send: () => Promise<T>): Promise<T> {
    const start = monotonic()
    await this.wire.hold('toClient')
    await ending(newest(server))
    await this.entered('toClient', start, ({ flags }) => /[FR]/.test(flags))
    const sending = monotonic()
    const outcome = send()
    outcome.catch(() => {}) // awaited below
    const request = await this.entered('toServer', sending, ({ payload }) => payload > 0)
    await this.#entered('toClient', request.at, () => true, REACTION)
    await this.wire.mend('toClient')
    blockLoop(DELIVERY)
    return outcome
  }

  /**
   * As `cross`, but the request stays on the wire: word of the end arrives, and no answer to the request, until the wire is
   * mended.
   *
   * @returns what `send` returned, which is under way
   */
  async strand<T>(server: ScriptedServer, ending: Ending, send: () => T): Promise<{ sent: T }> {
    const start = monotonic()
    await this.wire.hold('toServer')
    const sent = send()
    Promise.resolve(sent).catch(() => {}) // the caller's to await
    await this.entered('toServer', start, ({ payload }) => payload > 0)
    await ending(newest(server))
    return { sent }
  }

  /** Waits for a packet of a kind to enter the wire, or to have entered it since. */
  async entered(direction: Direction, since: number, isWanted: Lookout): Promise<TracedPacket> {
    const packet = await this.#entered(direction, since, isWanted, PATIENCE)
    if (packet === undefined) throw new Error(`No such packet ${direction}: ${isWanted}`)
    return packet
  }

  async #entered(
    direction: Direction,
    since: number,
    isWanted: Lookout,
    patience: number,
  ): Promise<TracedPacket | undefined> {
    const deadline = monotonic() + patience
    for (;;) {
      const packet = (await this.wire.trace(since))[direction].find(isWanted)
      if (packet !== undefined || monotonic() > deadline) return packet
      await sleep(1)
    }
  }

  /** Bytes of payload of one connection, known by its client's port, that entered the wire since a moment; each counted once. */
  async payload(direction: Direction, since: number, clientPort: number): Promise<number> {
    const packets = (await this.wire.trace(since))[direction]
    const sizes = new Map<number, number>()
    for (const { sourcePort, targetPort, sequence, payload } of packets)
      if (payload > 0 && (sourcePort === clientPort || targetPort === clientPort)) sizes.set(sequence, payload)
    return [...sizes.values()].reduce((sum, size) => sum + size, 0)
  }
}

function newest({ connections }: ScriptedServer): ScriptedConnection {
  const connection = connections.at(-1)
  if (connection === undefined) throw new Error('There is no connection to end')
  return connection
}

/** The bodies of the requests that a server took, by connection. */
export function bodiesOf({ connections }: ScriptedServer): string[][] {
  return connections.map(({ requests }) => requests.map(({ body }) => body.toString('latin1')))
}

/** The error that a request failed with; fails the test if it did not. */
export async function failureOf(request: Promise<unknown>): Promise<Failure> {
  const outcome = await request.then(
    (answer) => ({ answer }),
    (error: Failure) => ({ error }),
  )
  if ('error' in outcome) return outcome.error
  throw new Error(`It did not fail: ${JSON.stringify(outcome.answer)}`)
}

export interface Failure extends NodeJS.ErrnoException {
  readonly cause?: ConnectionError
}

/** A server's ends of the connections that idle in a pool, in the order in which the pool will use them. */
export function idleConnections(pool: Pool, { origin, connections }: ScriptedServer): ScriptedConnection[] {
  const { connections: idle } = pool.explain(origin)
  const ports = [...idle]
    .sort((one, other) => one.idle - other.idle || other.id - one.id)
    .map(({ localPort }) => localPort)
  return ports.flatMap((port) => connections.filter(({ raw }) => raw.remotePort === port))
}

/** Waits until a pool has a number of idle connections and nothing to do. */
export async function untilIdle(pool: Pool, count = 1): Promise<void> {
  await until(() => pool.stats().idle === count && pool.stats().pending === 0)
}

/** Descriptors that a connection takes: both of its ends are in this process. */
export const BOTH_ENDS = 2

/** Descriptors of this process. */
export function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}
