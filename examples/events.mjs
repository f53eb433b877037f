// The life of a connection in events: the server advertises one second, the pool closes before the server does.
// node examples/events.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool } from 'keepwise'

// Node's server advertises its idle timeout in whole seconds: "Keep-Alive: timeout=1".
const server = createServer({ keepAliveTimeout: 1000 }, (_request, response) => response.end('hello'))
await once(server.listen(0, '127.0.0.1'), 'listening')
const url = `http://127.0.0.1:${server.address().port}/`

const pool = createPool()
const log = (name, ...words) => console.log(name.padEnd(8), ...words)

pool.on('wait', ({ waiting }) => log('wait', `${waiting} waiting`))
pool.on('open', ({ connection }) => log('open', `connection ${connection.id}`))
pool.on('idle', ({ connection }) => {
  const { id, requests, advertisedTimeout } = connection
  log('idle', `connection ${id}, ${requests} served, may idle for ${advertisedTimeout} ms says the server`)
})
pool.on('close', ({ connection, reason }) => {
  const { id, requests, idle } = connection
  log('close', `connection ${id}: ${reason}, ${requests} served, idle for ${Math.round(idle)} ms`)
})

for (let i = 0; i < 2; i++) {
  const response = await fetch(url, { dispatcher: pool.dispatcher })
  await response.text()
}
log('explain', pool.explain(url).idleTimeout.because)

await sleep(1100) // an idle pool does not keep the process alive; this does

const closed = Object.entries(pool.stats().closed).filter(([, times]) => times > 0)
log('stats', ...closed.map(([reason, times]) => `${times} closed: ${reason}`))

await pool.close()
server.close()
