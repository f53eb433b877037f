// node:http with the agent that SDKs construct.

import http from 'node:http'
import https from 'node:https'
import { throughAgents } from '../../wire/senders.js'

export const title = 'http.Agent'
export const about = '`keepAlive: true`'

export function open() {
  return throughAgents(new http.Agent({ keepAlive: true }), new https.Agent({ keepAlive: true }))
}
