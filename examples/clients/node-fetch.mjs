// node-fetch through a pool: a function chooses the agent for each URL, redirects included.
// node examples/clients/node-fetch.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool } from 'keepwise'
import fetch from 'node-fetch'

const server = createServer((_request, response) => {
  setTimeout(() => response.end('hello'), 10)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}/`

const pool = createPool({ maxConnections: 4 })
const agent = ({ protocol }) => (protocol === 'https:' ? pool.httpsAgent : pool.httpAgent)

async function get() {
  const response = await fetch(url, { agent })
  return response.text() // a body that is not read keeps its connection busy
}

for (let i = 0; i < 20; i++) await get()
console.log(`20 requests in turn: ${pool.stats().opened} connection`)

await Promise.all(Array.from({ length: 50 }, get))
console.log(`50 requests at once: ${pool.stats().opened} connections, because maxConnections is 4`)

// Its errors have the code, and no cause: what the pool knows of a connection is in its events.
pool.once('close', ({ connection, reason }) => {
  console.log(`closed: ${reason}, after ${connection.requests > 1 ? 'many requests' : 'one request'}`)
})
const controller = new AbortController()
setTimeout(() => controller.abort(), 5)
await fetch(url, { agent, signal: controller.signal }).catch(({ name }) => console.log(`caught: ${name}`))

await sleep(20)
await pool.close()
server.close()
