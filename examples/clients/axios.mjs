// axios through a pool: an instance with both agents. Connections are shared, an abort leaves the pool whole.
// node examples/clients/axios.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import axios from 'axios'
import { createPool } from 'keepwise'

const server = createServer((request, response) => {
  if (request.url !== '/silent') setTimeout(() => response.end('hello'), 10)
}).listen(0, '127.0.0.1')
await once(server, 'listening')

const pool = createPool({ maxConnections: 4 })
const api = axios.create({
  baseURL: `http://127.0.0.1:${server.address().port}`,
  httpAgent: pool.httpAgent, // for http: URLs
  httpsAgent: pool.httpsAgent, // for https: URLs, also those that a redirect leads to
})

for (let i = 0; i < 20; i++) await api.get('/')
console.log(`20 requests in turn: ${pool.stats().opened} connection`)

await Promise.all(Array.from({ length: 50 }, () => api.get('/')))
console.log(`50 requests at once: ${pool.stats().opened} connections, because maxConnections is 4`)

pool.once('close', ({ reason }) => console.log(`its connection was closed: ${reason}`))
await api.get('/silent', { signal: AbortSignal.timeout(50) }).catch(({ code }) => console.log(`aborted: ${code}`))

await sleep(20)
await pool.close()
await api.get('/').catch(({ code }) => console.log(`after close(): ${code}`))

server.close()
