/**
 * node's Agent classes over a pool: true `http.Agent`s and `https.Agent`s, of which all that decides about connections is
 * replaced.
 */
import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { count, enforce } from '../options/checks.js'
import { AgentFace, type AgentGround, type NodeAgent } from './face.js'
import type { Options } from './identity.js'

const FACE = Symbol('keepwise agent')

/**
 * Makes an agent ours that node's constructor has made.
 *
 * @param plain the prototype of the class that it comes from here
 * @param maxFreeSockets idle sockets kept for one origin while `keepAlive` is true
 */
export function adopt(agent: http.Agent, plain: http.Agent, ground: AgentGround, maxFreeSockets: number): void {
  const node = agent as unknown as NodeAgent
  // node's own keeping of free sockets, and its way to tell of TLS keys.
  node.removeAllListeners('free').removeAllListeners('newListener')
  const face = new AgentFace(node, plain as unknown as NodeAgent, ground)
  Object.defineProperty(node, FACE, { value: face })
  const define = (name: string, get: () => unknown, set?: (value: never) => void): void =>
    void Object.defineProperty(node, name, { get, ...(set && { set }), enumerable: true, configurable: true })

  for (const name of ['sockets', 'freeSockets', 'requests', 'totalSocketCount'] as const) define(name, () => face[name])

  const { core } = ground
  const isCap = count({ min: 0 })
  for (const [name, cap] of [
    ['maxSockets', 'maxConnections'],
    ['maxTotalSockets', 'maxTotalConnections'],
  ] as const)
    define(
      name,
      () => core.options[cap],
      (value) => {
        enforce(name, value, isCap)
        core.limit({ [cap]: value })
      },
    )

  let { keepAlive } = agent as { keepAlive?: boolean }
  let free = maxFreeSockets
  const keep = (): void => core.limit({ maxIdleConnections: keepAlive ? free : 0 })
  define(
    'keepAlive',
    () => keepAlive,
    (value) => {
      keepAlive = value
      keep()
    },
  )
  define(
    'maxFreeSockets',
    () => free,
    (value) => {
      enforce('maxFreeSockets', value, isCap)
      free = value
      keep()
    },
  )
}

const faceOf = (agent: object): AgentFace => (agent as { [FACE]: AgentFace })[FACE]

/** The options of a request, also in the form that node took before it had options objects. */
function optionsOf(options: Options | string, port: unknown, localAddress: unknown): Options {
  return typeof options === 'string' ? { host: options, port, localAddress } : options
}

/** An `http.Agent` whose connections are those of a pool: `pool.httpAgent`. */
export class PoolHttpAgent extends http.Agent {
  /**
   * @param ground of the pool that it belongs to; undefined if it is to be adopted by one of its own
   * @internal
   */
  constructor(ground: AgentGround | undefined, options: http.AgentOptions) {
    super(options)
    if (ground !== undefined) adopt(this, PoolHttpAgent.prototype, ground, ground.core.options.maxIdleConnections)
  }

  /** Called by node for each request: gives it a connection, or has it wait for one. */
  addRequest(request: http.ClientRequest, options: Options | string, port?: unknown, localAddress?: unknown): void {
    faceOf(this).addRequest(request, optionsOf(options, port, localAddress))
  }

  /** Called when a socket may be kept for the next request: false closes it. Sets nothing: TCP keepalive stays as it is. */
  override keepSocketAlive(_socket: Socket): boolean {
    return true
  }

  /** Called when a request gets a socket that was used before. */
  override reuseSocket(_socket: Socket, request: http.ClientRequest): void {
    request.reusedSocket = true
  }

  /** Connections leave by being closed. */
  removeSocket(): void {}

  /** Closes all sockets that this agent's requests use or could use, now: requests under way fail. See `close`. */
  override destroy(): void {
    faceOf(this).destroy()
  }

  /** Closes the pool: takes no more requests, finishes those it took; resolves when all connections are closed. */
  close(): Promise<void> {
    return faceOf(this).core.close()
  }

  /** `close()`, by `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * An `https.Agent` whose connections are those of a pool: `pool.httpsAgent`. It is a class of its own in node; this one gets the
 * methods of the other all the same.
 */
export class PoolHttpsAgent extends https.Agent {
  /** As of `PoolHttpAgent`. */
  declare readonly addRequest: PoolHttpAgent['addRequest']
  /** As of `PoolHttpAgent`. */
  declare readonly removeSocket: PoolHttpAgent['removeSocket']
  /** As of `PoolHttpAgent`. */
  declare readonly close: PoolHttpAgent['close']
  /** `close()`, by `await using`. */
  declare readonly [Symbol.asyncDispose]: PoolHttpAgent['close']

  /**
   * @param ground of the pool that it belongs to; undefined if it is to be adopted by one of its own
   * @internal
   */
  constructor(ground: AgentGround | undefined, options: https.AgentOptions) {
    super(options)
    if (ground !== undefined) adopt(this, PoolHttpsAgent.prototype, ground, ground.core.options.maxIdleConnections)
  }
}

// node makes an agent for one request of the default agent's constructor (`agent: false`): a plain one is meant.
const namedAs = (made: object, node: object): unknown =>
  Object.defineProperty(made, 'constructor', { value: node, writable: true, configurable: true })
namedAs(PoolHttpAgent.prototype, http.Agent)
namedAs(PoolHttpsAgent.prototype, https.Agent)

const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(PoolHttpAgent.prototype)
Object.defineProperties(PoolHttpsAgent.prototype, methods)
