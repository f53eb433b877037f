/**
 * A random life of a pool, from a seed: servers that end connections in all ways, die and come back, a wire that is slow and
 * stalls, callers that give up, an event loop that stands still.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { PoolOptions, PoolStats } from '../../../src/index.js'
import type { Random } from '../random.js'
import { bodyOf, Load, type Outcome, type Step, type Via } from './load.js'
import { MortalServer } from './mortal.js'
import type { IdleServerOptions } from './servers/idle.js'
import type { Ledger } from './servers/ledger.js'
import { type Wire, withWire } from './wire.js'

const FIRST_PORT = 9000
const PORTS = 6
const LANES = 12
const REQUESTS = 12
const LARGE = 100_000

interface Certificate {
  key: string
  cert: string
}

/** One port of the server. */
type Port = Pick<IdleServerOptions, 'closeAfter' | 'ending' | 'afterEnd' | 'tls'>

export interface Life {
  outcomes: Outcome[]
  /** What the callers' handlers should not have seen, in words. */
  violations: string[]
  /** When all were settled. */
  stats: PoolStats
  /** Sockets of the client that are still open after the pool was closed. */
  leaked: number
  ledger: Ledger
  deaths: number
  replays: number
}

/** Whether a request may be processed more than once: by what it is called. */
export const isRepeatable = (id: string): boolean => !id.startsWith('POST')

export function live(
  random: Random,
  certificate: (address: string) => Certificate,
  via: Via = 'dispatcher',
): Promise<Life> {
  return withWire({ delay: random.below(25) }, async (wire) => {
    const tls = certificate(wire.server.address)
    const ports = Array.from({ length: PORTS }, () => randomPort(random, tls))
    const server = await MortalServer.start(wire, { port: FIRST_PORT, each: ports, takes: random.below(20) })
    const load = await Load.start(wire, { ...randomOptions(random), connect: { ca: tls.cert } }, {}, via)
    const socketsBefore = await load.descriptors()
    const running = load.run(randomLanes(random, wire, ports))
    const isOver = running.then(() => true)
    while (!(await Promise.race([isOver, sleep(20 + random.below(200))]))) await disturb(random, wire, server)
    const outcomes = await running
    const stats = await load.stats()
    await load.close()
    const leaked = (await socketsLeft(load)) - socketsBefore
    return {
      ...{ outcomes, stats, leaked, violations: await load.violations() },
      ...{ ledger: server.ledger(), deaths: server.deaths, replays: (await load.events('replay')).length },
    }
  })
}

function randomPort(random: Random, tls: Certificate): Port {
  const scheme = random.percent(30) ? { tls } : {}
  const ending = random.pick([
    'close',
    'half-close',
    'reset',
    'request-timeout',
    ...(scheme.tls ? ['close-notify'] : []),
  ])
  const afterEnd = random.pick(['answer', 'stay-silent', 'close'])
  return { ...scheme, closeAfter: 60 + random.below(340), ending, afterEnd } as Port
}

function randomOptions(random: Random): PoolOptions {
  return {
    learn: random.percent(50),
    scheduling: random.percent(70) ? 'lifo' : 'fifo',
    maxConnections: 1 + random.below(8),
    replay: random.percent(80) ? 'proven' : 'idempotent',
  }
}

function randomLanes(random: Random, wire: Wire, ports: readonly Port[]): Step[][] {
  return Array.from({ length: LANES }, (_, lane) =>
    Array.from({ length: REQUESTS }, (_, nth): Step => {
      const index = random.below(ports.length)
      const { closeAfter = 0, ending, tls } = ports[index] as Port
      const url = `${tls ? 'https' : 'http'}://${wire.server.address}:${FIRST_PORT + index}/`
      const method = random.weighted({ POST: 50, GET: 30, PUT: 20 })
      // Has the server recognise a repetition: as good as idempotent.
      const hasKey = method === 'POST' && random.percent(10)
      const id = `${hasKey ? 'keyed POST' : method} ${lane}.${nth}`
      // One that half-closes and dies under the rest of a long request resets the connection.
      const isLarge = method !== 'GET' && ending !== 'half-close' && random.percent(10)
      return {
        ...{ url, id, method, ...bodyOf(method), ...(isLarge && { size: LARGE }) },
        ...(hasKey && { headers: { 'idempotency-key': id } }),
        idle: random.percent(60) ? Math.max(0, closeAfter - 60 + random.below(90)) : random.below(200),
        ...(random.percent(8) && { abortAfter: random.below(120) }),
        ...(random.percent(2) && { block: randomBlock(random) }),
      }
    }),
  )
}

function randomBlock(random: Random): NonNullable<Step['block']> {
  const when = random.weighted({ before: 1, unsent: 1, sent: 1 })
  return { when, milliseconds: 20 + random.below(200) }
}

async function disturb(random: Random, wire: Wire, server: MortalServer): Promise<void> {
  const direction = random.pick(['both', 'toServer', 'toClient'] as const)
  switch (random.weighted({ hold: 10, delay: 6, kill: 1 })) {
    case 'hold':
      await wire.hold(direction)
      await sleep(10 + random.below(200))
      await wire.mend()
      break
    case 'delay':
      await wire.setDelay(random.below(30), direction)
      break
    case 'kill':
      await server.killAndRestart()
  }
}

/** Sockets that are observed until their last request's fate is clear are closed a moment after the pool. */
async function socketsLeft(load: Load): Promise<number> {
  await sleep(1_500)
  return load.descriptors()
}
