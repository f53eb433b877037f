/**
 * Options of `keepAlive` and of its `close`: declared once, with their meaning, default and check.
 */
import { OptionError } from '../errors.js'
import type { LivenessOption } from '../liveness/presets.js'
import {
  type Check,
  count,
  enforce,
  isObject,
  milliseconds,
  millisecondsOrInfinity,
  show,
  unknownOption,
} from '../options/checks.js'
import { checkLiveness } from '../options/liveness.js'
import { LIVENESS_DEFAULT } from '../options/pool-options.js'

/** Times are milliseconds. */
export interface KeepAliveOptions {
  /**
   * How long a connection may idle between two requests; advertised in whole seconds. Infinity: no limit, and nothing
   * is advertised.
   * @default the server's `keepAliveTimeout`, which is 5_000 unless it was set
   */
  readonly timeout?: number
  /**
   * How many requests a connection takes. What remains of it is advertised.
   * @default the server's `maxRequestsPerSocket`, which is no limit unless it was set
   */
  readonly max?: number
  /**
   * How much longer than advertised an idle connection really is kept, so that a request which left in time is still
   * answered when it arrives.
   * @default the server's `keepAliveTimeoutBuffer` where Node has it, which is 1_000 unless it was set; else 1_000
   */
  readonly buffer?: number
  /**
   * TCP keepalive on accepted sockets, as in a pool: `false`, `'lan'`, `'cloud'`, `'mobile'`, `'system'`, or
   * `{ idle: Ti, interval: Td, probes: Nm }`. A client that has died is known after Ti + Td x Nm.
   * @default 'cloud'
   */
  readonly liveness?: LivenessOption
}

/** How a server is closed. Times are milliseconds, from the call on. */
export interface CloseOptions {
  /**
   * For how long new connections are still accepted: load balancers take a while to learn that this server is leaving.
   * Their responses say `Connection: close` as all others do.
   * @default 0
   */
  readonly accept?: number
  /**
   * For how long an idle connection is kept after that: a request that is on its way, or comes now, is answered, and its
   * response says `Connection: close`.
   * @default 5_000
   */
  readonly grace?: number
  /**
   * When everything that is left is ended, all in all. Infinity: never.
   * @default 25_000
   */
  readonly limit?: number
}

/** What can be read from a server for a default. */
export interface ServerSettings {
  readonly keepAliveTimeout: number
  readonly maxRequestsPerSocket?: number | null
  readonly keepAliveTimeoutBuffer?: number
}

interface Spec {
  readonly default: unknown
  readonly check: Check
}

/** Node's own buffer, of those versions that have no option for it. */
const BUFFER = 1_000

/** The one that is a structure, `liveness`, has a module of its own. */
const keepAliveSpecs = ({ keepAliveTimeout, maxRequestsPerSocket, keepAliveTimeoutBuffer }: ServerSettings) =>
  ({
    timeout: { default: keepAliveTimeout || Infinity, check: millisecondsOrInfinity({ min: 1 }) },
    max: { default: maxRequestsPerSocket || Infinity, check: count({ min: 1 }) },
    buffer: { default: keepAliveTimeoutBuffer ?? BUFFER, check: milliseconds({ min: 0 }) },
  }) satisfies Record<Exclude<keyof KeepAliveOptions, 'liveness'>, Spec>

const closeSpecs = {
  accept: { default: 0, check: milliseconds({ min: 0 }) },
  grace: { default: 5_000, check: milliseconds({ min: 0 }) },
  limit: { default: 25_000, check: millisecondsOrInfinity({ min: 0 }) },
} satisfies Record<keyof CloseOptions, Spec>

/** What the same things are called elsewhere. */
const keepAliveElsewhere = {
  keepAliveTimeout: 'timeout',
  idleTimeout: 'timeout',
  keepAliveTimeoutBuffer: 'buffer',
  keepAliveMargin: 'buffer',
  maxRequestsPerSocket: 'max',
  maxRequests: 'max',
  keepAliveInitialDelay: 'liveness',
}

const closeElsewhere = { timeout: 'limit', delay: 'accept', gracefulTerminationTimeout: 'limit' }

/** @throws OptionError */
export function resolveKeepAlive(options: unknown, server: ServerSettings): Required<KeepAliveOptions> {
  const { liveness = LIVENESS_DEFAULT, ...rest } = asObject(options)
  checkLiveness(liveness)
  return { ...resolve(rest, keepAliveSpecs(server), ['liveness'], keepAliveElsewhere), liveness }
}

/** @throws OptionError */
export function resolveClose(options: unknown): Required<CloseOptions> {
  return resolve(asObject(options), closeSpecs, [], closeElsewhere)
}

function asObject(options: unknown = {}): Record<string, unknown> {
  if (isObject(options)) return options
  throw new OptionError('options', `Options must be an object; they are ${show(options)}.`)
}

function resolve<Name extends string>(
  options: Record<string, unknown>,
  specs: Record<Name, Spec>,
  others: readonly string[],
  elsewhere: Readonly<Record<string, string>>,
): Record<Name, number> {
  const known = [...Object.keys(specs), ...others]
  const stranger = Object.keys(options).find((name) => !known.includes(name))
  if (stranger !== undefined) throw unknownOption(stranger, known, { elsewhere })
  const resolved: Record<string, unknown> = {}
  for (const [name, spec] of Object.entries<Spec>(specs)) {
    const value = options[name] === undefined ? spec.default : options[name]
    enforce(name, value, spec.check)
    resolved[name] = value
  }
  return resolved as Record<Name, number>
}
