// agentkeepalive, the common replacement for http.Agent.

import AgentKeepAlive from 'agentkeepalive'
import { agentDriver } from '../drivers.js'

export const title = 'agentkeepalive'
export const weight = 3

export function open(origin, { connections, idleTimeout }) {
  const agent = new AgentKeepAlive({
    maxSockets: connections,
    maxFreeSockets: connections,
    freeSocketTimeout: idleTimeout,
  })
  return { send: agentDriver(agent, origin) }
}
