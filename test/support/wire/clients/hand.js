/**
 * Connections by hand that do what real clients should not. Runs in `wire.client`; a connection is known by its port.
 *
 *   connect(host, port, secure)   opens one, and tells its port
 *   send(id, text)                writes
 *   exchange(id, text)            writes, and waits until something has come back
 *   trickle(id, milliseconds)     writes a byte every so often from now on
 *   pause(id)                     reads nothing from now on
 *   forget()                      forgets every connection, as a machine does that is started anew: cut the wire before
 *   states()                      { [port]: { bytes, ended, error } }
 */
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { answer } from '../talk.js'

/** @type {Map<number, { tcp: net.Socket, socket: net.Socket, state: { bytes: number, ended: boolean, error: string | undefined } }>} */
const connections = new Map()

answer({ connect, send, exchange, trickle, pause, forget, states })

async function connect(host, port, secure) {
  const tcp = net.connect({ host, port, allowHalfOpen: true })
  await once(tcp, 'connect')
  const socket = secure ? tls.connect({ socket: tcp, rejectUnauthorized: false }) : tcp
  if (secure) await once(socket, 'secureConnect')
  const state = { bytes: 0, ended: false, error: undefined }
  socket.on('data', ({ length }) => (state.bytes += length))
  socket.on('end', () => (state.ended = true))
  socket.on('error', ({ code }) => (state.error = code))
  connections.set(tcp.localPort, { tcp, socket, state })
  return tcp.localPort
}

function send(id, text) {
  connections.get(id).socket.write(text, 'latin1')
}

async function exchange(id, text) {
  const answered = once(connections.get(id).socket, 'data')
  send(id, text)
  await answered
}

function trickle(id, milliseconds) {
  const { socket } = connections.get(id)
  const timer = setInterval(() => socket.write('x'), milliseconds)
  socket.once('close', () => clearInterval(timer))
}

function pause(id) {
  connections.get(id).socket.pause()
}

function forget() {
  for (const { tcp } of connections.values()) tcp.resetAndDestroy()
}

function states() {
  return Object.fromEntries([...connections].map(([port, { state }]) => [port, state]))
}
