/**
 * How the process stands, as JSON in pieces: thousands of records written at once would hold up the requests of the process
 * that is looked at.
 */
import { listedPools } from '../registry.js'
import type { PoolStats } from '../telemetry/stats.js'
import type { TimelineRecord } from '../timeline/record.js'
import type { History } from './history.js'
import type { WatchState } from './page/contract.js'

/** Records that are written between two turns of the event loop. */
const AT_ONCE = 250

/**
 * A `WatchState`, as JSON.
 *
 * @param time epoch milliseconds, now
 * @param after the records whose number is above that, and no others; undefined: all that makes sense of the state by itself
 */
export function stateOf(history: History, time: number, after: number | undefined): AsyncIterable<string> {
  history.expire(time)
  const { pid, title } = process
  const { last } = history
  const head: Head = { time, process: { pid, title, startedAt: performance.timeOrigin }, pools: poolsOf(), last }
  // Taken before the first piece is written: what happens in between has its turn later.
  const records = history.after(after ?? 0)
  return pieces(head, after === undefined ? { open: history.forgotten, records } : { records })
}

type Head = Omit<WatchState, 'records' | 'open'>

/** All pools of the process, in the order in which they were made. */
function poolsOf(): Head['pools'] {
  const listed = listedPools().sort((a, b) => a.id - b.id)
  return listed.map((pool) => ({ pool: { id: pool.id, name: pool.name }, stats: pool.stats() as PoolStats }))
}

async function* pieces(head: Head, lists: Readonly<Record<string, TimelineRecord[]>>): AsyncGenerator<string> {
  yield JSON.stringify(head).slice(0, -1)
  for (const [name, records] of Object.entries(lists)) {
    yield `,"${name}":[`
    for (let index = 0; index < records.length; index += AT_ONCE) {
      const some = records.slice(index, index + AT_ONCE).map((record) => JSON.stringify(record))
      yield `${index === 0 ? '' : ','}${some.join()}`
      await new Promise((resolve) => setImmediate(resolve))
    }
    yield ']'
  }
  yield '}'
}
