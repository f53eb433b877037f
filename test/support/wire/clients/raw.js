/**
 * Connections by hand. Runs in `wire.client`; a connection is known by the number that `connect` answers.
 *
 *   connect(host, port, ca?)    opens one, of TLS if a certificate to trust is given
 *   send(id, text)              writes
 *   exchange(id, text)          writes, and waits until something has come back
 *   state(id)                   { received, ended, closed, error }
 *   roundTrips(id, count)       milliseconds from each of so many writes to the answer to it
 */
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { monotonic } from '../clock.js'
import { answer } from '../talk.js'

const connections = []

answer({ connect, send, exchange, state: (id) => connections[id].state, roundTrips })

async function connect(host, port, ca = null) {
  const where = { host, port, allowHalfOpen: true }
  const socket = ca === null ? net.connect(where) : tls.connect({ ...where, ca })
  await once(socket, ca === null ? 'connect' : 'secureConnect')
  socket.setNoDelay()
  const state = { received: '', ended: false, closed: false, error: undefined }
  socket.setEncoding('latin1').on('data', (text) => (state.received += text))
  socket.on('end', () => (state.ended = true))
  socket.on('close', () => (state.closed = true))
  socket.on('error', ({ code }) => (state.error = code))
  return connections.push({ socket, state }) - 1
}

function send(id, text) {
  connections[id].socket.write(text, 'latin1')
}

async function exchange(id, text) {
  const answered = once(connections[id].socket, 'data')
  send(id, text)
  await answered
}

async function roundTrips(id, count) {
  const times = []
  for (let i = 0; i < count; i++) {
    const start = monotonic()
    await exchange(id, 'x')
    times.push(monotonic() - start)
  }
  return times
}
