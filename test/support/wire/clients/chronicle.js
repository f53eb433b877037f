/**
 * Keepwise pools, the built ones of `dist/`, and a diary of all that becomes of them, in the time of `clock.js`. Runs in
 * `wire.client`; answers:
 *
 *   open(name, options, addresses)   makes a pool; with addresses, every name of a host leads to these, the first of them to
 *                                    each connection's own turn
 *   warm(name, origin, count)        opens connections
 *   begin(errands)                   sends requests, and waits for none
 *   resume(ids)                      sends the rest of the bodies of these, which halt
 *   settled(ids)                     waits for the ends of these: outcomes
 *   diary(name)                      everything that a pool has emitted
 *   lag()                            longest time that the event loop stood still since this was asked last, in milliseconds
 *   stats(name), close(name)
 */
import http from 'node:http'
import https from 'node:https'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { request as undiciRequest } from 'undici'
import { createPool } from '../../../../dist/index.js'
import { monotonic } from '../clock.js'
import { ID_HEADER } from '../servers/ledger.js'
import { answer } from '../talk.js'

/**
 * @typedef {object} Errand
 * @property {string} id
 * @property {string} pool
 * @property {'dispatcher' | 'agents'} via
 * @property {string} url
 * @property {string} [method] Default: 'GET'
 * @property {number} [size] bytes of its body
 * @property {number} [stall] milliseconds for which it stops in the middle of its body
 * @property {number} [halt] bytes after which it stops, until it is told to resume
 * @property {number} [hold] milliseconds for which the response is not read
 */

/**
 * @typedef {object} Outcome
 * @property {string} id
 * @property {number} at when it was given to the pool
 * @property {number} settledAt
 * @property {number} [status]
 * @property {string} [text] of a response that is not long
 * @property {number} [bytes] of the response
 * @property {{ code?: string, message: string, causes: (string | undefined)[] }} [error] `causes`: codes of those below
 */

const EVENTS = ['open', 'idle', 'close', 'suspect', 'dead', 'replay', 'learn', 'wait']
/** A response that is longer is counted, not kept. */
const SHORT = 1000

/** @type {Map<string, { pool: import('../../../../dist/index.js').Pool, diary: object[] }>} */
const pools = new Map()
/** @type {Map<string, Promise<Outcome>>} */
const outcomes = new Map()
/** What makes those go on that halt. @type {Map<string, () => void>} */
const halted = new Map()
const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()

answer({
  open,
  warm: (name, origin, count) => pools.get(name).pool.warm(origin, count),
  begin: (errands) => errands.forEach((errand) => void outcomes.set(errand.id, run(errand))),
  resume: (ids) => ids.forEach((id) => void halted.get(id)()),
  settled: (ids) => Promise.all(ids.map((id) => outcomes.get(id))),
  diary: (name) => pools.get(name).diary,
  lag,
  stats: (name) => pools.get(name).pool.stats(),
  close: (name) => pools.get(name).pool.close(),
})

function open(name, options, addresses = null) {
  const lookup = addresses === null ? {} : { lookup: inTurns(addresses) }
  const pool = createPool({ ...options, connect: { ...options.connect, ...lookup } })
  const diary = []
  for (const event of EVENTS) {
    pool.on(event, ({ error, ...rest }) =>
      diary.push({ at: monotonic(), event, ...rest, ...(error && { error: describe(error) }) }),
    )
  }
  pools.set(name, { pool, diary })
}

/** As the resolver of an origin with several addresses: all of them, in an order that changes. */
function inTurns(addresses) {
  let turn = 0
  return (_host, { all }, callback) => {
    turn++
    const ordered = addresses.map((_, index) => ({ address: addresses[(index + turn) % addresses.length], family: 4 }))
    process.nextTick(() => (all ? callback(null, ordered) : callback(null, ordered[0].address, 4)))
  }
}

async function run(errand) {
  const { id, pool: name } = errand
  const at = monotonic()
  try {
    const result = await ways[errand.via](pools.get(name).pool, { method: 'GET', ...errand })
    return { id, at, settledAt: monotonic(), ...result }
  } catch (error) {
    return { id, at, settledAt: monotonic(), error: describe(error) }
  }
}

const ways = { dispatcher: throughDispatcher, agents: throughAgents }

async function throughDispatcher(pool, errand) {
  const { id, url, method, size, hold } = errand
  const options = { dispatcher: pool.dispatcher, method, headers: headersOf(id, size) }
  const answered = await undiciRequest(url, { ...options, body: piecesOf(errand) ?? bodyOf(size) })
  return { status: answered.statusCode, ...(await read(answered.body, hold)) }
}

function throughAgents(pool, errand) {
  const { id, url, method, size, hold } = errand
  const secure = url.startsWith('https:')
  const agent = secure ? pool.httpsAgent : pool.httpAgent
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request(url, { agent, method, headers: headersOf(id, size) })
    request.on('error', reject).on('response', (response) => {
      read(response, hold).then((result) => resolve({ status: response.statusCode, ...result }), reject)
    })
    const pieces = piecesOf(errand)
    if (pieces === undefined) request.end(bodyOf(size))
    else writeAll(request, pieces).catch(reject)
  })
}

/** Reads a response to its end; rejects when it breaks off. */
async function read(stream, hold = 0) {
  await sleep(hold)
  let bytes = 0
  let text = ''
  for await (const chunk of stream) {
    bytes += chunk.length
    if (bytes <= SHORT) text += chunk
  }
  return { bytes, ...(bytes <= SHORT && { text }) }
}

/** The body of a request that stops in the middle of it; undefined for one that does not. */
function piecesOf({ id, size, stall, halt }) {
  if (stall !== undefined) return interrupted(size, size / 2, sleep(stall))
  if (halt !== undefined) return interrupted(size, halt, new Promise((resolve) => halted.set(id, resolve)))
}

async function* interrupted(size, first, pause) {
  yield Buffer.alloc(first, 'x')
  await pause
  yield Buffer.alloc(size - first, 'x')
}

async function writeAll(request, chunks) {
  for await (const chunk of chunks) request.write(chunk)
  request.end()
}

const bodyOf = (size) => (size === undefined ? undefined : Buffer.alloc(size, 'x'))

function headersOf(id, size) {
  return { [ID_HEADER]: id, ...(size !== undefined && { 'content-length': String(size) }) }
}

function lag() {
  const longest = delay.max / 1e6
  delay.reset()
  return longest
}

function describe({ code, message, cause }) {
  const causes = []
  for (let one = cause; one && causes.length < 5; one = one.cause) causes.push(one.code)
  return { code, message, causes }
}
