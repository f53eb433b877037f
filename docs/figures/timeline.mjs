// Records the log of the figure in docs/timeline.md, and draws it: `npm run build:quick && node docs/figures/timeline.mjs`. Everything
// is real, on 127.0.0.1, and takes about ten seconds: a server that advertises three seconds, one that advertises nothing and
// closes what has idled for 0.8 s, and a port where nobody listens.

import { spawnSync } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { finished } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createPool } from 'keepwise'
import { record } from 'keepwise/watch'

const path = (name) => fileURLToPath(new URL(name, import.meta.url))

const listen = (server, port) => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))

/** Answers after as many milliseconds as the path says; hangs up on the first that asks for /crash. */
let crashes = 0
const shop = http.createServer({ keepAliveTimeout: 3_000 }, ({ url, socket }, response) => {
  if (url === '/crash' && crashes++ === 0) socket.destroy()
  else setTimeout(() => response.end('ok'), Number(url.slice(1)) || 0)
})

const stock = net.createServer((socket) => {
  socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')).on('error', () => {})
  socket.setTimeout(800, () => socket.end())
})

await listen(shop, 8080)
await listen(stock, 8081)

const log = createWriteStream(path('timeline.ndjson'))
const stop = record(log)
const pool = createPool({ name: 'shop', maxConnections: 3 })
const get = async (port, url) => {
  const response = await fetch(`http://127.0.0.1:${port}${url}`, { dispatcher: pool.dispatcher })
  await response.text()
}

/** What the server that advertises nothing teaches: three connections idle until it closes them. */
async function askStock() {
  for (let round = 0; round < 5; round++) {
    await get(8081, '/')
    await pause(round < 3 ? 1_900 : 1_000)
  }
}

/** More requests at once than there may be connections; a crash; and then few, so that connections idle. */
async function askShop() {
  await get(8080, '/200')
  await Promise.all([500, 700, 900, 400, 600, 300].map((time) => get(8080, `/${time}`)))
  await pause(300)
  await get(8080, '/crash')
  for (let round = 0; round < 6; round++) {
    await get(8080, '/150')
    await pause(350)
  }
}

/** Nobody listens there. */
const askNobody = () => pause(2_000).then(() => get(8082, '/').catch(() => {}))

await Promise.all([askShop(), askStock(), askNobody()])
await pause(500)
await stop()
log.end()
await finished(log)
await pool.close()
shop.close()
stock.close()

const command = [
  path('../../dist/cli.js'),
  'timeline',
  path('timeline.ndjson'),
  '-o',
  path('timeline.svg'),
  '--width',
  '1000',
]
spawnSync(process.execPath, command, { stdio: 'inherit' })
