// Takes the picture of the watch page in docs/watch.md: `npm run build:quick && node docs/figures/watch.mjs`. It takes about ten
// seconds and Debian's chromium. Everything is real, on 127.0.0.1: more requests than there may be connections, to a server that
// advertises three seconds; and one now and then to another that advertises nothing and closes what has idled for 0.8 s.

import http from 'node:http'
import net from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createPool } from 'keepwise'
import { watch } from 'keepwise/watch'
import { chromium } from 'playwright-core'

const listen = (server, port) => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))

const shop = http.createServer({ keepAliveTimeout: 3_000 }, ({ url }, response) => {
  setTimeout(() => response.end('ok'), Number(url.slice(1)) || 0)
})
const stock = net.createServer((socket) => {
  socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')).on('error', () => {})
  socket.setTimeout(800, () => socket.end())
})
await listen(shop, 8080)
await listen(stock, 8081)

const pool = createPool({ name: 'shop', maxConnections: 4 })
const get = async (port, url) => {
  const response = await fetch(`http://127.0.0.1:${port}${url}`, { dispatcher: pool.dispatcher })
  await response.text()
}

async function askShop() {
  for (const pauseAfter of [1_200, 600, 3_400, 800, 400]) {
    await Promise.all([500, 700, 300, 400, 600, 200, 350].map((time) => get(8080, `/${time}`)))
    await pause(pauseAfter)
  }
}

async function askStock() {
  for (let round = 0; round < 6; round++) {
    await get(8081, '/')
    await pause(round < 3 ? 1_500 : 1_000)
  }
}

const view = await watch()
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
})
const page = await browser.newPage({ viewport: { width: 1060, height: 1010 } })
await page.goto(view.url)
await page.getByRole('button', { name: '10 s' }).click()
const asked = Promise.all([askShop(), askStock()])
await pause(9_400)
await page.screenshot({ path: fileURLToPath(new URL('watch.png', import.meta.url)) })
await browser.close()
await asked
await view.close()
await pool.close()
shop.close()
stock.close()
