// Two servers with keep-alive habits, in a thread of their own: their clock does not stop when a client is busy.
// `announcing` tells its limits and keeps to them. `silent` closes idle connections early and never says a word.

import { once } from 'node:events'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'

export const habits = {
  announcing: { idleTimeout: 1000, maxRequests: 20, says: 'Keep-Alive: timeout=1, max=20' },
  silent: { idleTimeout: 700, maxRequests: 0, says: 'says nothing, closes after 700 ms idle' },
}

/** Starts both servers; resolves to `{ origins, stop() }`. What they receive and close goes to `report`. */
export async function startServers({ report }) {
  const worker = new Worker(new URL(import.meta.url))
  const [origins] = await once(worker, 'message')
  worker.on('message', report)
  return { origins, stop: () => worker.terminate() }
}

async function serve(name, report) {
  const { idleTimeout, maxRequests } = habits[name]
  const server = http.createServer({ keepAliveTimeout: idleTimeout })
  server.maxRequestsPerSocket = maxRequests

  server.on('connection', (socket) => {
    const { remotePort: port } = socket
    socket.once('timeout', () => report({ type: 'expired', server: name, port })) // and Node closes the connection
  })

  server.on('request', async (request, response) => {
    report({ type: 'received', server: name, client: request.headers['x-client'], id: request.headers['x-request'] })
    // Node adds the `Keep-Alive` header by itself, unless the `Connection` header is set by hand.
    if (name === 'silent') response.setHeader('connection', 'keep-alive')
    // Node's server lingers for a while after the time it advertised. These two mean what they say, to the millisecond.
    response.on('finish', () => request.socket.setTimeout(idleTimeout))

    for await (const _ of request);
    await sleep(Number(request.headers['x-delay']))
    response.setHeader('x-port', request.socket.remotePort)
    response.end('{"ok":true}\n')
  })

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${server.address().port}`
}

if (!isMainThread) {
  const report = (event) => parentPort.postMessage(event)
  report({ announcing: await serve('announcing', report), silent: await serve('silent', report) })
}
