/**
 * http.request and https.request of the Node it runs on, through the agents of a keepwise pool: the built one of `dist/`.
 * Runs in `wire.client`; answers:
 *
 *   open(options)             makes the pool; before everything else
 *   send(url, kind)           POSTs a body of a kind (see `bodies`), or GETs without one:
 *                             { status, text, told, reused } or { error, told, reused }
 *   replays(), stats()        the payloads of the event so far; the pool's numbers
 *   capabilities()            what the pool says of this machine
 */
import http from 'node:http'
import https from 'node:https'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool } from '../../../../dist/index.js'
import { answer } from '../talk.js'

const replays = []
let pool

answer({ open, send, replays: () => replays, stats: () => pool.stats(), capabilities: () => pool.capabilities })

function open(options) {
  pool = createPool(options)
  pool.on('replay', (replay) => replays.push(replay))
}

/** Each writes "some text" to a request, and ends it. */
const bodies = {
  string: (request) => request.end('some text'),
  bytes: (request) => request.end(Buffer.from('some text')),
  pieces: (request) => {
    request.write('some ')
    request.write(Buffer.from('te'))
    request.end('xt')
  },
  headers: (request) => {
    request.flushHeaders()
    setImmediate(() => request.end('some text'))
  },
  late: (request) => request.once('socket', () => setImmediate(() => request.end('some text'))),
  slow: async (request) => {
    for (const word of ['some ', 'te', 'xt']) {
      request.write(word)
      await sleep(30)
    }
    request.end()
  },
  stream: (request) => Readable.from(['some ', 'text']).pipe(request),
}

/** @param {string} url  @param {string | null} [kind] */
function send(url, kind = null) {
  const secure = url.startsWith('https:')
  const told = []
  const reused = []
  return new Promise((resolve) => {
    const outcome = { told, reused }
    const request = (secure ? https : http).request(url, {
      agent: secure ? pool.httpsAgent : pool.httpAgent,
      method: kind === null ? 'GET' : 'POST',
      timeout: 20_000,
    })
    let ended
    request
      .on('socket', () => {
        told.push('socket')
        reused.push(request.reusedSocket)
      })
      .on('finish', () => told.push('finish'))
      .on('timeout', () => told.push('timeout'))
      .on('response', (response) => {
        told.push('response')
        outcome.status = response.statusCode
        outcome.text = ''
        response.setEncoding('utf8').on('data', (text) => {
          outcome.text += text
        })
        ended = new Promise((done) => response.once('close', done))
      })
      .on('error', (error) => {
        told.push('error')
        outcome.error = describe(error)
      })
      .on('close', async () => {
        told.push('close')
        await ended
        resolve(outcome)
      })
    if (kind === null) request.end()
    else bodies[kind](request)
  })
}

function describe(error) {
  const { name, message, code, cause } = error
  return { ...error, name, message, code, ...(cause instanceof Error && { cause: describe(cause) }) }
}
