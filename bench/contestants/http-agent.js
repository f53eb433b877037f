// node:http with the agent that SDKs construct: keepAlive and a limit on sockets.

import http from 'node:http'
import { agentDriver } from '../drivers.js'

export const title = 'http.Agent'
export const weight = 3

export function open(origin, { connections }) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections, maxFreeSockets: connections })
  return { send: agentDriver(agent, origin) }
}
