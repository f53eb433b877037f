/**
 * The channels of node:diagnostics_channel that tell what pools do: for tracers, loggers and everybody else in the process
 * who has no hand on the pool. They are found by name; nothing is built for one that has no subscriber.
 *
 * Messages are the events of `events.ts` with the pool they came from. Two things that take time, to get a connection and
 * to open one, have a tracing channel. What a subscriber throws becomes an uncaught exception: that is Node's rule.
 */
import { type Channel, channel, tracingChannel } from 'node:diagnostics_channel'
import type { InnerEvents, Outlet, Payload, PoolEvent, PoolEvents } from './events.js'
import type { PoolIdentity } from './registry.js'
import type { ConnectionSnapshot } from './snapshot.js'

/** The channel of each event. */
export const channelNames = {
  /** A connection was opened. */
  open: 'keepwise:connection:open',
  /** A connection has nothing to do and is kept. */
  idle: 'keepwise:connection:idle',
  /** A connection left the pool. */
  close: 'keepwise:connection:close',
  /** A peer was asked and has not answered. */
  suspect: 'keepwise:connection:suspect',
  /** A peer is dead. */
  dead: 'keepwise:connection:dead',
  /** A request has no connection yet. */
  wait: 'keepwise:request:wait',
  /** A request is sent again. */
  replay: 'keepwise:request:replay',
  /** What is known of the idle timeout of a server has changed. */
  learn: 'keepwise:origin:learn',
} as const satisfies Record<PoolEvent, string>

/** The tracing channels: their channels are `tracing:keepwise:acquire:start` and so on. */
export const tracingNames = {
  /** A request gets a connection. */
  acquire: 'keepwise:acquire',
  /** A connection is opened. */
  dial: 'keepwise:dial',
} as const

/** What is published: the payload of the event, and where it happened. */
export type ChannelMessage<Name extends PoolEvent> = Payload<PoolEvents, Name> & {
  /** Where it happened. */
  readonly pool: PoolIdentity
}

/** What is published, by the name of the channel. */
export type ChannelMessages = { [Name in PoolEvent as (typeof channelNames)[Name]]: ChannelMessage<Name> }

/**
 * A request asks for a connection. Granted at once: `start`, `end`. Later: `start`, `end`, `asyncStart`, `asyncEnd`. Refused:
 * `error` comes before the last of these. If it is dropped by its caller while it waits, there is neither connection nor error.
 */
export interface AcquireMessage {
  /** Of which pool. */
  readonly pool: PoolIdentity
  /** `https://example.com` */
  readonly origin: string
  /** Set when it is granted. */
  connection?: ConnectionSnapshot
  /** Whether the connection had been used or idle before. */
  reused?: boolean
  /** Milliseconds that it waited. */
  waited?: number
  /** Set when it is refused. */
  error?: Error
}

/** A connection is being opened: `start`, `end`, then `asyncStart`, `asyncEnd`, with an `error` before it if it failed. */
export interface DialMessage {
  /** Of which pool. */
  readonly pool: PoolIdentity
  /** `https://example.com` */
  readonly origin: string
  /** Counts up within one pool, from 1. */
  readonly dial: number
  /** Set when it is open. */
  connection?: ConnectionSnapshot
  /** Set when it failed. */
  error?: Error
}

export const tracing = {
  acquire: tracingChannel<unknown, AcquireMessage>(tracingNames.acquire),
  dial: tracingChannel<unknown, DialMessage>(tracingNames.dial),
}

type Phases = Readonly<Record<'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error', Pick<Channel, 'hasSubscribers'>>>

/** Whether anybody follows a tracing channel: what `hasSubscribers` of it says on Node 20.13 and later. */
export function isTraced({ start, end, asyncStart, asyncEnd, error }: Phases): boolean {
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  )
}

const channels: Readonly<Partial<Record<keyof InnerEvents, Channel>>> = Object.fromEntries(
  Object.entries(channelNames).map(([event, name]) => [event, channel(name)]),
)

/** The events of one pool, on their way to the channels. */
export class Channels implements Outlet<InnerEvents> {
  constructor(private readonly pool: PoolIdentity) {}

  heard(event: keyof InnerEvents): boolean {
    return channels[event]?.hasSubscribers === true
  }

  publish<Name extends keyof InnerEvents>(event: Name, payload: Payload<InnerEvents, Name>): void {
    channels[event]?.publish({ pool: this.pool, ...(payload as object) })
  }
}
