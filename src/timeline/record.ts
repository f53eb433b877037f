/**
 * What happened to the connections of a process, as records: one JSON object each. A log of them has one a line (ndjson);
 * the watch page is sent the same ones. Most are the events of a pool with the moment and the pool they came from.
 */
import type { Payload, PoolEvents } from '../events.js'
import type { PoolIdentity } from '../registry.js'
import type { ConnectionSnapshot } from '../snapshot.js'

/** What is kept of an error. */
export interface RecordedError {
  /** `ECONNRESET`, if it has one. */
  readonly code?: string
  /** Its message. */
  readonly message: string
}

/** What each kind of record tells, by its name. */
export interface RecordFields {
  /** A connection is being opened. `dial` counts the attempts of one pool. */
  dial: { readonly origin: string; readonly dial: number }
  /** The attempt came to nothing. */
  'dial-failed': { readonly origin: string; readonly dial: number; readonly error: RecordedError }
  /** The attempt has become a connection, in `dialTime` milliseconds. */
  open: Payload<PoolEvents, 'open'>
  /** A request has a connection. `waited` is the time it stood in line, in milliseconds; missing if it did not. */
  active: { readonly connection: ConnectionSnapshot; readonly reused: boolean; readonly waited?: number }
  /** A request was refused a connection. */
  refused: { readonly origin: string; readonly error: RecordedError }
  /** A request stands in line; `waiting` counts it. */
  wait: Payload<PoolEvents, 'wait'>
  /** A request left the line: its caller has given it up. */
  left: { readonly origin: string }
  idle: Payload<PoolEvents, 'idle'>
  suspect: Payload<PoolEvents, 'suspect'>
  dead: Payload<PoolEvents, 'dead'>
  close: Omit<Payload<PoolEvents, 'close'>, 'error'> & { readonly error?: RecordedError }
  replay: Payload<PoolEvents, 'replay'>
  /** `timeout` is missing when the server closes idle connections no more. */
  learn: Omit<Payload<PoolEvents, 'learn'>, 'timeout'> & { readonly timeout?: number | undefined }
}

/** The kinds of records: the events of a pool, and `dial`, `dial-failed`, `active`, `refused`, `left`. */
export type RecordedEvent = keyof RecordFields

/** A record of one kind. */
export type RecordOf<Event extends RecordedEvent> = {
  [Name in Event]: {
    /** Milliseconds since 1970, fractions included. */
    readonly time: number
    /** Where it happened. */
    readonly pool: PoolIdentity
    /** Of which kind it is. */
    readonly event: Name
  } & RecordFields[Name]
}[Event]

/** A record of any kind. */
export type TimelineRecord = RecordOf<RecordedEvent>

/** The fields that a reader relies on, by kind: whatever else a record has or lacks does no harm. */
export const reliedOn = {
  dial: ['origin', 'dial'],
  'dial-failed': ['origin', 'dial', 'error'],
  open: ['connection', 'dial', 'dialTime'],
  active: ['connection'],
  refused: ['origin', 'error'],
  wait: ['origin', 'waiting'],
  left: ['origin'],
  idle: ['connection'],
  suspect: ['connection', 'evidence'],
  dead: ['connection', 'evidence'],
  close: ['connection', 'reason'],
  replay: ['origin', 'method', 'verdict', 'attempt'],
  learn: ['origin', 'address'],
} as const satisfies { [Event in RecordedEvent]: readonly (keyof RecordFields[Event])[] }
