// agentkeepalive, without the timers by which it gives up on living and dead alike.

import AgentKeepAlive from 'agentkeepalive'
import { throughAgents } from '../../wire/senders.js'

export const title = 'agentkeepalive'
export const about = '`keepAliveMsecs: 2000`, its timers off'

export function open() {
  return throughAgents(new AgentKeepAlive({ keepAliveMsecs: 2000, timeout: 0, freeSocketTimeout: 0 }))
}
