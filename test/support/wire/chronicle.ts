/** Keepwise pools at the client's end of a wire, and the diary that they keep: `clients/chronicle.js`, typed. */
import type { PoolEvent, PoolEvents, PoolOptions } from '../../../src/index.js'
import type { Errand, Outcome } from './clients/chronicle.js'
import { clients } from './programs.js'
import type { Arrival } from './servers/scenes.js'
import type { NodeOptions } from './side.js'
import type { Wire } from './wire.js'

export type { Arrival, Errand, Outcome }

/** An event, and when it was emitted. */
export type Entry<Name extends PoolEvent = PoolEvent> = {
  [Each in Name]: { at: number; event: Each } & Omit<Parameters<PoolEvents[Each]>[0], 'error'> & {
      error?: Outcome['error']
    }
}[Name]

export class Chronicle {
  static async start(wire: Wire, node: NodeOptions = {}): Promise<Chronicle> {
    return new Chronicle(await wire.client.node(clients.chronicle, node))
  }

  private constructor(private readonly talker: Awaited<ReturnType<Wire['client']['node']>>) {}

  /** @param addresses to which every name of a host leads */
  open(name: string, options: PoolOptions, addresses?: string[]): Promise<void> {
    return this.talker.call('open', name, options, addresses)
  }

  warm(name: string, origin: string, count: number): Promise<void> {
    return this.talker.call('warm', name, origin, count)
  }

  /** Sends requests, and waits for none. */
  begin(errands: readonly Errand[]): Promise<void> {
    return this.talker.call('begin', errands)
  }

  /** Sends requests, and waits for all. */
  async run(errands: readonly Errand[]): Promise<Outcome[]> {
    await this.begin(errands)
    return this.settled(errands)
  }

  /** Has those go on that halt in the middle of their bodies. */
  resume(errands: readonly Pick<Errand, 'id'>[]): Promise<void> {
    return this.talker.call(
      'resume',
      errands.map(({ id }) => id),
    )
  }

  settled(errands: readonly Pick<Errand, 'id'>[]): Promise<Outcome[]> {
    return this.talker.call(
      'settled',
      errands.map(({ id }) => id),
    )
  }

  diary(name: string): Promise<Entry[]> {
    return this.talker.call('diary', name)
  }

  /** Longest time that its event loop stood still since this was asked last, in milliseconds. */
  lag(): Promise<number> {
    return this.talker.call('lag')
  }

  close(name: string): Promise<void> {
    return this.talker.call('close', name)
  }
}

/** Those of one kind, of all origins or of one. */
export function entries<Name extends PoolEvent>(diary: readonly Entry[], name: Name, origin?: string): Entry<Name>[] {
  const isMeant = (entry: Entry) => entry.event === name && (origin === undefined || originOf(entry) === origin)
  return diary.filter((entry): entry is Entry<Name> & Entry => isMeant(entry))
}

/** What a pool has told of one origin. */
export const entriesOf = (diary: readonly Entry[], origin: string): Entry[] =>
  diary.filter((entry) => originOf(entry) === origin)

const originOf = (entry: Entry) => ('connection' in entry ? entry.connection.origin : entry.origin)
