/**
 * The events of a pool, typed. Nothing is built for an event that nobody listens to, and a listener that throws harms
 * neither the pool nor the other listeners.
 */
import { EventEmitter } from 'eventemitter3'
import type { PeerEvidence } from './liveness/evidence.js'
import type { CloseReason } from './reasons.js'
import type { Evidence, Verdict } from './replay/verdict.js'
import type { ConnectionSnapshot } from './snapshot.js'

/** The events of a pool: the name of each, and the type of its listeners. */
export interface PoolEvents {
  /** A connection was opened and tuned: by the pool's attempt of that number, in `dialTime` milliseconds. */
  open: (event: { readonly connection: ConnectionSnapshot; readonly dial: number; readonly dialTime: number }) => void
  /** A connection has nothing to do and is kept. */
  idle: (event: { readonly connection: ConnectionSnapshot }) => void
  /** A connection left the pool; `error` is what broke it, if anything did. */
  close: (event: {
    readonly connection: ConnectionSnapshot
    readonly reason: CloseReason
    readonly error?: Error
  }) => void
  /**
   * A peer was asked and has not answered: it may be dead. An idle connection is not lent until it has, and then there is
   * another `idle`.
   */
  suspect: (event: { readonly connection: ConnectionSnapshot; readonly evidence: PeerEvidence }) => void
  /** A peer is dead: its connection is closed, what was under way on it fails or is sent again. `close` follows. */
  dead: (event: { readonly connection: ConnectionSnapshot; readonly evidence: PeerEvidence }) => void
  /** A reused connection died under a request, which is sent again; `attempt` counts from 1. */
  replay: (event: {
    readonly origin: string
    readonly method: string
    readonly verdict: Verdict
    readonly evidence: Evidence
    readonly attempt: number
  }) => void
  /**
   * What is known of the idle timeout of an origin's server has changed: it closes connections that idled for `timeout`
   * milliseconds, or, when that is undefined, does not do so any more. `samples` are the idle times it was taken from.
   */
  learn: (event: {
    readonly origin: string
    readonly address: string
    readonly timeout: number | undefined
    readonly samples: readonly number[]
  }) => void
  /** A request has no connection yet, be it that one is being opened or that all are busy; `waiting` counts it. */
  wait: (event: { readonly origin: string; readonly waiting: number }) => void
}

/** The name of an event of a pool. */
export type PoolEvent = keyof PoolEvents

/** What else is told inside, to those who measure. */
export interface InnerEvents extends PoolEvents {
  /** One who stood in line was given a connection, after `waited` milliseconds. */
  served: (event: { readonly origin: string; readonly waited: number }) => void
  /** A connection could not be opened; the attempt took `dialTime` milliseconds. */
  dialFailed: (event: { readonly origin: string; readonly dialTime: number; readonly error: Error }) => void
}

/** Runs a listener; what it throws becomes a process warning. */
export function guard(event: string, listener: () => void): void {
  try {
    listener()
  } catch (error) {
    const what = error instanceof Error ? error.stack : error
    process.emitWarning(`A listener of the "${event}" event threw: ${what}`, {
      type: 'KeepwiseWarning',
      code: 'KEEPWISE_LISTENER',
    })
  }
}

/** Listeners by the names of their events; each takes one payload. */
type Listeners = Record<string, (payload: unknown) => void>
type Names<Map> = keyof Map & string
export type Payload<Map, Name extends keyof Map> = Map[Name] extends (payload: infer Type) => void ? Type : never

/** Where events go besides to listeners. */
export interface Outlet<Map> {
  /** Whether an event is worth building for it; false for one that it does not know. */
  heard(event: Names<Map>): boolean
  publish<Name extends Names<Map>>(event: Name, payload: Payload<Map, Name>): void
}

/** @typeParam Map an interface of listeners, by the names of their events */
export class Events<Map extends { [Name in keyof Map]: (payload: never) => void } = PoolEvents> {
  readonly #emitter = new EventEmitter<Listeners>()
  readonly #outlet: Outlet<Map> | undefined

  constructor(outlet?: Outlet<Map>) {
    this.#outlet = outlet
  }

  /** Whether an event is worth building. */
  heard(event: Names<Map>): boolean {
    return this.#emitter.listenerCount(event) > 0 || this.#outlet?.heard(event) === true
  }

  emit<Name extends Names<Map>>(event: Name, payload: Payload<Map, Name>): void {
    // First those who only look on: a listener may act at once, and what follows of that is to be told afterwards.
    if (this.#outlet?.heard(event)) this.#outlet.publish(event, payload)
    // One by one: the emitter itself stops at the first listener that throws.
    for (const listener of this.#emitter.listeners(event)) guard(event, () => listener(payload))
  }

  on<Name extends Names<Map>>(event: Name, listener: Map[Name]): void {
    this.#emitter.on(event, listener as never)
  }

  off<Name extends Names<Map>>(event: Name, listener: Map[Name]): void {
    const isMeant = (each: unknown): boolean => each === listener || (each as Once).listener === listener
    const found = this.#emitter.listeners(event).find(isMeant)
    if (found !== undefined) this.#emitter.off(event, found as never)
  }

  /** For one event only. The emitter's own `once` cannot be told apart by the loop above, so this is one of ours. */
  once<Name extends Names<Map>>(event: Name, listener: Map[Name]): void {
    const once: Once = Object.assign(
      (payload: never) => {
        this.#emitter.off(event, once as never)
        listener(payload)
      },
      { listener },
    )
    this.#emitter.on(event, once as never)
  }
}

/** A listener that takes itself off, and the one it stands for. */
type Once = ((payload: never) => void) & { readonly listener: unknown }
