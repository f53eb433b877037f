// Has a kept server answer a few requests, and prints what its responses said and how its connections ended, as JSON.
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { keepAlive } from '../../../dist/server.js'

const server = http.createServer((request, response) => {
  if (request.url === '/slow') setTimeout(() => response.end('ok'), 100)
  else if (request.url === '/close') response.writeHead(200, { connection: 'close', 'content-length': 2 }).end('ok')
  else request.resume().on('end', () => response.end('ok'))
})
server.keepAliveTimeout = 3_000
server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
const keeper = keepAlive(server, { timeout: 1_000, max: 3, buffer: 200 })
const during = { keepAliveTimeout: server.keepAliveTimeout, maxRequestsPerSocket: server.maxRequestsPerSocket }
await once(server.listen(0, '127.0.0.1'), 'listening')

/** Writes all that is given, one thing after the other, and waits for the end of the connection. */
async function talk(...texts) {
  const socket = net.connect(server.address().port, '127.0.0.1')
  let received = ''
  let answeredAt
  socket.setEncoding('latin1').on('data', (text) => {
    received += text
    answeredAt = performance.now()
  })
  const ended = once(socket, 'end')
  for (const [index, text] of texts.entries()) {
    socket.write(text)
    while (received.split('HTTP/1.1 ').length <= index + 1) await pause(5)
  }
  await ended
  const hints = received.match(/^(connection|keep-alive): .*$/gim) ?? []
  return { hints: hints.map((line) => line.trim()), idle: performance.now() - answeredAt }
}

const get = (path = '/', more = '') => `GET ${path} HTTP/1.1\r\nhost: a\r\n${more}\r\n`
const post = 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\nhi'

const [counted, pipelined, idle, own, old, continued, upgraded] = await Promise.all([
  talk(get(), get(), get()),
  talk(get('/slow') + get() + get() + get() + get()),
  talk(get()),
  talk(get('/close')),
  talk('GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n'),
  talk(post),
  talk(get('/', 'connection: upgrade\r\nupgrade: echo\r\n')),
])
const closing = []
const last = talk(get('/slow'))
while (keeper.stats().active === 0) await pause(5)
const left = keeper.close({ grace: 100 })
closing.push(await last, await left)
const { keepAliveTimeout, maxRequestsPerSocket } = server
console.log(
  JSON.stringify({
    ...{ during, counted, pipelined, idle, own, old, continued, upgraded, closing },
    stats: keeper.stats(),
    after: { keepAliveTimeout, maxRequestsPerSocket, emit: Object.hasOwn(server, 'emit') },
  }),
)
