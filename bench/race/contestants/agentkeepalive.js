// agentkeepalive, the common replacement for http.Agent.

import AgentKeepAlive, { HttpsAgent } from 'agentkeepalive'
import { throughAgents } from '../../wire/senders.js'

export const title = 'agentkeepalive'
export const about = ''

export function open() {
  return throughAgents(new AgentKeepAlive(), new HttpsAgent())
}
