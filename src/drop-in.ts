/**
 * Drop-in agents: for code that constructs `http.Agent` or `https.Agent` itself. Each has a pool of its own.
 */
import http from 'node:http'
import https from 'node:https'
import { adopt, PoolHttpAgent, PoolHttpsAgent } from './agent/agents.js'
import { systemClock } from './clock.js'
import { loadNative } from './liveness/native.js'
import { type AgentPlan, type HttpAgentOptions, type HttpsAgentOptions, planOfAgent } from './options/agent-options.js'
import { resolveOptions } from './options/pool-options.js'
import { Pool } from './pool.js'

interface AgentWithPool extends http.Agent {
  pool: Pool
}

/** Gives an agent its pool. */
function equip(agent: http.Agent, plain: http.Agent, { pool: options, maxFreeSockets }: AgentPlan): Pool {
  const pool = new Pool(resolveOptions(options), { clock: systemClock, native: loadNative() })
  adopt(agent, plain, Pool.groundOf(pool), maxFreeSockets)
  return pool
}

/**
 * A class that can do without `new`, as node's agents can: called alone, or on an object that inherits from it
 * (`HttpAgent.call(this, options)` after `util.inherits`).
 */
function callable<Class extends abstract new (options?: never) => AgentWithPool>(
  target: Class,
  base: typeof http.Agent,
  plain: http.Agent,
): Class {
  return new Proxy(target, {
    apply(_target, self: unknown, [options]: [unknown?]) {
      if (!(self instanceof target)) return Reflect.construct(target, [options])
      const plan = planOfAgent(options)
      ;(base as unknown as (this: unknown, options: http.AgentOptions) => void).call(self, plan.node)
      self.pool = equip(self, plain, plan)
      return undefined
    },
  })
}

/**
 * An `http.Agent` with a pool of its own.
 *
 * @throws OptionError for a value that an option cannot take; node's own errors for some of node's own options
 */
class HttpAgentClass extends PoolHttpAgent {
  /** The pool behind it: its events, its numbers, its dispatcher. */
  readonly pool: Pool

  constructor(options?: HttpAgentOptions) {
    const plan = planOfAgent(options)
    super(undefined, plan.node)
    this.pool = equip(this, PoolHttpAgent.prototype, plan)
  }
}

/**
 * An `https.Agent` with a pool of its own.
 *
 * @throws OptionError for a value that an option cannot take; node's own errors for some of node's own options
 */
class HttpsAgentClass extends PoolHttpsAgent {
  /** The pool behind it: its events, its numbers, its dispatcher. */
  readonly pool: Pool

  constructor(options?: HttpsAgentOptions) {
    const plan = planOfAgent(options)
    super(undefined, plan.node)
    this.pool = equip(this, PoolHttpsAgent.prototype, plan)
  }
}

Object.defineProperty(HttpAgentClass, 'name', { value: 'HttpAgent' })
Object.defineProperty(HttpsAgentClass, 'name', { value: 'HttpsAgent' })

/**
 * In place of `http.Agent`: node's options and every option of a pool. Each has a pool of its own, `agent.pool`.
 *
 * @throws OptionError for a value that an option cannot take; node's own errors for some of node's own options
 * @class
 */
export const HttpAgent = callable(HttpAgentClass, http.Agent, PoolHttpAgent.prototype)
/** What `new HttpAgent()` makes: an `http.Agent` with a `pool`. */
export type HttpAgent = HttpAgentClass
/**
 * In place of `https.Agent`: node's options and every option of a pool. Each has a pool of its own, `agent.pool`.
 *
 * @throws OptionError for a value that an option cannot take; node's own errors for some of node's own options
 * @class
 */
export const HttpsAgent = callable(HttpsAgentClass, https.Agent as never, PoolHttpsAgent.prototype)
/** What `new HttpsAgent()` makes: an `https.Agent` with a `pool`. */
export type HttpsAgent = HttpsAgentClass
