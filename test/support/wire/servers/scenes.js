/**
 * A Node http or https server that does with each request what its path says, so that one server is all the peers that a
 * test of the living and the dead needs. It closes nothing by itself, and says that it keeps connections. Runs in
 * `wire.server`.
 *
 *   /                 answers at once
 *   /never            never answers
 *   /told             answers when it is told to
 *   /second           does not answer the first request of an id, and the next ones at once
 *   /after/<ms>       answers so long after the request
 *   /unread/<ms>      does not read the body for so long, and then does: the client's window is closed meanwhile
 *   /stream/<ms>      answers with a piece every so often, without an end
 *   /large/<bytes>    answers with so many bytes
 *
 * Unless it says otherwise it answers when it has read the body, with `{ id, received }`: the request's id and the bytes of
 * its body. Answers these calls:
 *
 *   listen(options)   { ports } it listens on
 *   arrived(ids, bytes)   resolves when the headers of these requests are here, and so many bytes of their bodies
 *   tell(ids)         answers these requests now
 *   requests()        every request, as often as it came: see Arrival
 *   forget()          forgets every connection, as a machine does that starts anew: cut the wire before, or it says RST
 */
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { monotonic } from '../clock.js'
import { answer } from '../talk.js'
import { ID_HEADER } from './ledger.js'

/** Seconds that it says to keep idle connections: longer than any test takes. */
const KEEPS = 600
/** In front of an IPv4 address, where a server listens on both. */
const V4_IN_V6 = '::ffff:'
const PIECE = Buffer.alloc(1000, 'x')

/**
 * `address` and `port` are those at this end, `clientPort` is the one at the other.
 *
 * @typedef {object} Arrival
 * @property {string} id
 * @property {number} at
 * @property {string} address
 * @property {number} port
 * @property {number} clientPort
 * @property {number} received bytes of its body so far
 * @property {boolean} complete
 */

/** @type {Arrival[]} */
const requests = []
/** Who waits for the arrival of which, and of how many bytes. @type {Map<string, { bytes: number, done: () => void }>} */
const expected = new Map()
/** Answers that wait for a word. @type {Map<string, () => void>} */
const held = new Map()
/** @type {Set<net.Socket>} */
const connections = new Set()

answer({ listen, arrived, tell, requests: () => requests, forget })

/**
 * @param {{ ports?: number, port?: number, host?: string, tls?: { key: string, cert: string } }} [options] `ports`: how many
 *   it listens on, each an origin to its clients; `port`: the first of them, any that are free without it
 */
async function listen({ ports = 1, port = 0, host, tls } = {}) {
  const server = tls ? https.createServer(tls, serve) : http.createServer(serve)
  // Node's own timers are out of the way.
  Object.assign(server, { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, timeout: 0 })
  server.on('clientError', (_, socket) => socket.destroy())
  const listeners = Array.from({ length: ports }, () => net.createServer({ allowHalfOpen: true, noDelay: true }))
  for (const [index, listener] of listeners.entries()) {
    listener.on('connection', (socket) => {
      connections.add(socket)
      socket.on('error', () => {}).once('close', () => connections.delete(socket))
      server.emit('connection', socket)
    })
    await once(listener.listen({ port: port && port + index, host, backlog: 4096 }), 'listening')
  }
  return { ports: listeners.map((listener) => listener.address().port) }
}

const actions = {
  '': (_, record, response) => reply(record, response),
  never: () => {},
  told: (_, record, response) => held.set(record.id, () => reply(record, response)),
  second: (_, record, response) => {
    if (requests.filter(({ id }) => id === record.id).length > 1) reply(record, response)
  },
  after: (milliseconds, record, response) => setTimeout(reply, milliseconds, record, response),
  unread: (_, record, response) => reply(record, response),
  stream: (milliseconds, _, response) => {
    response.writeHead(200, headers())
    const timer = setInterval(() => response.write(PIECE), milliseconds)
    response.once('close', () => clearInterval(timer))
  },
  large: (bytes, _, response) => response.writeHead(200, headers(bytes)).end(Buffer.alloc(bytes, 'x')),
}

async function serve(request, response) {
  const [, action, amount] = request.url.split('/')
  const id = request.headers[ID_HEADER]
  const { localAddress, localPort: port, remotePort: clientPort } = request.socket
  const address = localAddress.replace(V4_IN_V6, '')
  const record = { id, at: monotonic(), address, port, clientPort, received: 0, complete: false }
  requests.push(record)
  note(record)
  request.on('error', () => {})
  response.on('error', () => {})
  if (action === 'unread') setTimeout(read, Number(amount))
  else read()

  function read() {
    request.on('data', ({ length }) => {
      record.received += length
      note(record)
    })
    request.on('end', () => {
      record.complete = true
      actions[action](Number(amount), record, response)
    })
  }
}

function reply({ id, received }, response) {
  const text = JSON.stringify({ id, received })
  response.writeHead(200, headers(text.length)).end(text)
}

function headers(length) {
  const kept = { connection: 'keep-alive', 'keep-alive': `timeout=${KEEPS}` }
  return length === undefined ? kept : { ...kept, 'content-length': length }
}

/** @param {string[]} ids */
async function arrived(ids, bytes = 0) {
  const missing = ids.filter((wanted) => !requests.some(({ id, received }) => id === wanted && received >= bytes))
  await Promise.all(missing.map((id) => new Promise((done) => expected.set(id, { bytes, done }))))
}

function note({ id, received }) {
  const { bytes, done } = expected.get(id) ?? {}
  if (received >= bytes) done()
}

/** @param {string[]} ids */
function tell(ids) {
  for (const id of ids) held.get(id)()
}

function forget() {
  for (const socket of connections) socket.resetAndDestroy()
}
