// The built-in fetch through a pool: one connection for requests in turn, a cap for requests at once.
// node examples/fetch.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { createPool } from 'keepwise'

const server = createServer((request, response) => {
  setTimeout(() => response.end(JSON.stringify({ path: request.url })), 10)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${server.address().port}`

const pool = createPool({ maxConnections: 4 })

async function get(path) {
  const response = await fetch(`${origin}${path}`, { dispatcher: pool.dispatcher })
  return response.json() // a body that is not read keeps its connection busy
}

for (let i = 0; i < 20; i++) await get(`/in-turn/${i}`)
console.log(`20 requests in turn: ${pool.stats().opened} connection`)

await Promise.all(Array.from({ length: 50 }, (_, i) => get(`/at-once/${i}`)))
const { requests, opened, reused, waits, waitTime } = pool.stats()
console.log(`50 requests at once: ${opened} connections, because maxConnections is 4`)
console.log(`${reused} of ${requests} requests used a connection that was open already`)
console.log(`${waits} requests waited, ${(waitTime / waits).toFixed(1)} ms each`)

const { idleTimeout } = pool.explain(origin)
console.log(`an idle connection is kept for ${Math.round(idleTimeout.value)} ms: ${idleTimeout.because}`)

await pool.close()
server.close()
