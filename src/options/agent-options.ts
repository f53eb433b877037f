/**
 * The options of the drop-in agents: node's own names beside the pool's, mapped onto the options of a pool.
 */
import http, { type AgentOptions as NodeHttpOptions } from 'node:http'
import type { AgentOptions as NodeHttpsOptions } from 'node:https'
import { OptionError } from '../errors.js'
import { presets } from '../liveness/presets.js'
import { type Check, count, enforce, isObject, milliseconds, nearest, show, unknownOption } from './checks.js'
import { isConnectOption } from './connect.js'
import { elsewhere, LIVENESS_DEFAULT, optionNames, type PoolOptions } from './pool-options.js'

/**
 * Node's options with node's defaults and meaning, and every option of a pool, which comes first where both say the same.
 *
 * - `keepAlive` (default `false`, as in node; `true` if an option of the pool's is given): whether idle sockets are kept.
 * - `maxSockets` (Infinity): `maxConnections`. `maxTotalSockets` (Infinity): `maxTotalConnections`.
 * - `maxFreeSockets` (256): `maxIdleConnections`. `scheduling` (`'lifo'`): the same.
 * - `timeout` (none): milliseconds of silence until a socket says 'timeout'; one that is idle is closed then, whatever the
 *   server advertises. Where it advertises nothing, it is also the `keepAliveTimeout`.
 * - `keepAliveMsecs` (1000): if given, `liveness.idle`, in whole seconds.
 * - `agentKeepAliveTimeoutBuffer` (1000): if given, `keepAliveMargin`.
 * - Options of net.connect and tls.connect: for every connection.
 */
export interface HttpAgentOptions extends Omit<NodeHttpOptions, keyof PoolOptions>, PoolOptions {}
/** As `HttpAgentOptions`, with the TLS options of node's `https.Agent`. */
export interface HttpsAgentOptions extends Omit<NodeHttpsOptions, keyof PoolOptions>, PoolOptions {}

/** As it was when this was loaded: somebody may put our own in its place. */
const NodeAgent = http.Agent

/** Node's default. */
const MAX_FREE_SOCKETS = 256

export interface AgentPlan {
  /** For node's own constructor. */
  readonly node: http.AgentOptions
  readonly pool: PoolOptions
  readonly maxFreeSockets: number
}

/** Node takes 0 for its default. */
const cap = count({ min: 0 })
const time = milliseconds({ zero: 'none' })
const anyTime: Check = (value) => (typeof value === 'number' && value >= 0 ? undefined : 'must be milliseconds')

/** Of node's own names those that are mapped, with their checks; for the others node's constructor has some. */
const nodeSpecs: Readonly<Record<string, Check>> = {
  maxSockets: cap,
  maxFreeSockets: cap,
  timeout: time,
  keepAliveMsecs: anyTime,
  agentKeepAliveTimeoutBuffer: time,
}

const nodeNames: readonly string[] = [
  ...Object.keys(nodeSpecs),
  ...['keepAlive', 'maxTotalSockets', 'scheduling', 'proxyEnv', 'defaultPort', 'protocol', 'host', 'port', 'path'],
]

/**
 * @throws OptionError for a bad value, for other libraries' names and for what is nearly one of ours; node's errors for
 *   `maxTotalSockets` and `scheduling`
 */
export function planOfAgent(options: unknown): AgentPlan {
  const given = options ?? {}
  if (!isObject(given)) throw new OptionError('options', `Options must be an object; they are ${show(given)}.`)
  const node: Record<string, unknown> = {}
  const pool: Record<string, unknown> = {}
  const connect: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (optionNames.includes(name) && name !== 'scheduling') pool[name] = value
    else {
      check(name, value)
      node[name] = value
      if (isConnectOption(name) && value != null) connect[name] = value
    }
  }
  new NodeAgent({ maxTotalSockets: node.maxTotalSockets as number, scheduling: node.scheduling as 'lifo' })
  // What node would do only if asked to is what all of ours are for.
  if (node.keepAlive === undefined && Object.keys(pool).length > 0) node.keepAlive = true
  const maxFreeSockets = (pool.maxIdleConnections ?? (node.maxFreeSockets || MAX_FREE_SOCKETS)) as number
  const mapped = { ...fromNode(node), ...pool, connect: { ...connect, ...(pool.connect as object | undefined) } }
  return { node, maxFreeSockets, pool: { ...mapped, maxIdleConnections: node.keepAlive ? maxFreeSockets : 0 } }
}

function fromNode(node: http.AgentOptions & { agentKeepAliveTimeoutBuffer?: number }): PoolOptions {
  const { maxSockets, maxTotalSockets, scheduling, timeout, keepAliveMsecs, agentKeepAliveTimeoutBuffer } = node
  return {
    maxConnections: maxSockets || Infinity,
    maxTotalConnections: maxTotalSockets ?? Infinity,
    ...(scheduling && { scheduling }),
    ...(timeout && { keepAliveTimeout: timeout }),
    ...(agentKeepAliveTimeoutBuffer !== undefined && { keepAliveMargin: agentKeepAliveTimeoutBuffer }),
    ...(keepAliveMsecs && { liveness: { ...presets[LIVENESS_DEFAULT], idle: wholeSeconds(keepAliveMsecs) } }),
  }
}

/** Within what the kernel takes. */
const wholeSeconds = (milliseconds: number): number =>
  1000 * Math.min(32_767, Math.max(1, Math.ceil(milliseconds / 1000)))

/** A name that nobody here knows may be for a `createConnection` of the caller's own; but not one that is nearly ours. */
function check(name: string, value: unknown): void {
  const spec = nodeSpecs[name]
  if (spec !== undefined && value != null) enforce(name, value, spec)
  if (nodeNames.includes(name) || isConnectOption(name)) return
  const known = [...optionNames, ...nodeNames]
  if (Object.hasOwn(elsewhere, name)) throw unknownOption(name, known, { elsewhere })
  if (name.length > 6 && nearest(name, known) !== undefined) throw unknownOption(name, known)
}
