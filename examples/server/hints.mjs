// A server that says how long it keeps connections and how many requests they take, and a pool that listens.
// node examples/server/hints.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { createPool } from 'keepwise'
import { keepAlive } from 'keepwise/server'

const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1')
const keeper = keepAlive(server, { timeout: 65_000, max: 3 })
await once(server, 'listening')
const origin = `http://127.0.0.1:${server.address().port}`

const pool = createPool()
pool.on('close', ({ connection, reason }) => console.log(`connection ${connection.id}: ${reason}`))

for (let i = 1; i <= 4; i++) {
  const response = await fetch(origin, { dispatcher: pool.dispatcher })
  await response.text()
  const { connection, 'keep-alive': promise = 'nothing' } = Object.fromEntries(response.headers)
  console.log(`request ${i}: ${connection}, ${promise}`)
}

const { accepted, requests, exhausted } = keeper.stats()
console.log(`${requests} requests on ${accepted} connections, ${exhausted} of them used up`)

await pool.close()
await keeper.close()
