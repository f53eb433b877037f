// One lane: one origin, one request at a time. It idles, sends a request, idles again.

import { setTimeout as sleep } from 'node:timers/promises'
import { monotonic } from '../../test/support/wire/clock.js'

/** Longer than any of the contestants' own retries take; what hangs must not hang the race. */
const PATIENCE = 15_000
const PRIMERS = 5
/** Requests of each lane that nobody counts, without a pause: cold code is slow, and the first connections come at once. */
const WARM_UP = 4

/**
 * @param {(id: string) => Promise<void>} send resolves when the response was read to its end
 * @param {{ start: number, idles: number[] }} schedule
 * @returns {Promise<object[]>} one record for each idle time: `{ id, at, took, error? }`
 */
export async function runLane(send, name, { start, idles }) {
  const records = []
  let isWarm = false
  await sleep(start)
  for (let request = 1; request <= WARM_UP; request++) await attempt(send, `${name}.warm-up-${request}`)
  for (const [index, idle] of idles.entries()) {
    // After a failure the connection is gone: without another one the next request would race nobody, and whoever
    // fails most would have the fewest races.
    for (let primer = 1; !isWarm; primer++) {
      const { error } = await attempt(send, `${name}.${index}.primer-${primer}`)
      isWarm = error === undefined
      if (!isWarm && primer === PRIMERS) throw new Error(`${PRIMERS} requests without a race failed in a row: ${error}`)
    }
    await sleep(idle)
    const record = await attempt(send, `${name}.${index}`)
    isWarm = record.error === undefined
    records.push(record)
  }
  return records
}

async function attempt(send, id) {
  const at = monotonic()
  const timer = new AbortController()
  try {
    await Promise.race([send(id), expiry(timer.signal)])
    return { id, at, took: monotonic() - at }
  } catch (error) {
    return { id, at, took: monotonic() - at, error: codeOf(error) }
  } finally {
    timer.abort()
  }
}

async function expiry(signal) {
  await sleep(PATIENCE, undefined, { signal })
  throw new Error(`no answer in ${PATIENCE} ms`)
}

/** The most telling of the codes in a chain of causes: fetch hides it below "fetch failed". */
function codeOf(error) {
  for (let one = error; one; one = one.cause) if (one.code) return String(one.code)
  return String(error?.message ?? error)
}
