/**
 * Node's own http or https server, which closes idle connections by its own timer and does not say when. Runs in
 * `wire.server`; answers these calls:
 *
 *   listen(options)    { ports, closeAfter }: what it listens on, and after how many idle milliseconds it closes
 *   processed()        the ids of the requests that it has processed, as often as it did
 */
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { monotonic } from '../clock.js'
import { answer } from '../talk.js'
import { ID_HEADER } from './ledger.js'

/** Some versions of Node add a second of their own to it. */
const KEEP_ALIVE_TIMEOUT = 100

const processed = []

answer({ listen, processed: () => processed })

/** @param {{ ports?: number, tls?: { key: string, cert: string } }} [options] */
async function listen({ ports: count = 1, tls } = {}) {
  const listening = await listenOn(tls ? https.createServer(tls, serve) : http.createServer(serve), count)
  // The timer is the same for plain connections, and so is quickly measured.
  const plain = await listenOn(http.createServer(serve), 1)
  return { ports: listening, closeAfter: await idleTime(plain[0]) }
}

function serve(request, response) {
  const id = request.headers[ID_HEADER]
  if (id !== undefined) processed.push(id)
  request.resume()
  // Where the header is given, Node adds no `Keep-Alive`.
  response.writeHead(200, { connection: 'keep-alive', 'content-length': 2 }).end('ok')
}

async function listenOn(server, count) {
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT
  const listeners = Array.from({ length: count }, () => net.createServer({ allowHalfOpen: true, noDelay: true }))
  for (const listener of listeners) {
    listener.on('connection', (socket) => server.emit('connection', socket))
    await once(listener.listen({ port: 0, backlog: 4096 }), 'listening')
  }
  return listeners.map((listener) => listener.address().port)
}

async function idleTime(port) {
  const socket = net.connect(port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await once(socket, 'data')
  const answered = monotonic()
  await once(socket, 'end')
  return monotonic() - answered
}
