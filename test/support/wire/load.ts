/** A pool under load at the client's end of a wire: what it is to send, and what became of it. */
import type { Explanation, PoolEvents, PoolOptions, PoolStats } from '../../../src/index.js'
import type { Random } from '../random.js'
import type { Outcome, Step } from './clients/load.js'
import { clients } from './programs.js'
import type { NodeOptions } from './side.js'
import type { Wire } from './wire.js'

export type { Outcome, Step }

/** What a load goes through into the pool. */
export type Via = 'dispatcher' | 'agents'

type Heard<Name extends 'close' | 'replay' | 'learn'> = Omit<Parameters<PoolEvents[Name]>[0], 'connection' | 'error'>

export class Load {
  static async start(
    wire: Wire,
    options: PoolOptions = {},
    node: NodeOptions = {},
    via: Via = 'dispatcher',
  ): Promise<Load> {
    const talker = await wire.client.node(clients.load, node)
    await talker.call('open', options, via)
    return new Load(talker)
  }

  private constructor(private readonly talker: Awaited<ReturnType<Wire['client']['node']>>) {}

  /** Sends, in each lane one step after the other. */
  run(lanes: Step[][]): Promise<Outcome[]> {
    return this.talker.call('run', lanes)
  }

  /**
   * Sends some; when their last byte is written, gives others to the pool and blocks the event loop, before a byte of these
   * is written; and sends the rest in the same turn.
   */
  blockAmid(steps: { written: Step[]; taken: Step[]; late: Step[]; milliseconds: number }): Promise<Outcome[]> {
    return this.talker.call('blockAmid', steps)
  }

  events<Name extends 'close' | 'replay' | 'learn'>(name: Name): Promise<Heard<Name>[]> {
    return this.talker.call('events', name)
  }

  /** What should not be, in words: requests begun or settled more than once, or not at all. */
  violations(): Promise<string[]> {
    return this.talker.call('violations')
  }

  /** Sockets that the process has open, the pool's and others. */
  descriptors(): Promise<number> {
    return this.talker.call('descriptors')
  }

  stats(): Promise<PoolStats> {
    return this.talker.call('stats')
  }

  explain(url: string): Promise<Explanation> {
    return this.talker.call('explain', url)
  }

  close(): Promise<void> {
    return this.talker.call('close')
  }
}

export interface Aim {
  /** Of the origins, one for each lane. */
  urls: readonly string[]
  /** In front of the ids. */
  name: string
  method: string
  /** Aimed requests in each lane. */
  rounds: number
  /** When the server closes, in milliseconds of idleness. */
  closeAfter: number
  /** How far from that the requests are sent, in milliseconds. */
  window: readonly [from: number, to: number]
  random: Random
}

/**
 * Lanes of requests that race the server's timer. Each aimed request comes after a primer, so that there is an idle
 * connection to race on, whatever became of the one before.
 */
export function aimed({ urls, name, method, rounds, closeAfter, window: [from, to], random }: Aim): Step[][] {
  return urls.map((url, lane) => {
    // Spread over one idle time, so that the lanes do not move in step.
    const start = random.next() * closeAfter
    return Array.from({ length: rounds }, (_, round): Step[] => {
      const id = `${name}.${method}.${lane}.${round}`
      const idle = closeAfter + from + random.next() * (to - from)
      return [
        { url, id: `${id}.primer`, idle: round === 0 ? start : 0 },
        { url, id, method, idle, ...bodyOf(method) },
      ]
    }).flat()
  })
}

/** What a request of that method sends. */
export const bodyOf = (method: string): { size?: number } => (method === 'GET' ? {} : { size: 20 })

/** The URLs of ports at the server's end. */
export function urlsOf(wire: Wire, ports: readonly number[], scheme: 'http' | 'https' = 'http'): string[] {
  return ports.map((port) => `${scheme}://${wire.server.address}:${port}/`)
}

export const failuresAmong = (outcomes: readonly Outcome[]): Outcome[] => outcomes.filter(({ error }) => error)
