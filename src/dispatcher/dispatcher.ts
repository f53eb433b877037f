/**
 * The face towards undici and fetch: a Dispatcher whose every request goes through the pool.
 */
import { Dispatcher, errors } from 'undici'
import { ClosedError } from '../errors.js'
import { guard } from '../events.js'
import type { Connection } from '../pool/connection.js'
import type { OriginPool } from '../pool/origin-pool.js'
import type { CoreListener, PoolCore } from '../pool/pool-core.js'
import { keyOf, serverNameOf, targetOf } from '../wire/target.js'
import { Exchange } from './exchange.js'
import { areOnceOnly, requestHeader } from './headers.js'
import { assertLegacyHandler, assertRequest, type LegacyHandler } from './legacy-handler.js'
import { ModernHandler } from './modern-handler.js'

/** Spellings of origins that are remembered, so that a known one costs a look-up and no parsing. */
const MOST_ALIASES = 4000

type Callback = (error: Error | null, data: null) => void

export class KeepwiseDispatcher extends Dispatcher implements CoreListener {
  readonly #core: PoolCore
  readonly #aliases = new Map<string, OriginPool>()

  constructor(core: PoolCore) {
    super()
    this.#core = core
    core.listen(this)
  }

  /** Takes no more requests; see `close`. */
  get closed(): boolean {
    return this.#core.closing
  }

  get destroyed(): boolean {
    return this.#core.over
  }

  /**
   * Sends a request, as undici's `Dispatcher.dispatch`.
   *
   * @returns false when more requests wait for this origin than connections are being opened for it: 'drain' is emitted
   *   when the line is empty again
   */
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (typeof handler !== 'object' || handler === null)
      throw new errors.InvalidArgumentError('handler must be an object')
    const legacy: Partial<LegacyHandler> =
      typeof handler.onRequestStart === 'function'
        ? new ModernHandler(handler)
        : (handler as unknown as Partial<LegacyHandler>)
    try {
      if (typeof options !== 'object' || options === null)
        throw new errors.InvalidArgumentError('opts must be an object.')
      assertRequest(options)
      assertLegacyHandler(legacy, Boolean(options.upgrade) || options.method === 'CONNECT')
      if (this.#core.closing) throw this.#refusal()
      const lasting = withLastingHeaders(options)
      const origin = this.#originOf(lasting)
      new Exchange(this.#core, origin, lasting, legacy).start()
      if (!origin.congested) return true
      origin.needDrain = true
      return false
    } catch (error) {
      if (typeof legacy.onError !== 'function') throw new errors.InvalidArgumentError('invalid onError method')
      legacy.onError(error as Error)
      return false
    }
  }

  /** Closes the whole pool: refuses new requests, finishes those that run, closes what is idle. */
  override close(): Promise<void>
  override close(callback: () => void): void
  override close(callback?: Callback | (() => void)): Promise<void> | void {
    return settle(this.#core.close(), callback as Callback | undefined)
  }

  /** Destroys the whole pool: requests that run or wait fail with `error`. */
  override destroy(): Promise<void>
  override destroy(error: Error | null): Promise<void>
  override destroy(callback: () => void): void
  override destroy(error: Error | null, callback: () => void): void
  override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | void {
    if (typeof error === 'function') return this.destroy(null, error)
    const work = this.#core.destroy(error ?? new ClosedError('destroyed', new errors.ClientDestroyedError()))
    return settle(work, callback as Callback | undefined)
  }

  // --- from the pool: the events that undici's dispatchers have --------------------------------------------------------

  opened(origin: OriginPool): void {
    if (this.listenerCount('connect') > 0) guard('connect', () => this.emit('connect', urlOf(origin), [this]))
  }

  ended(origin: OriginPool, _connection: Connection, error: Error | undefined): void {
    if (this.listenerCount('disconnect') === 0) return
    const cause = error ?? new errors.InformationalError('closed')
    guard('disconnect', () => this.emit('disconnect', urlOf(origin), [this], cause as errors.UndiciError))
  }

  dialFailed(origin: OriginPool, error: Error): void {
    if (this.listenerCount('connectionError') > 0)
      guard('connectionError', () => this.emit('connectionError', urlOf(origin), [this], error as errors.UndiciError))
  }

  drained(origin: OriginPool): void {
    if (this.listenerCount('drain') > 0) guard('drain', () => this.emit('drain', urlOf(origin)))
  }

  // --- inside --------------------------------------------------------------------------------------------------------

  #originOf(options: Dispatcher.DispatchOptions): OriginPool {
    const { origin } = options
    if (typeof origin === 'string') {
      const known = this.#aliases.get(origin)
      if (known !== undefined && known.target.protocol === 'http:') return this.#core.current(known)
    }
    if (!origin || (typeof origin !== 'string' && !(origin instanceof URL)))
      throw new errors.InvalidArgumentError('opts.origin must be a non-empty string or URL.')
    const text = typeof origin === 'string' ? origin : origin.origin
    const servername = text.startsWith('http:') ? undefined : this.#servername(options)
    const alias = servername === undefined ? text : `${text} as ${servername}`
    const known = this.#aliases.get(alias)
    if (known !== undefined) return this.#core.current(known)
    const target = parse(text, servername ?? this.#core.servername)
    const pool = this.#core.origin(keyOf(target), () => target)
    if (this.#aliases.size >= MOST_ALIASES) this.#aliases.clear()
    this.#aliases.set(alias, pool)
    return pool
  }

  /** The TLS server name that a request asks for: its option, else its Host header, as in undici. */
  #servername(options: Dispatcher.DispatchOptions & { servername?: unknown }): string | undefined {
    if (typeof options.servername === 'string' && options.servername !== '') return options.servername
    const host = requestHeader(options.headers, 'host')
    return host === undefined ? undefined : (serverNameOf(host) ?? undefined)
  }

  #refusal(): ClosedError {
    return this.#core.destroyed
      ? new ClosedError('destroyed', new errors.ClientDestroyedError())
      : new ClosedError('closed', new errors.ClientClosedError())
  }
}

/** The options, with headers that can be read more than once. */
function withLastingHeaders(options: Dispatcher.DispatchOptions): Dispatcher.DispatchOptions {
  const { headers } = options
  return areOnceOnly(headers) ? { ...options, headers: new Set(headers) as Iterable<[string, string]> } : options
}

function parse(origin: string, servername: string | undefined): ReturnType<typeof targetOf> {
  try {
    return targetOf(origin, servername)
  } catch (error) {
    throw Object.assign(new errors.InvalidArgumentError((error as Error).message), { cause: error })
  }
}

const urlOf = (origin: OriginPool): URL => new URL(origin.target.origin)

function settle(work: Promise<void>, callback: Callback | undefined): Promise<void> | void {
  if (callback === undefined) return work
  if (typeof callback !== 'function') throw new errors.InvalidArgumentError('invalid callback')
  work.then(
    () => callback(null, null),
    (error: Error) => callback(error, null),
  )
}
