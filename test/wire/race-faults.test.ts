/**
 * Random lives of a pool, four side by side, for some 15 s: in two its load goes through the dispatcher, in two through
 * the agents. A failure names its seed: `SEED=<number>` repeats that life
 * as far as chance allows (the kernel and the machine have a say, too), `SOAK=<seconds>` goes on for longer.
 */
import { expect, it } from 'vitest'
import { Random } from '../support/random.js'
import { describeWith } from '../support/requirements.js'
import { certificateFor } from '../support/wire/certificate.js'
import { isRepeatable, type Life, live } from '../support/wire/faults.js'

/** No life begins later than that. */
const SECONDS = Number(process.env.SOAK ?? 6)
const SIDE_BY_SIDE = 2

const isRepetition = process.env.SEED !== undefined
const FIRST_SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)

/** What must not be, in words. */
function complaintsOf({ outcomes, violations, stats, leaked, ledger }: Life): string[] {
  const timesOf = (id: string) => ledger.times.get(id) ?? 0
  const wrong = [
    ...violations.map((violation) => `not begun and settled once: ${violation}`),
    ...ledger.twice.filter((id) => !isRepeatable(id)).map((id) => `processed ${timesOf(id)} times: ${id}`),
    ...outcomes
      .filter(({ status, id }) => status === 200 && timesOf(id) === 0)
      .map(({ id }) => `answered, and never processed: ${id}`),
    ...outcomes
      .filter(({ method, status }) => method === 'GET' && status === 408)
      .map(({ id }) => `answered with 408: ${id}`),
    ...outcomes
      .filter(({ error, id }) => error?.cause === 'ERR_KEEPWISE_CONNECT' && timesOf(id) > 0 && !isRepeatable(id))
      .map(({ id }) => `failed for want of a connection, and processed: ${id}`),
  ]
  if (stats.pending !== 0) wrong.push(`${stats.pending} pending when all are settled`)
  if (leaked !== 0) wrong.push(`${leaked} sockets leaked`)
  return wrong
}

describeWith(['linux', 'root', 'netns', 'tun', 'ip', 'koffi', 'openssl'], 'random faults', () => {
  it.concurrent.each(['dispatcher', 'agents'] as const)(
    'settle each request once, have nothing processed twice that must not be, and leave nothing behind (%s)',
    async (via) => {
      const deadline = performance.now() + SECONDS * 1000
      const lives: Life[] = []
      let nextSeed = FIRST_SEED
      const liveOn = async () => {
        do {
          const seed = nextSeed++
          const life = await live(new Random(seed), certificateFor, via)
          lives.push(life)
          expect(complaintsOf(life), `SEED=${seed} (${via})`).toEqual([])
        } while (performance.now() < deadline && !isRepetition)
      }
      // Those beside one that failed come to their end, too: they have wires to clear away.
      const ends = await Promise.allSettled(Array.from({ length: isRepetition ? 1 : SIDE_BY_SIDE }, liveOn))
      for (const end of ends) if (end.status === 'rejected') throw end.reason
      const sum = (count: (life: Life) => number) => lives.reduce((all, life) => all + count(life), 0)
      expect(sum(({ outcomes }) => outcomes.filter(({ status }) => status === 200).length)).toBeGreaterThan(50)
      expect(sum(({ replays }) => replays)).toBeGreaterThan(0)
    },
    SECONDS * 1000 + 60_000,
  )
})
