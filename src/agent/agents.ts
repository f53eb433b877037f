/**
 * node's Agent classes over a pool: true `http.Agent`s and `https.Agent`s, of which all that decides about connections is
 * replaced.
 */
import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { MAX_FREE_SOCKETS } from '../options/agent-options.js'
import { count, enforce } from '../options/checks.js'
import { AgentFace, type AgentGround, type NodeAgent } from './face.js'
import type { Options } from './identity.js'

const FACE = Symbol('keepwise agent')

/** What is the same for both classes: node's constructor runs first, then this makes the agent ours. */
function adopt(agent: object, plain: object, ground: AgentGround): void {
  const node = agent as NodeAgent & { [FACE]: AgentFace; maxFreeSockets: number }
  // node's own keeping of free sockets, and its way to tell of TLS keys.
  node.removeAllListeners('free').removeAllListeners('newListener')
  const face = new AgentFace(node, plain as NodeAgent, ground)
  Object.defineProperty(node, FACE, { value: face })
  for (const name of ['sockets', 'freeSockets', 'requests', 'totalSocketCount'] as const)
    Object.defineProperty(node, name, { get: () => face[name], enumerable: true, configurable: true })
  const { core } = ground
  const caps = {
    maxSockets: 'maxConnections',
    maxTotalSockets: 'maxTotalConnections',
    maxFreeSockets: 'maxIdleConnections',
  } as const
  for (const [name, cap] of Object.entries(caps))
    Object.defineProperty(node, name, {
      // 0 is how a pool is told not to keep any; node says so by `keepAlive: false`.
      get: () => core.options[cap] || MAX_FREE_SOCKETS,
      set: (value: number) => {
        enforce(name, value, count({ min: 1 }))
        core.limit({ [cap]: value })
      },
      enumerable: true,
      configurable: true,
    })
}

const faceOf = (agent: object): AgentFace => (agent as { [FACE]: AgentFace })[FACE]

/** The options of a request, also in the form that node took before it had options objects. */
function optionsOf(options: Options | string, port: unknown, localAddress: unknown): Options {
  return typeof options === 'string' ? { host: options, port, localAddress } : options
}

export class PoolHttpAgent extends http.Agent {
  constructor(ground: AgentGround, options: http.AgentOptions) {
    super(options)
    adopt(this, PoolHttpAgent.prototype, ground)
  }

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

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** https.Agent is a class of its own in node: this one gets the methods of the other all the same. */
export class PoolHttpsAgent extends https.Agent {
  declare readonly addRequest: PoolHttpAgent['addRequest']
  declare readonly removeSocket: PoolHttpAgent['removeSocket']
  declare readonly close: PoolHttpAgent['close']
  declare readonly [Symbol.asyncDispose]: PoolHttpAgent['close']

  constructor(ground: AgentGround, options: https.AgentOptions) {
    super(options)
    adopt(this, PoolHttpsAgent.prototype, ground)
  }
}

// node makes an agent for one request of the default agent's constructor (`agent: false`): a plain one is meant.
const namedAs = (made: object, node: object): unknown =>
  Object.defineProperty(made, 'constructor', { value: node, writable: true, configurable: true })
namedAs(PoolHttpAgent.prototype, http.Agent)
namedAs(PoolHttpsAgent.prototype, https.Agent)

const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(PoolHttpAgent.prototype)
Object.defineProperties(PoolHttpsAgent.prototype, methods)
