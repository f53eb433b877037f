/**
 * A Node http and a Node https server whose keep-alive is kept, the built one of `dist/`. Runs in `wire.server`.
 *
 *   /           answers at once
 *   /never      never answers
 *   /stream     answers with a small piece every 100 ms, without an end
 *   /flood      answers with as much as the client takes, without an end
 *   POST        answers when it has read the body
 *
 * Answers these calls:
 *
 *   listen(options)   { plain, tls }: the ports; options of `keepAlive`, and `certificate`: { key, cert }
 *   events()          what was told so far: { event, port, during, evidence, at }, with the port of the client
 *   ends()            requests that ended without an answer: { port, path, what, at }; what: 'close' of a response, 'error' of
 *                     a request, with its code
 *   stats()           of both servers
 *
 * With KERNEL=no in its environment nobody can ask the kernel.
 */
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { monotonic } from '../clock.js'
import { answer } from '../talk.js'

if (process.env.KERNEL === 'no') Object.defineProperty(process, 'arch', { value: 'unknown' })
const { keepAlive } = await import('../../../../dist/server.js')

const PIECE = Buffer.alloc(100, 'x')
const FLOOD = Buffer.alloc(100_000, 'x')

const keepers = []
const told = []
const ended = []

answer({ listen, events: () => told, ends: () => ended, stats: () => keepers.map((keeper) => keeper.stats()) })

async function listen({ certificate, ...options }) {
  const servers = [http.createServer(handle), https.createServer(certificate, handle)]
  for (const server of servers) {
    // Node's own limits are out of the way.
    Object.assign(server, { requestTimeout: 0, headersTimeout: 0 })
    const keeper = keepAlive(server, options)
    for (const event of ['suspect', 'dead'])
      keeper.on(event, ({ client, ...rest }) =>
        told.push({ event, port: client.remotePort, ...rest, client, at: monotonic() }),
      )
    keepers.push(keeper)
    await once(server.listen(0), 'listening')
  }
  const [plain, tls] = servers.map((server) => server.address().port)
  return { plain, tls }
}

function handle(request, response) {
  const note = (what) => ended.push({ port, path: request.url, what, at: monotonic() })
  const port = request.socket.remotePort
  request.on('error', ({ code }) => note(`error ${code}`)).resume()
  response.on('close', () => {
    if (!response.writableFinished) note('close')
  })
  if (request.url === '/never') return
  if (request.url === '/stream') {
    const timer = setInterval(() => response.write(PIECE), 100)
    response.on('close', () => clearInterval(timer))
  } else if (request.url === '/flood') {
    const flood = () => {
      while (!response.destroyed && response.write(FLOOD));
    }
    response.on('drain', flood)
    flood()
  } else request.on('end', () => response.end('ok'))
}
