/**
 * One connection by hand, and what Node counts of its bytes on the wire. Runs in `wire.client`; answers:
 *
 *   connect(host, port, tls)    opens it: { port, counters }, with the port at this end
 *   exchange(size)              writes so many bytes, and waits until something has come back: { bytesRead, bytesWritten }
 */
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { answer } from '../talk.js'

let socket

answer({ connect, exchange })

async function connect(host, port, secure) {
  socket = secure ? tls.connect({ host, port, rejectUnauthorized: false }) : net.connect({ host, port })
  await once(socket, secure ? 'secureConnect' : 'connect')
  return { port: socket.localPort, counters: counters() }
}

async function exchange(size) {
  const answered = once(socket, 'data')
  socket.write(Buffer.alloc(size))
  await answered
  return counters()
}

/** Of TLS, those of the connection below, where what was encrypted is counted. */
function counters() {
  const { bytesRead, bytesWritten } = socket._handle._parent ?? socket._handle
  return { bytesRead, bytesWritten }
}
