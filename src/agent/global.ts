/**
 * The process-wide agents of node:http and node:https, which every request uses that names no agent.
 */
import http from 'node:http'
import https from 'node:https'
import { syncBuiltinESMExports } from 'node:module'

interface Agents {
  readonly httpAgent: http.Agent
  readonly httpsAgent: https.Agent
}

/** Puts agents there. What it returns undoes it, where nobody has put others in the meantime. */
export function installAgents({ httpAgent, httpsAgent }: Agents): () => void {
  const before = { http: http.globalAgent, https: https.globalAgent }
  http.globalAgent = httpAgent
  https.globalAgent = httpsAgent
  // For those who import the name from the module.
  syncBuiltinESMExports()
  return () => {
    if (http.globalAgent === httpAgent) http.globalAgent = before.http
    if (https.globalAgent === httpsAgent) https.globalAgent = before.https
    syncBuiltinESMExports()
  }
}
