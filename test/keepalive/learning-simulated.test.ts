/**
 * What learning is worth: a client that obeys what it learns, against servers that say nothing, under random load in
 * simulated time. The numbers are bounds, found with a hundred seeds for each case.
 */
import { describe, expect, it } from 'vitest'
import { type Load, Simulation } from '../support/learning/simulation.js'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

const seeds = Array.from({ length: 4 }, (_, index) => index + 1)

/** Up to four requests at a time, and pauses that leave connections idle for about as long as the server allows. */
const loadFor = (timeout: number): Load => ({ pause: Math.max(timeout / 2, 500), burst: 4 })

/** Requests in a thousand that met a close, since then. */
function metSince({ client }: Simulation, before: { requests: number; met: number }): number {
  const { requests, met } = client.counted
  return ((met - before.met) / (requests - before.requests)) * 1_000
}

describe.each(seeds)('with seed %i', (seed) => {
  it.each([
    [0, 3, 45, 10],
    [300, 20, 40, 12],
    [1_000, 20, 20, 15],
    [5_000, 20, 15, 60],
    [20_000, 20, 12, 240],
  ])('a timer of %i ms, up to %i late, is learned within %i closes and %i s', (timeout, jitter, closes, seconds) => {
    const simulation = new Simulation(seed, { timeouts: [timeout], jitter }, loadFor(timeout))
    expect(simulation.run(HOUR, () => simulation.timeout !== undefined)).toBeLessThanOrEqual(seconds * SECOND)
    expect(simulation.client.counted.closes).toBeLessThanOrEqual(closes)
    const before = { ...simulation.client.counted }
    simulation.run(500 * loadFor(timeout).pause)
    expect(simulation.timeout).toBeGreaterThanOrEqual(timeout)
    expect(simulation.timeout).toBeLessThanOrEqual(timeout + jitter)
    expect(metSince(simulation, before)).toBe(0)
    // It keeps looking: to learn is not to stop.
    expect(simulation.client.known.confirmedAt).toBeGreaterThan(simulation.clock.now() - 6 * MINUTE)
  })

  it.each([1_000, 2_000, 20_000])(
    'a timer of %i ms that is looked at once a second is learned, and 999 of 1000 requests meet no close',
    (timeout) => {
      const simulation = new Simulation(seed, { timeouts: [timeout], tick: 1_000 }, loadFor(timeout))
      expect(simulation.run(HOUR, () => simulation.timeout !== undefined)).toBeLessThanOrEqual(4 * MINUTE)
      // The first samples are late by anything up to a second; those that follow are nearer.
      simulation.run(500 * loadFor(timeout).pause)
      const before = { ...simulation.client.counted }
      simulation.run(4_000 * loadFor(timeout).pause)
      expect(simulation.timeout).toBeGreaterThanOrEqual(timeout)
      expect(simulation.timeout).toBeLessThan(timeout + 1_000)
      expect(metSince(simulation, before)).toBeLessThan(1)
    },
  )

  it('requests that come about when the timer is over meet closes, and none any more when it is learned', () => {
    const load = { pause: 4_980, spread: 100, burst: 3 }
    const met = [false, true].map((obeys) => {
      const simulation = new Simulation(seed, { timeouts: [5_000], jitter: 5 }, load, { obeys })
      simulation.run(HOUR, () => simulation.timeout !== undefined)
      const before = { ...simulation.client.counted }
      simulation.run(HOUR)
      return metSince(simulation, before)
    })
    expect(met[0]).toBeGreaterThan(100)
    expect(met[1]).toBe(0)
  })

  it.each([
    [20_000, 5_000, 75],
    [5_000, 2_000, 40],
    [5_000, 4_500, 45],
    [5_000, 0, 15],
  ])('a timer that is shortened from %i to %i ms is followed within %i s', (from, to, seconds) => {
    const simulation = new Simulation(seed, { timeouts: [from], jitter: 20 }, loadFor(from))
    simulation.run(HOUR)
    expect(simulation.timeout).toBeGreaterThanOrEqual(from)
    simulation.load = loadFor(to)
    simulation.server.settings = { timeouts: [to], jitter: 20 }
    const isThere = (): boolean => (simulation.timeout ?? Infinity) <= to + 20
    expect(simulation.run(HOUR, isThere)).toBeLessThanOrEqual(seconds * SECOND)
  })

  it.each([
    [0, 5_000, 90],
    [5_000, 5_800, 500],
    [5_000, 20_000, 420],
  ])('a timer that is lengthened from %i to %i ms is followed within %i s', (from, to, seconds) => {
    const simulation = new Simulation(seed, { timeouts: [from], jitter: 20 }, loadFor(from))
    simulation.run(HOUR)
    expect(simulation.timeout).toBeLessThanOrEqual(from + 20)
    simulation.load = loadFor(to)
    simulation.server.settings = { timeouts: [to], jitter: 20 }
    const isThere = (): boolean => Math.abs((simulation.timeout ?? Infinity) - to) <= 20
    expect(simulation.run(HOUR, isThere)).toBeLessThanOrEqual(seconds * SECOND)
  })

  it.each([
    [0, 240],
    [5_000, 240],
    [20_000, 450],
  ])('a timer of %i ms that is taken away is forgotten within %i s', (timeout, seconds) => {
    const simulation = new Simulation(seed, { timeouts: [timeout], jitter: 20 }, loadFor(timeout))
    simulation.run(HOUR)
    expect(simulation.timeout).toBeDefined()
    simulation.load = loadFor(Math.max(timeout, 5_000))
    simulation.server.settings = { timeouts: [Infinity] }
    expect(simulation.run(HOUR, () => simulation.timeout === undefined)).toBeLessThanOrEqual(seconds * SECOND)
  })

  it('restarts every ten minutes leave no timeout that is too low for longer than 6 minutes', () => {
    const simulation = new Simulation(seed, { timeouts: [20_000], jitter: 20 }, loadFor(10_000))
    simulation.runWith(10 * HOUR, 10 * MINUTE, () => simulation.server.restart())
    expect(simulation.longest((timeout) => timeout !== undefined && timeout < 18_000)).toBeLessThanOrEqual(6 * MINUTE)
    expect(simulation.timeout).toBeDefined()
  })

  it.each([3, 10, 30])('4 minutes after crashes every %i s for an hour, no timeout is too low any more', (every) => {
    const simulation = new Simulation(seed, { timeouts: [20_000], jitter: 20 }, loadFor(10_000))
    simulation.run(HOUR / 2)
    simulation.runWith(HOUR, every * SECOND, () => simulation.server.restart())
    const isRight = (): boolean => (simulation.timeout ?? Infinity) >= 18_000
    expect(simulation.run(HOUR, isRight)).toBeLessThanOrEqual(4 * MINUTE)
  })

  it.each([
    [100, 30],
    [1_000, 240],
    [5_000, 240],
  ])('five rolling restarts under load every %i ms leave no timeout for longer than %i s', (pause, seconds) => {
    const simulation = new Simulation(seed, { timeouts: [60_000] }, { pause, burst: 10 })
    for (let deployment = 0; deployment < 5; deployment++) {
      simulation.run(2 * MINUTE)
      simulation.runWith(2 * MINUTE, 5_000, () => simulation.server.restart(10))
    }
    expect(simulation.longest((timeout) => timeout !== undefined)).toBeLessThanOrEqual(seconds * SECOND)
  })

  it.each([
    { timeouts: [5_000, 60_000] },
    { timeouts: [5_000, 60_000, 60_000] },
    { timeouts: [5_000, 5_000, 60_000] },
    { timeouts: [5_000, 10_000] },
  ])(
    'behind one address with $timeouts ms the smallest is kept, and left at most five times in 12 hours',
    ({ timeouts }) => {
      const simulation = new Simulation(seed, { timeouts, jitter: 20 }, loadFor(5_000))
      simulation.run(12 * HOUR)
      const low = (timeout: number | undefined): boolean => timeout !== undefined && timeout <= 5_020
      const left = simulation.client.changes.filter(({ timeout }) => !low(timeout))
      expect(left.length).toBeLessThanOrEqual(5)
      expect(simulation.longest(low)).toBeGreaterThan(3 * HOUR)
      expect(simulation.timeout).toSatisfy(low)
      expect(metSince(simulation, { requests: 0, met: 0 })).toBeLessThan(0.1)
    },
  )

  it.each([
    [10_000, 1_000, 0.95],
    [60_000, 1_000, 0.99],
    [60_000, 10_000, 0.97],
    [600_000, 3_000, 0.99],
  ])(
    'connections that live for %i ms on average, asked every %i ms, are reused %f times as much as without learning',
    (lifetime, pause, part) => {
      const [taught, untaught] = [true, false].map((obeys) => {
        const simulation = new Simulation(seed, { timeouts: [Infinity], lifetime }, { pause, burst: 4 }, { obeys })
        simulation.run(3 * HOUR)
        // It gets out of whatever it has learned.
        if (obeys) expect(simulation.longest((timeout) => timeout !== undefined)).toBeLessThanOrEqual(HOUR)
        const { reused, requests } = simulation.client.counted
        return reused / requests
      }) as [number, number]
      expect(taught / untaught).toBeGreaterThan(part)
    },
  )

  it.each([2, 20, 100])('a server that closes after %i responses teaches nothing', (requests) => {
    const simulation = new Simulation(seed, { timeouts: [Infinity], requests }, { pause: 200, burst: 4 })
    simulation.run(10 * MINUTE)
    expect(simulation.client.counted.closes).toBeGreaterThan(30)
    expect(simulation.client.changes).toEqual([])
  })

  it('a server that closes after each response is not asked twice on a connection', () => {
    const simulation = new Simulation(seed, { timeouts: [Infinity], requests: 1 }, { pause: 200, burst: 4 })
    simulation.run(10 * MINUTE)
    expect(simulation.timeout).toBe(0)
    expect(simulation.client.changes).toHaveLength(1)
  })
})
