/**
 * A Node http or https server that ends each connection exactly so long after its last response, by the ending it is told
 * to use, and counts the requests that it processes. Runs in `wire.server`; answers these calls:
 *
 *   listen(options)    { ports } it listens on
 *   report()           what it has processed, and the connections it ended
 *   records()          every request and every idle end, with times of the machine's monotonic clock
 *   change(closeAfter) ends connections after so long from their next response on
 *   end()              ends all idle connections now
 */
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { Duplex } from 'node:stream'
import { monotonic } from '../clock.js'
import { answer } from '../talk.js'
import { ENDINGS } from './endings.js'
import { ID_HEADER, Ledger } from './ledger.js'

/**
 * @typedef {object} IdleServerOptions
 * @property {number} [closeAfter] idle milliseconds after which it ends a connection; without it, never
 * @property {keyof typeof ENDINGS} [ending] how. Default: 'close'
 * @property {'answer' | 'stay-silent' | 'close' | 'reset'} [afterEnd] what it does with a request that it processes
 *   after it has half-closed: tries to answer (the default), says nothing more, closes, or resets the connection
 * @property {number} [advertise] seconds that it advertises; without it, it says nothing
 * @property {number} [ports] how many ports it listens on, each an origin to its clients. Default: 1
 * @property {number} [port] the first of them, so that a server can come back where it was. Default: any that is free
 * @property {string} [host] Default: every address
 * @property {{ key: string, cert: string }} [tls] speaks TLS with this certificate
 * @property {number} [takes] milliseconds it works on an answer. Default: 0
 * @property {string} [ledger] path of a file for the processed ids
 * @property {Pick<IdleServerOptions, 'closeAfter' | 'ending' | 'afterEnd' | 'tls'>[]} [each] for each port, what differs
 */

/** Milliseconds between close_notify and FIN. */
const SPLIT = 5

const requests = []
const ends = []
/** Connections that idle, and how to end each. */
const idle = new Map()
let ledger
let connections = 0
let changedTo

answer({
  listen,
  report,
  records: () => ({ requests, ends }),
  change: (closeAfter) => {
    changedTo = closeAfter
  },
  end: () => {
    for (const end of idle.values()) end()
  },
})

/** @param {IdleServerOptions} [options] */
async function listen({ ports = 1, port = 0, host, each, ...options } = {}) {
  ledger = new Ledger(options.ledger)
  const shared = each ? undefined : createServer(options)
  const listeners = Array.from({ length: each?.length ?? ports }, () =>
    net.createServer({ allowHalfOpen: true, noDelay: true }),
  )
  for (const [index, listener] of listeners.entries()) {
    const own = { ...options, ...each?.[index] }
    const server = shared ?? createServer(own)
    const isSplit = own.ending === 'close-notify'
    listener.on('connection', (socket) => {
      socket.acceptedAt = monotonic()
      server.emit('connection', isSplit ? endingLater(socket) : socket)
    })
    listener.listen({ port: port && port + index, host, backlog: 4096 })
    await once(listener, 'listening')
  }
  return { ports: listeners.map((listener) => listener.address().port) }
}

function createServer({ closeAfter, ending = 'close', afterEnd = 'answer', advertise, tls, takes = 0 }) {
  const onRequest = (request, response) => {
    const { connection } = request.socket
    clearTimeout(connection.timer)
    idle.delete(connection)
    connection.requests++
    const id = request.headers[ID_HEADER]
    const at = monotonic()
    requests.push({
      id,
      at,
      port: connection.port,
      connection: connection.id,
      nth: connection.requests,
      opened: connection.opened,
    })
    // Counted when its headers are here: a server may act on them before it has read the body.
    ledger.add(id)
    const hasEnded = request.socket.writableEnded
    if (hasEnded && afterEnd === 'reset') return void connection.tcp.resetAndDestroy()
    if (hasEnded && afterEnd === 'close') return void connection.tcp.destroy()
    request.resume()
    request.on('end', () => {
      if (hasEnded && afterEnd === 'stay-silent') return
      const headers = advertise === undefined ? {} : { connection: 'keep-alive', 'keep-alive': `timeout=${advertise}` }
      const finish = () => response.writeHead(200, { 'content-length': 2, ...headers }).end('ok')
      if (takes > 0) setTimeout(finish, takes)
      else finish()
    })
    response.once('finish', () => {
      if (request.socket.writableEnded) return
      const end = () => {
        clearTimeout(connection.timer)
        idle.delete(connection)
        ends.push({ port: connection.port, connection: connection.id, at: monotonic() })
        ENDINGS[ending]({ socket: request.socket, tcp: connection.tcp })
      }
      idle.set(connection, end)
      const allowed = changedTo ?? closeAfter
      if (allowed !== undefined) connection.timer = setTimeout(end, allowed)
    })
  }
  const server = tls ? https.createServer(tls, onRequest) : http.createServer(onRequest)
  // Node's own idea of idle connections is out of the way: neither its hints nor its timer.
  server.keepAliveTimeout = 0
  server.on(tls ? 'secureConnection' : 'connection', (socket) => {
    const tcp = tls ? (socket._parent ?? socket) : socket
    socket.connection = {
      id: ++connections,
      port: socket.localPort,
      opened: tcp.acceptedAt ?? monotonic(),
      requests: 0,
      tcp,
      timer: undefined,
    }
    socket.once('close', () => {
      clearTimeout(socket.connection.timer)
      idle.delete(socket.connection)
    })
    socket.on('error', () => {})
  })
  server.on('clientError', (_, socket) => socket.destroy())
  return server
}

/** The socket, for TLS on top of it, closed some milliseconds after TLS has said its last. */
function endingLater(socket) {
  const stream = new Duplex({
    read() {},
    write: (chunk, encoding, done) => void socket.write(chunk, encoding, done),
    final(done) {
      setTimeout(() => {
        socket.destroy()
        done()
      }, SPLIT)
    },
  })
  socket.on('data', (chunk) => stream.push(chunk))
  socket.on('error', () => {})
  return stream
}

function report() {
  return {
    requests: ledger.requests,
    processed: ledger.times.size,
    twice: ledger.twice,
    connections,
    /** Requests that were not the first of their connection. */
    reused: requests.filter(({ nth }) => nth > 1).length,
    ended: ends.length,
  }
}
