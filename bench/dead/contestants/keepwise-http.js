// keepwise, through node:http with the pool's agent.

import { createPool } from '../../../dist/index.js'
import { throughAgents } from '../../wire/senders.js'
import { TRIPLE } from '../triple.js'

export const title = 'http on keepwise'
export const about = ''

export function open() {
  return throughAgents(createPool({ liveness: TRIPLE }).httpAgent)
}
