/**
 * A Node server in a process of its own: it goes on while the event loop of the test is busy or blocked, so its clock is
 * its own, and what it does meanwhile waits in the client's kernel. The path of the last request says what `act()` does,
 * on that request's connection:
 *
 *   /then/fin     it closes
 *   /then/rst     … resets
 *   /then/bytes   … sends a response that nobody asked for
 *
 * `?keep-alive=timeout%3D1` is sent as that header. The body is what the server has `Seen`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { request } from 'undici'
import type { Pool } from '../../src/index.js'
import { plainRequest } from '../support/raw-client.js'
import type { AccessLogEntry } from '../support/servers/access-log.js'
import { testCertificates } from '../support/tls.js'

/** What the server answers with, as JSON. */
export interface Seen {
  /** 1 for the first connection the server accepted. */
  connection: number
  /** 1 for the first request of the connection. */
  nth: number
  path: string
  /** Of the request's body. */
  bytes: number
}

export interface OtherProcessOptions {
  tls?: boolean
  /** Of node's server; 0 advertises nothing and never closes. @default 0 */
  keepAliveTimeout?: number
  /** Of node's server; 0 = no limit. @default 0 */
  maxRequestsPerSocket?: number
}

export interface OtherProcess extends AsyncDisposable {
  origin: string
  /** Has it do what the last request said. Needs no event loop of the caller's. */
  act(): void
  /** All requests so far. */
  accessLog(): Promise<AccessLogEntry[]>
  stop(): Promise<void>
}

export async function withOtherProcess<T>(
  options: OtherProcessOptions,
  body: (server: OtherProcess) => T | Promise<T>,
): Promise<T> {
  const server = await startOtherProcess(options)
  try {
    return await body(server)
  } finally {
    await server.stop()
  }
}

export async function startOtherProcess(options: OtherProcessOptions = {}): Promise<OtherProcess> {
  const { tls = false, keepAliveTimeout = 0, maxRequestsPerSocket = 0 } = options
  const { key, cert } = tls ? testCertificates().localhost : { key: '', cert: '' }
  const child = spawn(process.execPath, ['--eval', PROGRAM], {
    env: {
      PATH: process.env.PATH,
      SETTING: JSON.stringify({ key, cert, keepAliveTimeout, maxRequestsPerSocket }),
    },
    // Its end of stdin closes with this process, however that one ends.
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  const port = await Promise.race([once(child.stdout, 'data').then(String), gone.then(() => 'none')])
  if (!/^\d+\n$/.test(port)) throw new Error(`The server of the test did not start: ${port}`)
  const stop = async () => {
    child.stdin.end()
    await gone
  }
  const origin = `${tls ? 'https' : 'http'}://127.0.0.1:${port.trim()}`
  return {
    origin,
    accessLog: async () => JSON.parse((await plainRequest(`${origin}${LOG_PATH}`)).body),
    act: () => void child.kill('SIGUSR2'),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** POST, which nobody may send twice: a connection that is lost under it fails the test. */
export async function post(pool: Pool, url: string, body: string | Readable = 'once only'): Promise<Seen> {
  const response = await request(url, { dispatcher: pool.dispatcher, method: 'POST', body })
  return (await response.body.json()) as Seen
}

/** Blocks this process's event loop, without the CPU that the server may need. */
export function block(time: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, time)
}

const LOG_PATH = '/.log'

const PROGRAM = `
const { key, cert, keepAliveTimeout, maxRequestsPerSocket } = JSON.parse(process.env.SETTING)
const connections = new WeakMap()
const raws = new Map()
const log = []
let count = 0
let armed = () => {}
process.on('SIGUSR2', () => armed())

const actions = {
  fin: (socket) => socket.destroy(),
  // Of the TCP socket: a TLS socket has no reset of its own.
  rst: (socket) => raws.get(socket.remotePort).resetAndDestroy(),
  bytes: (socket) => socket.write('HTTP/1.1 200 OK\\r\\ncontent-length: 6\\r\\n\\r\\npoison'),
}

function answer(request, response) {
  if (request.url === '${LOG_PATH}') return response.end(JSON.stringify(log))
  const startedAt = performance.now()
  const { socket, method } = request
  const connection = connections.get(socket) ?? { number: ++count, requests: 0 }
  connections.set(socket, connection)
  const nth = ++connection.requests
  const { pathname: path, searchParams } = new URL(request.url, 'http://localhost')
  const [, then, action] = path.split('/')
  if (then === 'then') armed = () => actions[action](socket)
  if (searchParams.has('keep-alive')) response.setHeader('keep-alive', searchParams.get('keep-alive'))
  const entry = { connection: String(connection.number), clientPort: socket.remotePort, nth, method, path, startedAt }
  response.once('finish', () =>
    log.push({ ...entry, status: response.statusCode, finishedAt: performance.now() }),
  )
  let bytes = 0
  request
    .on('data', (chunk) => (bytes += chunk.length))
    .once('end', () => response.end(JSON.stringify({ connection: connection.number, nth, path, bytes })))
}

const server = key === ''
  ? require('node:http').createServer(answer)
  : require('node:https').createServer({ key, cert }, answer)
Object.assign(server, { keepAliveTimeout, maxRequestsPerSocket })
server.on('connection', (socket) => raws.set(socket.remotePort, socket))
server.on('clientError', (error, socket) => socket.destroy())
server.listen(0, '127.0.0.1', 4096, () => console.log(server.address().port))
process.stdin.resume().on('end', () => process.exit())
`
