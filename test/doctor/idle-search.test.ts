/** The search for the idle timeout, against servers whose timeout is known, in no time. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Evidence, IdleAnswer } from '../../src/doctor/idle-evidence.js'
import { type IdleSearch, searchIdle } from '../../src/doctor/idle-search.js'
import { MOST_OPEN, MOST_OPENED } from '../../src/doctor/limits.js'
import { RunningClock } from './running-clock.js'
import { type Nature, SimulatedServer } from './simulated-server.js'

interface Searched extends IdleAnswer {
  readonly took: number
  readonly server: SimulatedServer
}

const LONGEST = 80_000

async function search(nature: Nature, longest = LONGEST, more: Partial<IdleSearch> = {}): Promise<Searched> {
  const clock = new RunningClock()
  const server = new SimulatedServer(clock, nature)
  const { signal } = new AbortController()
  const startedAt = clock.now()
  const answer = await clock.until(searchIdle({ longest, open: server.connect, clock, signal, ...more }))
  return { ...answer, took: clock.now() - startedAt, server }
}

/** What holds whatever the server does. */
function isBounded({ server, took }: Searched, longest: number): void {
  expect(server.mostOpen).toBeLessThanOrEqual(MOST_OPEN)
  // Those that measure cost, requests and keepalive come on top: 9, and one that was greeted.
  expect(server.opened).toBeLessThanOrEqual(MOST_OPENED - 11)
  expect(server.open).toBe(0)
  expect(took).toBeLessThanOrEqual(3 * (longest * 1.1 + 4_000))
}

describe('a server that closes idle connections', () => {
  it.each([[2_000], [5_000], [6_000], [30_000], [75_000]])(
    'after %d ms is found to the millisecond',
    async (timeout) => {
      const found = await search({ timeout, end: 'fin' })
      expect(found).toMatchObject({ end: 'fin', atLeast: timeout, atMost: timeout, settled: true, restarts: 0 })
      expect(found.samples.length).toBeGreaterThan(1)
      // The second of those that are watched, which began a second later.
      expect(found.took).toBeLessThanOrEqual(timeout * 1.05 + 1_500)
      isBounded(found, LONGEST)
    },
  )

  it('is found whatever its timeout, its end and its sweeps, in one round, or two', async () => {
    const natures = fc.record({
      timeout: fc.integer({ min: 50, max: LONGEST }),
      end: fc.constantFrom('fin' as const, 'reset' as const),
      sweep: fc.constantFrom(0, 100, 500, 1_000),
      max: fc.constantFrom(2, 3, 100),
    })
    await fc.assert(
      fc.asyncProperty(natures, async (nature) => {
        const { timeout, end, sweep } = nature
        fc.pre(timeout + sweep < LONGEST)
        const found = await search(nature)
        expect(found).toMatchObject({ end, settled: true, restarts: 0 })
        expect(found.atLeast).toBeGreaterThanOrEqual(timeout)
        expect(found.atMost).toBeLessThanOrEqual(timeout + sweep)
        expect(found.took).toBeLessThanOrEqual(2 * (timeout + sweep) * 1.1 + 5_000)
        isBounded(found, LONGEST)
      }),
      { numRuns: 60 },
    )
  })

  it('is waited for no longer than is allowed: 4 s, where it closes after 5', async () => {
    const found = await search({ timeout: 5_000, end: 'fin' }, 4_000)
    expect(found).toMatchObject({ end: null, atLeast: 4_000, atMost: null, settled: true })
    expect(found.took).toBeLessThanOrEqual(5_100)
  })
})

describe('a connection that ends in silence', () => {
  it('is found whenever that is, to a tenth of the time, within three times the longest wait', async () => {
    const natures = fc.record({
      timeout: fc.integer({ min: 100, max: LONGEST - 1 }),
      end: fc.constantFrom('silence' as const, 'reset-on-request' as const),
      max: fc.constantFrom(2, 5, 100),
    })
    await fc.assert(
      fc.asyncProperty(natures, async (nature) => {
        const found = await search(nature)
        expect(found).toMatchObject({ end: nature.end, settled: true })
        expect(found.atLeast).toBeLessThanOrEqual(nature.timeout)
        expect(found.atMost).toBeGreaterThanOrEqual(nature.timeout)
        expect((found.atMost as number) - found.atLeast).toBeLessThanOrEqual(Math.max(250, nature.timeout * 0.12))
        isBounded(found, LONGEST)
      }),
      { numRuns: 60 },
    )
  })

  it('is not believed once, if connections live longer: a request that was lost', async () => {
    for (let nth = 1; nth <= 12; nth++) {
      const found = await search({ timeout: Infinity, end: 'fin', lost: [nth] }, 10_000)
      expect(found, `request ${nth}`).toMatchObject({ end: null, settled: true })
      expect(found.atLeast).toBeGreaterThanOrEqual(10_000)
    }
  })

  it('says whether the peer had received the request', async () => {
    expect((await search({ timeout: 3_000, end: 'silence' }, 8_000)).acknowledged).toBe(true)
    expect((await search({ timeout: 3_000, end: 'reset-on-request' }, 8_000)).acknowledged).toBe(null)
  })
})

describe('a server that closes nothing', () => {
  it.each([[1_000], [4_000], [80_000]])('is known after %d ms to keep connections for longer', async (longest) => {
    const found = await search({ timeout: Infinity, end: 'fin' }, longest)
    expect(found).toMatchObject({ end: null, atLeast: longest, atMost: null, settled: true })
    expect(found.took).toBeLessThanOrEqual(longest + 1_100)
    isBounded(found, longest)
  })
})

describe('a restart', () => {
  it('is not taken for a timeout, whenever it comes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 10, max: 20_000 }), async (restart) => {
        const found = await search({ timeout: 12_000, end: 'fin', restarts: [restart] }, 20_000)
        expect(found).toMatchObject({ end: 'fin', atLeast: 12_000, atMost: 12_000, settled: true })
        // While all are of one age, it cannot be told from one that was early.
        if (restart > 1_200) expect(found.early).toBe(null)
      }),
      { numRuns: 100, examples: [[10_650], [11_650]] },
    )
  })

  it('is counted where connections of all ages end at once', async () => {
    const found = await search({ timeout: Infinity, end: 'fin', restarts: [15_000] }, 20_000)
    expect(found).toMatchObject({ end: null, atLeast: 20_000, restarts: 1 })
  })
})

describe('an interruption', () => {
  it('gives what is known by then, unsettled, and closes everything', async () => {
    const interrupt = new AbortController()
    const clock = new RunningClock()
    const server = new SimulatedServer(clock, { timeout: 60_000, end: 'fin' })
    clock.setTimer(() => interrupt.abort(), 30_000)
    const { signal } = interrupt
    const found = await clock.until(searchIdle({ longest: LONGEST, open: server.connect, clock, signal }))
    expect(found).toMatchObject({ end: null, atMost: null, settled: false })
    expect(found.atLeast).toBeGreaterThan(10_000)
    expect(found.atLeast).toBeLessThanOrEqual(30_000)
    expect(server.open).toBe(0)
    expect(clock.now()).toBe(40_000) // the clock began at 10 000
  })
})

describe('an interruption while an answer is waited for', () => {
  it('waits no longer, and takes that for no death', async () => {
    const interrupt = new AbortController()
    const clock = new RunningClock()
    const server = new SimulatedServer(clock, { timeout: 3_000, end: 'silence', patience: 30_000 })
    clock.setTimer(() => interrupt.abort(), 12_000)
    const { signal } = interrupt
    const found = await clock.until(searchIdle({ longest: LONGEST, open: server.connect, clock, signal }))
    expect(clock.now()).toBe(22_000)
    expect(found).toMatchObject({ end: null, settled: false })
  })
})

describe('a server that has begun to close', () => {
  it.each([2_000, 3_000, 5_000, 7_000, 10_000, 14_000])(
    'after %d ms is asked nothing more, only watched',
    async (timeout) => {
      const clock = new RunningClock()
      const server = new SimulatedServer(clock, { timeout, end: 'fin' })
      let requests: number | undefined
      const seen = ({ ended }: Evidence): void => {
        if (ended.length > 0) requests ??= server.requests
      }
      const { signal } = new AbortController()
      await clock.until(searchIdle({ longest: LONGEST, open: server.connect, clock, signal, seen }))
      expect(requests).toBeGreaterThan(0)
      expect(server.requests).toBe(requests)
    },
  )
})

describe('a server that takes no more connections', () => {
  it('ends the search with its error, and leaves nothing open', async () => {
    const clock = new RunningClock()
    const server = new SimulatedServer(clock, { timeout: 3_000, end: 'silence', max: 2 })
    const open = () => (server.opened < 6 ? server.connect() : Promise.reject(new Error('refused')))
    const { signal } = new AbortController()
    await expect(clock.until(searchIdle({ longest: LONGEST, open, clock, signal }))).rejects.toThrow('refused')
    expect(server.open).toBe(0)
  })
})

describe('what is seen', () => {
  it('is told as it is seen', async () => {
    const seen: Evidence[] = []
    await search({ timeout: 4_000, end: 'silence' }, 8_000, { seen: (evidence) => seen.push(evidence) })
    expect(seen.length).toBeGreaterThan(5)
    const first = seen.findIndex(({ dead }) => dead.length > 0)
    expect(first).toBeGreaterThan(0)
    expect(seen[first - 1]?.alive).toBeGreaterThan(1_000)
  })
})
