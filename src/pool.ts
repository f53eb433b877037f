/**
 * The pool as its users have it: its faces, its events, its numbers, its life.
 */
import type { AgentOptions } from 'node:https'
import { inspect } from 'node:util'
import { type Dispatcher, errors } from 'undici'
import { PoolHttpAgent, PoolHttpsAgent } from './agent/agents.js'
import type { AgentGround } from './agent/face.js'
import { installAgents } from './agent/global.js'
import { knowsNode } from './agent/node-request.js'
import type { Clock } from './clock.js'
import { KeepwiseDispatcher } from './dispatcher/dispatcher.js'
import { installGlobally } from './dispatcher/global.js'
import { ClosedError, OptionError } from './errors.js'
import type { PoolEvent, PoolEvents } from './events.js'
import { type Capabilities, capabilitiesOf } from './liveness/capabilities.js'
import type { NativeResult } from './liveness/native.js'
import { planOf } from './liveness/presets.js'
import { TcpInfoReader } from './liveness/tcp-info.js'
import type { Meter } from './meter.js'
import { enforce, meter as isMeter, show } from './options/checks.js'
import type { PoolOptions, ResolvedOptions } from './options/pool-options.js'
import { PoolCore } from './pool/pool-core.js'
import { list } from './registry.js'
import { type Explanation, explain } from './telemetry/explain.js'
import { lineOf } from './telemetry/line.js'
import { measure } from './telemetry/measure.js'
import { type PoolStats, statsOf } from './telemetry/stats.js'
import { Addresses } from './wire/addresses.js'
import { socketDialer } from './wire/dialer.js'
import { keyOf, targetOf } from './wire/target.js'

/** Idle time where a server advertised nothing: with a kernel to ask before reuse, and without. */
const AUTOMATIC_IDLE_TIME = { asked: 30_000, unasked: 4_000 }

/** What a pool stands on; tests put something else there. */
export interface Ground {
  readonly clock: Clock
  readonly native: NativeResult
}

/** What the built-in `fetch` calls a dispatcher: with @types/node, the types of another version of undici. */
type FetchDispatcher = RequestInit extends { dispatcher?: infer Type } ? NonNullable<Type> : unknown

/** A pool of persistent HTTP/1.1 connections: what `createPool` returns. `await using` closes it. */
export class Pool {
  /** For `fetch(url, { dispatcher })`, and for undici's own `request`, `stream`, `fetch` and the rest. */
  readonly dispatcher: Dispatcher & FetchDispatcher
  /** What this machine lets the pool do. */
  readonly capabilities: Capabilities
  readonly #core: PoolCore
  readonly #ground: AgentGround
  readonly #unlist: () => void
  #httpAgent: PoolHttpAgent | undefined
  #httpsAgent: PoolHttpsAgent | undefined

  /** @internal */
  constructor(options: ResolvedOptions, { clock, native }: Ground) {
    const tools = {
      plan: planOf(options.liveness),
      clock,
      native: native.native,
      tcpInfo: native.native === undefined ? undefined : new TcpInfoReader(native.native),
    }
    const addresses = new Addresses(clock)
    this.#core = new PoolCore(options, {
      clock,
      addresses,
      dial: socketDialer(options.connect, tools, addresses),
      automaticIdleTime: tools.tcpInfo === undefined ? AUTOMATIC_IDLE_TIME.unasked : AUTOMATIC_IDLE_TIME.asked,
      random: Math.random,
    })
    this.#ground = { core: this.#core, tools, addresses, movable: knowsNode() }
    this.capabilities = capabilitiesOf(native, this.#ground.movable)
    this.#unlist = list(this)
    if (options.meter !== undefined) measure(this.#core, options.meter)
    this.dispatcher = new KeepwiseDispatcher(this.#core) as unknown as Dispatcher & FetchDispatcher
  }

  /** @internal */
  static groundOf(pool: Pool): AgentGround {
    return pool.#ground
  }

  /** For clients on node:http: `http.request({ agent })`, axios, got, … */
  get httpAgent(): PoolHttpAgent {
    this.#httpAgent ??= new PoolHttpAgent(this.#ground, this.#agentOptions)
    return this.#httpAgent
  }

  /** For clients on node:https. */
  get httpsAgent(): PoolHttpsAgent {
    this.#httpsAgent ??= new PoolHttpsAgent(this.#ground, this.#agentOptions)
    return this.#httpsAgent
  }

  /** Number of the pool in its process, from 1: with `name` it stands in channel messages and records. */
  get id(): number {
    return this.#core.identity.id
  }

  /** The option `name`: what the pool is called in metrics, messages and lines. */
  get name(): string {
    return this.#core.identity.name
  }

  /** Has a listener called whenever the event is emitted. What it throws becomes a process warning. */
  on<Name extends PoolEvent>(event: Name, listener: PoolEvents[Name]): this {
    this.#core.events.on(event, listener as never)
    return this
  }

  /** Has a listener called the next time the event is emitted, and not again. */
  once<Name extends PoolEvent>(event: Name, listener: PoolEvents[Name]): this {
    this.#core.events.once(event, listener as never)
    return this
  }

  /** Takes a listener off. */
  off<Name extends PoolEvent>(event: Name, listener: PoolEvents[Name]): this {
    this.#core.events.off(event, listener as never)
    return this
  }

  /**
   * Measures the pool on an OpenTelemetry meter, or what is like one. The option `meter` does the same from the start.
   * `keepwise/prometheus` has one for prom-client.
   *
   * @returns ends it; to call it twice does nothing
   * @throws OptionError for what is no meter
   */
  instrument(meter: Meter): () => void {
    enforce('meter', meter, isMeter)
    return measure(this.#core, meter)
  }

  /** One line of state, for a log; `console.log(pool)` prints it as well. */
  toString(): string {
    const { over, closing } = this.#core
    return lineOf(this.name, this.stats(), over ? 'closed' : closing ? 'closing' : 'open')
  }

  /** One line of state, for `console.log(pool)`. */
  [inspect.custom](): string {
    return this.toString()
  }

  /** Numbers as they are now, and counted since the pool was made; for the whole pool and per origin. */
  stats(): PoolStats {
    return statsOf(this.#core)
  }

  /** The timeouts and limits in force for an origin, and where each came from. Throws for what is no http(s) URL. */
  explain(origin: string | URL): Explanation {
    const target = targetOf(origin, this.#core.servername)
    const key = keyOf(target)
    const longestWait = this.#core.peek(key)?.longestExchange || undefined
    return explain(this.#core, target, key, { kernel: this.capabilities.tcpInfo, longestWait })
  }

  /**
   * Opens connections ahead of need, until `connections` are open to the origin, or as many as the caps allow.
   *
   * @param connections how many; default 1
   * @returns a promise of the number of connections that are open then; it rejects with the first connect error
   */
  async warm(origin: string | URL, connections = 1): Promise<number> {
    if (!Number.isSafeInteger(connections) || connections < 1)
      throw new OptionError('connections', `warm() takes a whole number of at least 1; it is ${show(connections)}.`)
    if (this.#core.closing) throw new ClosedError(this.#core.destroyed ? 'destroyed' : 'closed')
    const target = targetOf(origin, this.#core.servername)
    const pool = this.#core.origin(keyOf(target), () => target)
    await pool.warm(connections)
    return pool.usable
  }

  /**
   * Puts the pool in place of the process's defaults: undici's global dispatcher, which the built-in `fetch` uses, and the
   * global agents of node:http and node:https.
   *
   * @returns undoes it, for what nobody else has replaced in the meantime; to call it twice does nothing
   */
  install(): () => void {
    const restoreDispatcher = installGlobally(this.dispatcher)
    const restoreAgents = installAgents(this)
    return () => {
      restoreDispatcher()
      restoreAgents()
    }
  }

  /** Takes no more requests, finishes those it took, closes what is idle; resolves when all connections are closed. */
  async close(): Promise<void> {
    await this.#core.close()
    this.#unlist()
  }

  /** Closes everything now: requests that run or wait fail with `error`, or with `ERR_KEEPWISE_CLOSED`. */
  destroy(error?: Error): void {
    this.#unlist()
    void this.#core.destroy(error ?? new ClosedError('destroyed', new errors.ClientDestroyedError()))
  }

  /** `close()`, by `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What holds for the pool's connections holds for those that its agents open. */
  get #agentOptions(): AgentOptions {
    const { connect, scheduling } = this.#core.options
    return { ...connect.rest, scheduling, keepAlive: true }
  }
}

export type { PoolOptions }
