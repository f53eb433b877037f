// install() puts a pool in place of the process's default: every fetch uses it, also in code that is not yours.
// node examples/install.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { createPool } from 'keepwise'

const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}/`

/** Some library: it knows nothing of pools. */
const callSomewhere = async () => (await fetch(url)).text()

const pool = createPool()
const count = () => pool.stats().requests

await callSomewhere()
console.log(`before install(): ${count()} requests through the pool`)

const restore = pool.install()
await callSomewhere()
await callSomewhere()
console.log(`after install(): ${count()} requests through the pool`)

restore()
await callSomewhere()
console.log(`after restore(): still ${count()}`)

await pool.close()
server.close()
server.closeAllConnections() // the one that Node's own default has kept
