/**
 * Exercises every client in short over the built package, on the Node that it is run with, and prints what came of it as
 * JSON, by client.
 *
 *   node exercise.js '{ "plain": origin, "secure": origin, "dead": origin, "ca": PEM }'
 */
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool } from '../../../dist/index.js'
import { callers } from '../callers/all.js'

// The SDK's farewell to Node 20 is not what is looked at.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

const { plain, secure, dead, ca } = JSON.parse(process.argv[2])

const exercising = Object.entries(callers).map(async ([name, make]) => [name, await exercise(make)])
console.log(JSON.stringify(Object.fromEntries(await Promise.all(exercising))))

async function exercise(make) {
  const pool = createPool({ maxConnections: 4, connect: { ca } })
  const seen = {}
  for (const origin of [plain, secure]) {
    const caller = make(origin, pool)
    const opened = pool.stats().opened
    for (let n = 0; n < 20; n++) await expectOk(caller.get('/ok'))
    const inTurn = pool.stats().opened - opened
    await Promise.all(Array.from({ length: 20 }, () => expectOk(caller.get('/slow'))))
    const atOnce = pool.stats().opened - opened
    const size = 2 ** 18
    const body = Readable.from([Buffer.alloc(size, 'x')], { objectMode: false })
    const [upload, posted] = [await caller.upload('/digest', body, size), await caller.post('/digest', 'x')]
    seen[new URL(origin).protocol] = { inTurn, atOnce, upload, posted: posted.status }
  }
  const caller = make(plain, pool)
  seen.limited = await failed(caller.get('/silent', { timeout: 50 }))
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 50)
  seen.aborted = await failed(caller.get('/silent', { signal: controller.signal }))
  seen.refused = await failed(make(dead, pool).get('/ok'))
  await expectOk(caller.get('/ok'))
  await sleep(5)
  const { pending, active, waiting, replayed, closed } = pool.stats()
  seen.books = { pending, active, waiting, replayed, aborted: closed.aborted }
  await pool.close()
  seen.left = pool.stats().idle
  return seen
}

async function expectOk(answering) {
  const { status, body } = await answering
  if (status !== 200 || body !== 'ok') throw new Error(`status ${status}, "${body}"`)
}

async function failed(answering) {
  try {
    return { answer: await answering }
  } catch ({ name, code }) {
    return code ?? name
  }
}
