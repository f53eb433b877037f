// keepwise, through node:http with the pool's agents.

import { createPool } from '../../../dist/index.js'
import { throughAgents } from '../../wire/senders.js'

export const title = 'http on keepwise'
export const about = ''

export function open() {
  const pool = createPool()
  return throughAgents(pool.httpAgent, pool.httpsAgent)
}
