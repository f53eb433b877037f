// A small service around one client, in a thread of its own. A job comes in, the service works on it for some
// milliseconds as services do, then calls a server. What became of the requests and the connections is reported.

import { subscribe } from 'node:diagnostics_channel'
import { errorMonitor, once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { clients } from './clients.js'

/** Starts the service; resolves to `{ accept(job), finish() }`. Everything it sees goes to `report`. */
export async function startService({ client, origins, report }) {
  const worker = new Worker(new URL(import.meta.url), { workerData: { client, origins } })
  await once(worker, 'message')
  worker.on('message', (event) => report({ client, ...event }))
  return {
    accept: (job) => worker.postMessage(job),
    finish: async () => {
      worker.postMessage('finish')
      await once(worker, 'exit')
    },
  }
}

function run({ client: name, origins }) {
  const report = (type, details) => parentPort.postMessage({ type, ...details })
  const serverAt = new Map(Object.entries(origins).map(([server, origin]) => [Number(new URL(origin).port), server]))
  const reasons = new Map() // local port > why the connection is being closed, where somebody said so
  const client = clients[name]((port, reason) => reasons.set(port, reason))
  let finishing = false

  // Every socket of this thread, whoever opens it: the three clients are watched in the same way, from outside.
  subscribe('net.client.socket', ({ socket }) => {
    socket.once('connect', () => {
      const { localPort: port, remotePort } = socket
      const server = serverAt.get(remotePort)
      let seen = 'client' // it was the client's own decision, unless the wire says otherwise
      socket.once('end', () => (seen = 'server-fin'))
      socket.once(errorMonitor, ({ syscall }) => (seen = syscall ? 'reset' : seen))
      socket.once('close', () => {
        if (!finishing) report('closed', { server, port, reason: reasons.get(port) ?? seen })
        reasons.delete(port)
      })
      report('opened', { server, port })
    })
  })

  async function call({ id, server, method, delay }) {
    const headers = { 'x-client': name, 'x-request': id, 'x-delay': delay }
    const body = method === 'POST' ? JSON.stringify({ order: id }) : undefined
    report('sent', { server })
    try {
      const answer = await client.send(origins[server], { method, headers, body, signal: AbortSignal.timeout(8000) })
      const port = Number(answer['x-port'])
      // The orderly end of a connection that has served its last request: the response said so.
      if (answer.connection === 'close' && !reasons.has(port)) reasons.set(port, 'server-close')
      report('answered', { server, port })
    } catch (error) {
      const code = typeof error.code === 'string' ? error.code : error.name
      report('failed', { server, method, code, message: error.message })
    }
  }

  const running = new Set()
  parentPort.on('message', async (job) => {
    if (job === 'finish') {
      await Promise.all(running)
      for (const [server, origin] of client.explain ? Object.entries(origins) : []) {
        report('explained', { server, text: client.explain(origin) })
        report('replayed', { server, times: client.replayed(origin) })
      }
      finishing = true
      await client.close()
      process.exit()
    }
    work(job.work)
    const done = call(job).finally(() => running.delete(done))
    running.add(done)
  })
  report('ready')
}

// Keeps the thread busy, as parsing, templates or hashing would: nothing else runs, no socket is read.
function work(milliseconds) {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

if (!isMainThread) run(workerData)
