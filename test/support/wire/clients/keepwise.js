/**
 * A keepwise pool at the client's end of the wire: the built one of `dist/`, driven through undici's request(). Answers:
 *
 *   open(options)            makes the pool; before everything else
 *   request(url, options)    { status, took } or { error, took }; options: id, method, headers, body, abortAfter (ms)
 *   block(milliseconds)      blocks the event loop
 *   events(name)             the payloads of one event so far
 *   stats(), explain(origin), warm(origin, count), close()
 */
import { request as undiciRequest } from 'undici'
import { createPool } from '../../../../dist/index.js'
import { monotonic } from '../clock.js'
import { ID_HEADER } from '../servers/ledger.js'
import { answer } from '../talk.js'

const EVENTS = ['open', 'idle', 'close', 'wait', 'replay', 'learn', 'suspect', 'dead']

let pool
const heard = Object.fromEntries(EVENTS.map((name) => [name, []]))

answer({
  open,
  request,
  block,
  events: (name) => heard[name],
  stats: () => pool.stats(),
  explain: (origin) => pool.explain(origin),
  warm: (origin, count) => pool.warm(origin, count),
  close: () => pool.close(),
})

function open(options) {
  pool = createPool(options)
  for (const name of EVENTS) {
    pool.on(name, (event) => heard[name].push({ ...event, ...(event.error && { error: describe(event.error) }) }))
  }
}

async function request(url, { id, method = 'GET', headers = {}, body = null, abortAfter = null } = {}) {
  const start = monotonic()
  const signal = abortAfter === null ? null : AbortSignal.timeout(abortAfter)
  const named = id === undefined ? headers : { ...headers, [ID_HEADER]: id }
  try {
    const answered = await undiciRequest(url, { dispatcher: pool.dispatcher, method, headers: named, body, signal })
    await answered.body.dump()
    return { status: answered.statusCode, took: monotonic() - start }
  } catch (error) {
    return { error: describe(error), took: monotonic() - start }
  }
}

function block(milliseconds) {
  const end = monotonic() + milliseconds
  while (monotonic() < end);
}

/** What JSON would leave out of an error, and whatever the error carries beside that. */
function describe(error) {
  const { name, message, code, cause } = error
  return { ...error, name, message, code, ...(cause instanceof Error && { cause: describe(cause) }) }
}
