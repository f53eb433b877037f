// A server that gives way to the next one under load, and not one POST is lost, though none is ever sent twice.
// node examples/server/closing.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool } from 'keepwise'
import { keepAlive } from 'keepwise/server'

async function start(name) {
  const server = createServer((request, response) => {
    request.resume().on('end', () => setTimeout(() => response.end(name), 10))
  })
  const keeper = keepAlive(server, { timeout: 5_000 })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { keeper, url: `http://127.0.0.1:${server.address().port}/` }
}

const first = await start('first')
const second = await start('second')
let { url } = first // where a load balancer would send them
const pool = createPool({ replay: 'off' })

const answers = { first: 0, second: 0, lost: 0 }
let isOver = false
const clients = Array.from({ length: 20 }, async () => {
  while (!isOver) {
    const response = await fetch(url, { method: 'POST', body: 'order', dispatcher: pool.dispatcher }).catch(() => null)
    answers[response === null ? 'lost' : await response.text()]++
    await sleep(20)
  }
})

await sleep(300)
const closing = first.keeper.close({ accept: 300, grace: 2_000 })
await sleep(100) // until the load balancer knows
url = second.url
const left = await closing
await sleep(300)
isOver = true
await Promise.all(clients)

console.log(`the first server has answered: ${answers.first > 20}, the second one too: ${answers.second > 20}`)
console.log(`ended by force: ${left.connections} connections, ${left.requests} requests`)
console.log(`lost: ${answers.lost}`)

await pool.close()
await second.keeper.close()
