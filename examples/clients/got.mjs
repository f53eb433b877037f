// got through a pool: an instance with both agents. Its retry is for what a server answers; the pool is for connections.
// node examples/clients/got.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import got from 'got'
import { createPool } from 'keepwise'

let busy = 2
const server = createServer((request, response) => {
  if (request.url === '/busy' && busy-- > 0) response.writeHead(503).end()
  else setTimeout(() => response.end('hello'), 10)
}).listen(0, '127.0.0.1')
await once(server, 'listening')

const pool = createPool({ maxConnections: 4 })
const api = got.extend({
  prefixUrl: `http://127.0.0.1:${server.address().port}`,
  agent: { http: pool.httpAgent, https: pool.httpsAgent },
  retry: { limit: 2, backoffLimit: 20 },
})

for (let i = 0; i < 20; i++) await api('in-turn')
console.log(`20 requests in turn: ${pool.stats().opened} connection`)

await Promise.all(Array.from({ length: 50 }, () => api('at-once')))
console.log(`50 requests at once: ${pool.stats().opened} connections, because maxConnections is 4`)

const before = pool.stats()
const { body, retryCount } = await api('busy')
const after = pool.stats()
console.log(`${retryCount} retries of a 503, then "${body}"`)
console.log(`they took ${after.opened - before.opened} new connections`)

await pool.close()
server.close()
