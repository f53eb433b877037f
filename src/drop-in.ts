/**
 * Drop-in agents: for code that constructs `http.Agent` or `https.Agent` itself. Each has a pool of its own.
 */
import type http from 'node:http'
import type https from 'node:https'
import { PoolHttpAgent, PoolHttpsAgent } from './agent/agents.js'
import { systemClock } from './clock.js'
import { loadNative } from './liveness/native.js'
import { type HttpAgentOptions, type HttpsAgentOptions, planOfAgent } from './options/agent-options.js'
import { resolveOptions } from './options/pool-options.js'
import { Pool } from './pool.js'

/** A class that can also be called without `new`, as node's agents can. */
function callable<Class extends abstract new (...args: never[]) => unknown>(target: Class): Class {
  return new Proxy(target, { apply: (_target, _this, args) => Reflect.construct(target, args) })
}

const makePool = (options: unknown): Pool =>
  new Pool(resolveOptions(options), { clock: systemClock, native: loadNative() })

/**
 * An `http.Agent` with a pool of its own.
 *
 * @throws OptionError for a value that an option cannot take; node's own errors for node's own options
 */
class HttpAgentClass extends PoolHttpAgent {
  /** The pool behind it: its events, its numbers, its dispatcher. */
  readonly pool: Pool

  constructor(options?: HttpAgentOptions) {
    const { node, pool: poolOptions } = planOfAgent(options)
    const pool = makePool(poolOptions)
    super(Pool.groundOf(pool), node as http.AgentOptions)
    this.pool = pool
  }
}

/**
 * An `https.Agent` with a pool of its own.
 *
 * @throws OptionError for a value that an option cannot take; node's own errors for node's own options
 */
class HttpsAgentClass extends PoolHttpsAgent {
  /** The pool behind it: its events, its numbers, its dispatcher. */
  readonly pool: Pool

  constructor(options?: HttpsAgentOptions) {
    const { node, pool: poolOptions } = planOfAgent(options)
    const pool = makePool(poolOptions)
    super(Pool.groundOf(pool), node as https.AgentOptions)
    this.pool = pool
  }
}

export const HttpAgent = callable(HttpAgentClass)
export type HttpAgent = HttpAgentClass
export const HttpsAgent = callable(HttpsAgentClass)
export type HttpsAgent = HttpsAgentClass
