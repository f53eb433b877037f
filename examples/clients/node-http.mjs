// node:http: the agent as an option, agents that code constructs itself, and the whole process.
// node examples/clients/node-http.mjs

import { once } from 'node:events'
import http from 'node:http'
import { text } from 'node:stream/consumers'
import { createPool, HttpAgent } from 'keepwise'

const server = http
  .createServer((_request, response) => {
    setTimeout(() => response.end('hello'), 10)
  })
  .listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}/`

async function get(options) {
  const [response] = await once(http.get(url, options), 'response')
  return text(response) // a body that is not read keeps its connection busy
}

// An option of the request.
const pool = createPool({ maxConnections: 4 })
for (let i = 0; i < 20; i++) await get({ agent: pool.httpAgent })
console.log(`20 requests in turn: ${pool.stats().opened} connection`)
await Promise.all(Array.from({ length: 50 }, () => get({ agent: pool.httpAgent })))
console.log(`50 requests at once: ${pool.stats().opened} connections, because maxConnections is 4`)

// In place of `new http.Agent(…)`: node's options, and the pool's. The pool behind it has events and numbers.
const agent = new HttpAgent({ keepAlive: true, maxSockets: 2, acquireTimeout: 1_000 })
await Promise.all(Array.from({ length: 10 }, () => get({ agent })))
console.log(`an agent of its own: ${agent.pool.stats().opened} connections, because maxSockets is 2`)

// Every request that names no agent, also in code that is not yours.
const restore = pool.install()
const before = pool.stats().requests
await get()
await (await fetch(url)).text()
restore()
console.log(`installed: ${pool.stats().requests - before} requests, by http.get and by fetch`)

await Promise.all([pool.close(), agent.close()])
server.close()
