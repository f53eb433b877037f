/**
 * The options of the drop-in agents: node's own names beside the pool's, mapped onto the options of a pool.
 */
import type { AgentOptions as NodeHttpOptions } from 'node:http'
import type { AgentOptions as NodeHttpsOptions } from 'node:https'
import { OptionError } from '../errors.js'
import { presets } from '../liveness/presets.js'
import { isObject, nearest, show, unknownOption } from './checks.js'
import { isConnectOption } from './connect.js'
import { LIVENESS_DEFAULT, optionNames, type PoolOptions } from './pool-options.js'

/**
 * Node's options, with node's defaults and meaning, and every option of a pool. Where both name the same thing, the
 * pool's name wins.
 */
export interface HttpAgentOptions extends Omit<NodeHttpOptions, keyof PoolOptions>, PoolOptions {}
export interface HttpsAgentOptions extends Omit<NodeHttpsOptions, keyof PoolOptions>, PoolOptions {}

interface NodeOptions {
  keepAlive?: boolean
  keepAliveMsecs?: number
  maxSockets?: number
  maxTotalSockets?: number
  maxFreeSockets?: number
  timeout?: number
  agentKeepAliveTimeoutBuffer?: number
}

/** node: `options.maxFreeSockets || 256`. */
export const MAX_FREE_SOCKETS = 256

export interface AgentPlan {
  /** For node's own constructor. */
  readonly node: Record<string, unknown>
  readonly pool: PoolOptions
}

/** Names that are node's, and mean nothing to a pool. */
const nodeNames = [
  ...['keepAlive', 'keepAliveMsecs', 'maxSockets', 'maxTotalSockets', 'maxFreeSockets', 'timeout', 'scheduling'],
  ...['agentKeepAliveTimeoutBuffer', 'proxyEnv', 'defaultPort', 'protocol', 'host', 'port', 'path', 'signal'],
]

/** @throws OptionError for a bad value, and for a name that is nearly one of ours */
export function planOfAgent(options: unknown = {}): AgentPlan {
  if (!isObject(options)) throw new OptionError('options', `Options must be an object; they are ${show(options)}.`)
  const pool: Record<string, unknown> = {}
  const node: Record<string, unknown> = {}
  const connect: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    if (optionNames.includes(name) && name !== 'scheduling') pool[name] = value
    else {
      refuseMistake(name)
      node[name] = value
      if (isConnectOption(name) && value != null) connect[name] = value
    }
  }
  // What node would only do when asked to is what all of ours is for.
  node.keepAlive ??= Object.keys(pool).length > 0
  const {
    keepAlive,
    keepAliveMsecs,
    maxSockets,
    maxTotalSockets,
    maxFreeSockets,
    timeout,
    agentKeepAliveTimeoutBuffer,
  } = node as NodeOptions
  const mapped: PoolOptions = {
    maxConnections: maxSockets || Infinity,
    maxTotalConnections: maxTotalSockets ?? Infinity,
    // 0: a connection is kept only if somebody waits for it
    maxIdleConnections: keepAlive ? maxFreeSockets || MAX_FREE_SOCKETS : 0,
    ...(node.scheduling !== undefined && { scheduling: node.scheduling as 'lifo' }),
    // node closes idle sockets after it as well, whatever the server advertises
    ...(timeout && { keepAliveTimeout: timeout, keepAliveMaxTimeout: timeout }),
    ...(agentKeepAliveTimeoutBuffer !== undefined && { keepAliveMargin: agentKeepAliveTimeoutBuffer }),
    ...(keepAliveMsecs && { liveness: { ...presets[LIVENESS_DEFAULT], idle: wholeSeconds(keepAliveMsecs) } }),
  }
  return { node, pool: { ...mapped, ...pool, connect: { ...connect, ...(pool.connect as object | undefined) } } }
}

const wholeSeconds = (time: number): number => Math.max(1000, Math.ceil(time / 1000) * 1000)

/** Any other name may be for net, tls, or a `createConnection` of the caller's own; but not one that is nearly ours. */
function refuseMistake(name: string): void {
  if (nodeNames.includes(name) || isConnectOption(name)) return
  const near = nearest(name, [...optionNames, ...nodeNames])
  if (near !== undefined && name.length > 6) throw unknownOption(name, [near])
}
