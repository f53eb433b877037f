/**
 * A keepwise pool under load, at the client's end of the wire: the built one of `dist/`, called through its dispatcher or
 * its agents by a caller that notes what no caller should see. It keeps the time itself, so that a request can be aimed at
 * a millisecond. Answers:
 *
 *   open(options, via) makes the pool; before everything else. `via` is a key of `faces`: 'dispatcher' unless it is given
 *   run(lanes)         sends, in each lane one step after the other; gives what became of each
 *   blockAmid(steps)   sends before and after the event loop is blocked; gives what became of each
 *   violations()       what should not be, in words: requests begun or settled more than once, or not at all
 *   descriptors()      sockets that this process has open
 *   events(name)       the payloads of one event so far
 *   stats(), explain(origin), close()
 */
import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool } from '../../../../dist/index.js'
import { monotonic } from '../clock.js'
import { ID_HEADER } from '../servers/ledger.js'
import { answer } from '../talk.js'
import { dispatch, request } from './faces.js'

/**
 * @typedef {object} Step
 * @property {string} url
 * @property {string} id
 * @property {number} [idle] milliseconds to wait before
 * @property {string} [method] Default: 'GET'
 * @property {Record<string, string>} [headers]
 * @property {number} [size] bytes of its body
 * @property {number} [abortAfter] milliseconds
 * @property {{ when: 'before' | 'unsent' | 'sent', milliseconds: number }} [block] blocks the event loop: before it is
 *   sent; after the pool has taken it, before its first byte is written; or when its last byte is written
 */

/**
 * @typedef {object} Outcome
 * @property {string} id
 * @property {string} method
 * @property {string} url
 * @property {number} at when it was given to the pool, in the time of `clock.js`
 * @property {number} took milliseconds until it was settled
 * @property {number} [status] of the answer
 * @property {Failure} [error]
 */

/**
 * @typedef {object} Failure
 * @property {string} code what its caller sees
 * @property {string} message
 * @property {string} [cause] code of what keepwise has added to it
 * @property {string} [reason] message of that
 * @property {string} [verdict]
 * @property {string} [refusal]
 * @property {{ sent?: number, acknowledged?: number, fin: boolean, reset: boolean }} [evidence]
 * @property {{ localPort: number, remotePort: number }} [connection] that it failed on
 */

const EVENTS = ['close', 'replay', 'learn']

/** Ways into the pool. */
const faces = { dispatcher: dispatch, agents: request }

let pool
let face
const heard = Object.fromEntries(EVENTS.map((name) => [name, []]))
/** How often each request was begun and settled. @type {{ id: string, begun: number, settled: number }[]} */
const sent = []

answer({
  open,
  run,
  blockAmid,
  violations: () =>
    sent.filter(({ begun, settled }) => begun !== 1 || settled !== 1).map((request) => JSON.stringify(request)),
  descriptors,
  events: (name) => heard[name],
  stats: () => pool.stats(),
  explain: (origin) => pool.explain(origin),
  close: () => pool.close(),
})

function open(options, via = 'dispatcher') {
  pool = createPool(options)
  face = faces[via]
  for (const name of EVENTS) pool.on(name, ({ connection, error, ...rest }) => heard[name].push(rest))
}

/** @param {Step[][]} lanes @returns {Promise<Outcome[]>} */
async function run(lanes) {
  return (await Promise.all(lanes.map(runLane))).flat()
}

async function runLane(steps) {
  const outcomes = []
  for (const step of steps) {
    if (step.idle > 0) await sleep(step.idle)
    if (step.block?.when === 'before') block(step.block.milliseconds)
    outcomes.push(await send(step))
  }
  return outcomes
}

/**
 * Sends some; when their last byte is written, gives others to the pool and blocks the event loop, before a byte of these
 * is written; and sends the rest in the same turn.
 *
 * @param {{ written: Step[], taken: Step[], late: Step[], milliseconds: number }} steps
 * @returns {Promise<Outcome[]>}
 */
function blockAmid({ written, taken, late, milliseconds }) {
  return new Promise((resolve, reject) => {
    let unwritten = written.length
    const first = written.map((step) =>
      send(step, () => {
        if (--unwritten > 0) return
        const second = taken.map((each) => send(each))
        block(milliseconds)
        const third = late.map((each) => send(each))
        Promise.all([...first, ...second, ...third]).then(resolve, reject)
      }),
    )
  })
}

function send({ url, id, method = 'GET', headers = {}, size, abortAfter, block: pause }, onSent = () => {}) {
  const body = size === undefined ? null : Buffer.alloc(size, 'x')
  const at = monotonic()
  const times = { id, begun: 0, settled: 0 }
  sent.push(times)
  return new Promise((resolve) => {
    let timer
    face(
      pool,
      { url, method, headers: { ...headers, [ID_HEADER]: id }, body },
      {
        begun: (abort) => {
          times.begun++
          if (abortAfter !== undefined) timer = setTimeout(abort, abortAfter)
        },
        sent: () => {
          onSent()
          if (pause?.when === 'sent') block(pause.milliseconds)
        },
        settled: ({ status, error }) => {
          clearTimeout(timer)
          times.settled++
          resolve({ id, method, url, at, took: monotonic() - at, ...(error ? { error: tell(error) } : { status }) })
        },
      },
    )
    if (pause?.when === 'unsent') block(pause.milliseconds)
  })
}

/** Asleep, not busy: other processes of the test need the processor, and the event loop stands still all the same. */
function block(milliseconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

function descriptors() {
  return readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).startsWith('socket:')).length
}

function linkOf(fd) {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return '' // the one with which the directory was read
  }
}

function tell({ code, message, cause }) {
  const { code: added, message: reason, verdict, refusal, evidence, connection } = cause ?? {}
  return { code, message, cause: added, reason, verdict, refusal, evidence, connection }
}
