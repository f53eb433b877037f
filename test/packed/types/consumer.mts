import http from 'node:http'
import https from 'node:https'
import { createPool, HttpAgent, type HttpAgentOptions, HttpsAgent, type PeerEvidence } from 'keepwise'
import { collect } from 'keepwise/prometheus'
import { type KeptServer, keepAlive, type Left } from 'keepwise/server'
import { record, type TimelineRecord, type Watch, watch } from 'keepwise/watch'

const pool = createPool({ maxConnections: 50, liveness: { idle: 30_000, interval: 5_000, probes: 3 } })

pool.on('close', ({ connection, reason }) => {
  const text: string = `${connection.origin} ${reason}`
  console.log(text)
})
pool.on('dead', ({ connection, evidence }) => {
  const known: PeerEvidence = evidence
  console.log(connection.remoteAddress, known.cause, known.lastHeard)
})
const kept: KeptServer = keepAlive(https.createServer(), { timeout: 65_000, max: 1000, liveness: 'cloud' })
kept.on('dead', ({ client, evidence, during }) => console.log(client.remoteAddress, evidence.cause, during))
const { connections, requests }: Left = await kept.close({ grace: 1_000 })
console.log(connections, requests)
const fetched: Response = await fetch('http://127.0.0.1', { dispatcher: pool.dispatcher })
await fetched.text()
const response = await pool.dispatcher.request({ origin: 'http://127.0.0.1', path: '/', method: 'GET' })
const status: number = response.statusCode
const hasKernel: boolean = pool.capabilities.tcpInfo
const restore: () => void = pool.install()
restore()
await pool.warm('http://127.0.0.1', 2)
pool.explain('http://127.0.0.1')
const view: Watch = await watch()
await view.close()
const stop: () => Promise<void> = record(process.stdout)
await stop()
const tell = ({ event, pool: { name } }: TimelineRecord): string => `${name} ${event}`
console.log(tell.length, `${pool}`)
const uncollect: () => void = collect(pool, { prefix: 'app_' })
uncollect()
const agents: [http.Agent, https.Agent] = [pool.httpAgent, pool.httpsAgent]
http.get('http://127.0.0.1', { agent: agents[0] }).destroy()
const options: HttpAgentOptions = { keepAlive: true, maxSockets: 50, maxLifetime: 600_000 }
class OwnAgent extends HttpAgent {
  override keepSocketAlive(): boolean {
    return this.pool.stats().idle < 10
  }
}
const own: http.Agent = new OwnAgent(options)
https.get('https://127.0.0.1', { agent: new HttpsAgent({ keepAlive: true, ca: 'a certificate' }) }).destroy()
own.destroy()
const closing: Promise<void> = pool.close()
await closing
pool.destroy(new Error(`${status} ${hasKernel}`))
export async function scoped(): Promise<void> {
  await using own = createPool()
  own.stats()
}
