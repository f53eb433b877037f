/**
 * Writes down what happens at one origin: counts it, and tells those who listen. Where nobody does, a count is all it costs.
 */
import { type DialMessage, isTraced, tracing } from '../channels.js'
import type { Events, InnerEvents, PoolEvents } from '../events.js'
import { evidenceOf } from '../liveness/evidence.js'
import type { Signs } from '../liveness/vital-signs.js'
import type { CloseReason } from '../reasons.js'
import type { PoolIdentity } from '../registry.js'
import type { ConnectionSnapshot } from '../snapshot.js'
import type { Connection } from './connection.js'
import type { Counters } from './counters.js'
import type { Lesson } from './lesson.js'
import { Trace } from './trace.js'
import type { Waiter } from './waiter.js'

export type Replay = Omit<Parameters<PoolEvents['replay']>[0], 'origin'>

export class Journal {
  constructor(
    private readonly pool: PoolIdentity,
    private readonly origin: string,
    private readonly counters: Counters,
    private readonly events: Events<InnerEvents>,
  ) {}

  /** A request asks for a connection. */
  asks<Result>(waiter: Waiter, now: number, acquire: () => Result): Result {
    const { pool, origin } = this
    waiter.askedAt = now
    return waiter.traced(new Trace(tracing.acquire, { pool, origin }), acquire)
  }

  /** A request was given a connection. */
  granted({ reused }: Connection): void {
    this.counters.requests++
    if (reused) this.counters.reused++
  }

  /** It did not use it after all. */
  givenBack({ reused }: Connection): void {
    this.counters.requests--
    if (reused) this.counters.reused--
  }

  /** A request stands in line, one of so many. */
  waits(waiter: Waiter, waiting: number): void {
    const { origin, events } = this
    if (!waiter.hasWaited) this.counters.waits++
    waiter.hasWaited = true
    if (events.heard('wait')) events.emit('wait', { origin, waiting })
  }

  /** One that stood in line was served. */
  served({ waitingSince }: Waiter, now: number): void {
    const { origin, events } = this
    const waited = now - waitingSince
    this.counters.waitTime += waited
    if (events.heard('served')) events.emit('served', { origin, waited })
  }

  /** A request is sent again. */
  replayed(replay: Replay): void {
    const { origin, events } = this
    this.counters.replayed++
    if (events.heard('replay')) events.emit('replay', { origin, ...replay })
  }

  /** A connection is about to be opened. */
  dials(dial: number): Attempt {
    const { pool, origin } = this
    return { dial, trace: isTraced(tracing.dial) ? new Trace(tracing.dial, { pool, origin, dial }) : undefined }
  }

  /** @param elapsed milliseconds it took to open it */
  opened(connection: Connection, { dial, trace }: Attempt, elapsed: number, now: number): void {
    const { events } = this
    this.counters.opened++
    this.counters.dialTime += elapsed
    trace?.end({ connection: connection.snapshot(now) }, () => {})
    if (events.heard('open')) events.emit('open', { connection: connection.snapshot(now), dial, dialTime: elapsed })
  }

  dialFailed({ trace }: Attempt, error: Error, elapsed: number): void {
    const { origin, events } = this
    this.counters.dialFailures++
    this.counters.dialTime += elapsed
    trace?.end({ error }, () => {})
    if (events.heard('dialFailed')) events.emit('dialFailed', { origin, dialTime: elapsed, error })
  }

  /** Nobody needs it any more: the pool is destroyed. */
  dialGivenUp({ trace }: Attempt, error: Error): void {
    trace?.end({ error }, () => {})
  }

  idle(connection: Connection, now: number): void {
    const { events } = this
    if (events.heard('idle')) events.emit('idle', { connection: connection.snapshot(now) })
  }

  learned({ address, timeout, samples }: Lesson): void {
    const { origin, events } = this
    if (events.heard('learn')) events.emit('learn', { origin, address, timeout, samples })
  }

  /** A peer has not answered so far. */
  suspected(connection: Connection, signs: Signs, now: number): void {
    const { events } = this
    if (events.heard('suspect'))
      events.emit('suspect', { connection: connection.snapshot(now), evidence: evidenceOf(signs, connection.asked) })
  }

  /** How a connection stands that is about to end, for `closed`; undefined where nobody wants to know. */
  lastOf(connection: Connection, now: number): ConnectionSnapshot | undefined {
    const { events } = this
    return events.heard('close') || events.heard('dead') ? connection.snapshot(now) : undefined
  }

  /** @param last what `lastOf` said */
  closed({ openedAt, death }: Connection, last: ConnectionSnapshot | undefined, ending: Ending): void {
    const { reason, error, now } = ending
    this.counters.closed[reason]++
    this.counters.lifetime += now - openedAt
    if (last === undefined) return
    if (death !== undefined) this.events.emit('dead', { connection: last, evidence: death })
    this.events.emit('close', { connection: last, reason, ...(error && { error }) })
  }
}

/** An attempt to open a connection. */
export interface Attempt {
  /** Counts up within one pool, from 1. */
  readonly dial: number
  readonly trace: Trace<DialMessage> | undefined
}

interface Ending {
  readonly reason: CloseReason
  readonly error: Error | undefined
  readonly now: number
}
