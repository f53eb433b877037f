// superagent through a pool: a plugin chooses the agent for each URL, redirects included.
// node examples/clients/superagent.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { createPool } from 'keepwise'
import superagent from 'superagent'

const server = createServer((request, response) => {
  if (request.url === '/moved') response.writeHead(302, { location: '/' }).end()
  else setTimeout(() => response.end('hello'), 10)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}/`

const pool = createPool({ maxConnections: 4 })

/** A plugin for `use()`. Without an agent superagent opens a connection for each request. */
const through = (pool) => (request) => {
  const choose = () => request.agent(request.url.startsWith('https:') ? pool.httpsAgent : pool.httpAgent)
  choose()
  request.on('redirect', choose)
}

// An agent of superagent's is a set of defaults, with cookies. Every request made by it uses the plugin.
const api = superagent.agent().use(through(pool))

for (let i = 0; i < 20; i++) await api.get(url)
console.log(`20 requests in turn: ${pool.stats().opened} connection`)

await Promise.all(Array.from({ length: 50 }, () => api.get(url)))
console.log(`50 requests at once: ${pool.stats().opened} connections, because maxConnections is 4`)

// One request alone.
const { text, redirects } = await superagent.get(`${url}moved`).use(through(pool))
console.log(`"${text}" after ${redirects.length} redirect, still ${pool.stats().opened} connections`)

await pool.close()
server.close()
