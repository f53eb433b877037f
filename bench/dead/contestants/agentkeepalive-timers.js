// agentkeepalive as it comes: it closes what has idled for 4 s, and gives up on what has been silent for 8 s.

import AgentKeepAlive from 'agentkeepalive'
import { throughAgents } from '../../wire/senders.js'

export const title = 'agentkeepalive'
export const about = '`keepAliveMsecs: 2000`'

export function open() {
  return throughAgents(new AgentKeepAlive({ keepAliveMsecs: 2000 }))
}
