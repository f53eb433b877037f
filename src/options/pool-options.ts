/**
 * The options of a pool: type, documentation, default and check of each in one place. `docs/options.md` has the same
 * table, and a test holds the two together.
 */
import { OptionError } from '../errors.js'
import { livenessThrough, type MiddleboxName, type NamedMiddlebox, named } from '../liveness/middleboxes.js'
import type { LivenessOption } from '../liveness/presets.js'
import type { Meter } from '../meter.js'
import { type ReplayLevel, replayLevels } from '../replay/permission.js'
import {
  type Check,
  count,
  either,
  enforce,
  isObject,
  label,
  meter,
  milliseconds,
  millisecondsOrInfinity,
  oneOf,
  optional,
  show,
  unknownOption,
} from './checks.js'
import { type ConnectOptions, type ResolvedConnect, resolveConnect } from './connect.js'
import { checkLiveness } from './liveness.js'
import { idleLimitOf, resolveThrough } from './through.js'

/** All times are milliseconds. Every field can be left out; an unknown one, or a bad value, throws an `OptionError`. */
export interface PoolOptions {
  /**
   * What the pool is called in metrics, channel messages, debug lines and on the watch page. Need not be unique: pools of
   * one name are counted together.
   * @default 'default'
   */
  readonly name?: string
  /**
   * An OpenTelemetry meter that the pool's metrics go to: `metrics.getMeter('my-service')` of `@opentelemetry/api`.
   * `pool.instrument(meter)` does the same later.
   */
  readonly meter?: Meter | undefined
  /**
   * Connections to one origin, opening ones included. Infinity: no limit.
   * @default 256
   */
  readonly maxConnections?: number
  /**
   * Connections of the whole pool. At the cap, the least recently used idle connection of another origin makes room.
   * @default Infinity
   */
  readonly maxTotalConnections?: number
  /**
   * Idle connections kept for one origin to be used again; the longest idle one goes first. 0: a connection is kept only if
   * somebody waits for it. One that is watched to learn when the server closes it is not used again, and not counted.
   * @default Infinity
   */
  readonly maxIdleConnections?: number
  /**
   * Which idle connection is reused first: `'lifo'`, the one used last (few connections stay busy, the others expire),
   * or `'fifo'`, the one idle for longest (all stay in use).
   * @default 'lifo'
   */
  readonly scheduling?: 'lifo' | 'fifo'
  /**
   * Requests that wait for a connection to one origin. One more fails with `ERR_KEEPWISE_QUEUE_FULL`.
   * @default 10_000
   */
  readonly maxWaiting?: number
  /**
   * Longest wait for a connection, from the request to the moment it has one; then it fails with
   * `ERR_KEEPWISE_ACQUIRE_TIMEOUT`. 0: no limit.
   * @default 30_000
   */
  readonly acquireTimeout?: number
  /**
   * How connections are opened: `timeout` (10 000), `concurrency` (32), `socketPath`, and any option of net.connect and
   * tls.connect.
   * @default {}
   */
  readonly connect?: ConnectOptions
  /**
   * Idle time allowed where the server advertised nothing. `'auto'`: 30 000 where the kernel can be asked about a
   * connection before it is reused, else 4 000. 0: such connections are not kept.
   * @default 'auto'
   */
  readonly keepAliveTimeout?: number | 'auto'
  /**
   * Cap on an advertised idle time.
   * @default 600_000
   */
  readonly keepAliveMaxTimeout?: number
  /**
   * Taken off an advertised idle time. `'auto'`: round-trip time + 4 x its variance + the event loop's recent lag, at
   * least 50. A connection whose advertised time is not longer than the margin is not kept.
   * @default 'auto'
   */
  readonly keepAliveMargin?: number | 'auto'
  /**
   * Requests on one connection. Infinity: as many as the server allows.
   * @default Infinity
   */
  readonly maxRequests?: number
  /**
   * Age of one connection, less up to 10 % at random so that connections opened together do not go together. Applied
   * when it is idle, never under a request. Infinity: no limit.
   * @default Infinity
   */
  readonly maxLifetime?: number
  /**
   * TCP keepalive on every socket: `false`, `'lan'` (10 s, 2 s, 3), `'cloud'` (30 s, 5 s, 3), `'mobile'` (90 s, 12 s, 5),
   * `'system'` (the operating system's values), or `{ idle: Ti, interval: Td, probes: Nm }`. A silent peer is known to
   * be dead after Ti + Td x Nm. A triple may have a `userTimeout`: mind its docstring.
   * @default 'cloud'
   */
  readonly liveness?: LivenessOption
  /**
   * What stands between the pool and its servers, or the servers themselves: `'aws-nlb'`, `'nginx'`, … Where the server
   * advertised nothing, a connection then idles for no longer than they let it: those of layer 7 by their timeouts, those
   * of layer 4 only if `liveness` does not keep them awake. Without `liveness` a triple is chosen that does.
   * @default []
   */
  readonly through?: MiddleboxName | readonly MiddleboxName[]
  /**
   * Learn from the server when it closes idle connections, and stop using them earlier. For servers that do not advertise
   * it, or close sooner than they advertise.
   * @default true
   */
  readonly learn?: boolean
  /**
   * Which requests are sent again when a reused connection died under them before any byte of the response: `'off'`, none;
   * `'idempotent'`, idempotent methods (RFC 9110 9.2.2), requests with an `Idempotency-Key`, and those of which nothing was
   * sent; `'proven'`, also those that the server provably never processed; `'closing'`, also those that it has
   * acknowledged nothing of so far.
   * @default 'proven'
   */
  readonly replay?: ReplayLevel
  /**
   * Longest wait for the response headers after a request was sent over the dispatcher, as in undici. Over an agent node's
   * `timeout` and the client's own limits hold. 0: no limit.
   * @default 300_000
   */
  readonly headersTimeout?: number
  /**
   * Longest wait between two chunks of a response body over the dispatcher, as in undici. 0: no limit.
   * @default 300_000
   */
  readonly bodyTimeout?: number
}

/** Options with defaults filled in. */
export interface ResolvedOptions extends Required<Omit<PoolOptions, 'connect' | 'through' | 'meter'>> {
  readonly meter: Meter | undefined
  readonly connect: ResolvedConnect
  readonly through: readonly MiddleboxName[]
  /** What of `through` ends an idle connection first, for all that `liveness` does. */
  readonly idleLimit: NamedMiddlebox | undefined
}

interface Spec {
  readonly default: unknown
  readonly check: Check
}

/** Those that are one plain value. `connect`, `liveness` and `through` have modules of their own. */
export const optionSpecs = {
  name: { default: 'default', check: label },
  meter: { default: undefined, check: optional(meter) },
  maxConnections: { default: 256, check: count({ min: 1 }) },
  maxTotalConnections: { default: Infinity, check: count({ min: 1 }) },
  maxIdleConnections: { default: Infinity, check: count({ min: 0 }) },
  scheduling: { default: 'lifo', check: oneOf('lifo', 'fifo') },
  maxWaiting: { default: 10_000, check: count({ min: 1 }) },
  acquireTimeout: { default: 30_000, check: milliseconds({ min: 1, zero: 'no limit' }) },
  keepAliveTimeout: { default: 'auto', check: either(milliseconds({ zero: 'never kept' }), oneOf('auto')) },
  keepAliveMaxTimeout: { default: 600_000, check: milliseconds({ min: 1 }) },
  keepAliveMargin: { default: 'auto', check: either(milliseconds({ min: 0 }), oneOf('auto')) },
  maxRequests: { default: Infinity, check: count({ min: 1 }) },
  maxLifetime: { default: Infinity, check: millisecondsOrInfinity({ min: 1 }) },
  learn: { default: true, check: oneOf(true, false) },
  replay: { default: 'proven', check: oneOf(...replayLevels) },
  headersTimeout: { default: 300_000, check: milliseconds({ min: 1, zero: 'no limit' }) },
  bodyTimeout: { default: 300_000, check: milliseconds({ min: 1, zero: 'no limit' }) },
} as const satisfies Record<Exclude<keyof PoolOptions, 'connect' | 'liveness' | 'through'>, Spec>

export const LIVENESS_DEFAULT = 'cloud' satisfies LivenessOption

export const THROUGH_DEFAULT: readonly MiddleboxName[] = []

export const optionNames: readonly string[] = [...Object.keys(optionSpecs), 'connect', 'liveness', 'through']

/** What the same things are called in undici, node:http and agentkeepalive. */
export const elsewhere: Readonly<Record<string, string>> = {
  connections: 'maxConnections',
  maxSockets: 'maxConnections',
  maxTotalSockets: 'maxTotalConnections',
  maxFreeSockets: 'maxIdleConnections',
  idleTimeout: 'keepAliveTimeout',
  freeSocketTimeout: 'keepAliveTimeout',
  freeSocketKeepAliveTimeout: 'keepAliveTimeout',
  keepAliveTimeoutThreshold: 'keepAliveMargin',
  maxRequestsPerClient: 'maxRequests',
  clientTtl: 'maxLifetime',
  socketActiveTTL: 'maxLifetime',
  connectTimeout: 'connect.timeout',
  socketPath: 'connect.socketPath',
  localAddress: 'connect.localAddress',
  maxCachedSessions: 'connect.maxCachedSessions',
  autoSelectFamily: 'connect.autoSelectFamily',
  autoSelectFamilyAttemptTimeout: 'connect.autoSelectFamilyAttemptTimeout',
  tls: 'connect',
  keepAlive: 'keepAliveTimeout',
  keepAliveMsecs: 'liveness',
  keepAliveInitialDelay: 'liveness',
}

/**
 * Checks options and fills in defaults.
 *
 * @throws OptionError naming the option, the value and its type, and for an unknown name the nearest known one
 */
export function resolveOptions(options: unknown = {}): ResolvedOptions {
  if (!isObject(options)) throw new OptionError('options', `Options must be an object; they are ${show(options)}.`)
  for (const name of Object.keys(options))
    if (!optionNames.includes(name)) throw unknownOption(name, optionNames, { elsewhere })
  const resolved: Record<string, unknown> = {}
  for (const [name, spec] of Object.entries(optionSpecs)) {
    const value = options[name] === undefined ? spec.default : options[name]
    enforce(name, value, spec.check)
    resolved[name] = value
  }
  const through = resolveThrough(options.through === undefined ? THROUGH_DEFAULT : options.through)
  const automatic = livenessThrough(through.map(named), LIVENESS_DEFAULT)
  const liveness = options.liveness === undefined ? automatic : options.liveness
  checkLiveness(liveness)
  const idleLimit = idleLimitOf(through, liveness)
  return { ...resolved, liveness, through, idleLimit, connect: resolveConnect(options.connect) } as ResolvedOptions
}
