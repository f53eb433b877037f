// keepwise, through node:http with the pool's agent.

import { agentDriver } from '../drivers.js'
import { openKeepwise } from '../keepwise-pool.js'

export const title = 'keepwise (agent)'
export const weight = 3

export function open(origin, options) {
  return openKeepwise(origin, options, (pool) => agentDriver(pool.httpAgent, origin))
}
