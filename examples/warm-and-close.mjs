// A service's life: connections opened ahead of need, and a shutdown that loses nothing.
// node examples/warm-and-close.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { createPool } from 'keepwise'

const server = createServer((_request, response) => {
  setTimeout(() => response.end('hello'), 200)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${server.address().port}`

const pool = createPool()
const get = async () => (await fetch(origin, { dispatcher: pool.dispatcher })).text()

// Start: handshakes are done before the first request comes.
console.log(`warm: ${await pool.warm(origin, 4)} connections open, ${pool.stats().requests} requests`)

const running = [get(), get(), get()]
console.log(`running: ${pool.stats().pending} requests, ${pool.stats().opened} connections opened`)

// Stop, as on SIGTERM: what runs is finished, what comes is refused, what is idle is closed.
const closing = pool.close()
const refused = await get().catch((error) => error.cause)
console.log(`refused: ${refused.code}`)

const texts = await Promise.all(running)
console.log(`finished: ${texts.length} of 3 requests`)

await closing
const { active, idle, closed } = pool.stats()
console.log(`closed: ${active + idle} connections left, ${closed['pool-closed']} closed with the pool`)

server.close()
