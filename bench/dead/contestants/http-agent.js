// node:http with the agent that SDKs construct. Ti can be set; Td and Nm are node's own, 1 s and 10.

import http from 'node:http'
import { throughAgents } from '../../wire/senders.js'

export const title = 'http.Agent'
export const about = '`keepAliveMsecs: 2000`'

export function open() {
  return throughAgents(new http.Agent({ keepAlive: true, keepAliveMsecs: 2000 }))
}
