/**
 * Ten thousand random steps for each kind of pool, with everything checked after each. A failure names its seed:
 * `SEED=<number> npx vitest run test/pool/model` repeats it for all kinds, `STEPS=<number>` makes the walk longer.
 */
import { describe, expect, it } from 'vitest'
import { expectNothingLeft, violationsOf } from '../support/model/invariants.js'
import { type ModelSettings, PoolModel } from '../support/model/pool-model.js'
import { Random } from '../support/random.js'

const STEPS = Number(process.env.STEPS ?? 10_000)
const seeds = process.env.SEED === undefined ? [1, 2, 3] : [Number(process.env.SEED)]

/** Those that came to their end. */
const walks: PoolModel[] = []

const kinds: Record<string, ModelSettings> = {
  'one origin, a few connections': {
    options: { maxConnections: 4, keepAliveTimeout: 2_000, acquireTimeout: 3_000 },
    origins: 1,
    kernel: true,
  },
  'without a kernel to ask': {
    options: { maxConnections: 5, keepAliveTimeout: 2_000, maxIdleConnections: 3 },
    origins: 2,
    kernel: false,
  },
  'many origins under a total cap': {
    options: { maxConnections: 3, maxTotalConnections: 5, keepAliveTimeout: 4_000, acquireTimeout: 4_000 },
    origins: 6,
    kernel: true,
  },
  'a total cap without a kernel, first in first out': {
    options: { maxTotalConnections: 3, scheduling: 'fifo', acquireTimeout: 0, connect: { concurrency: 2 } },
    origins: 4,
    kernel: false,
  },
  'short lives and few requests': {
    options: {
      ...{ maxLifetime: 3_000, maxRequests: 3, maxIdleConnections: 1, keepAliveTimeout: 500, keepAliveMargin: 100 },
      ...{ maxConnections: 6, maxWaiting: 4, connect: { concurrency: 2 } },
    },
    origins: 2,
    kernel: true,
  },
  'peers that die': {
    options: { maxConnections: 6, keepAliveTimeout: 30_000, acquireTimeout: 8_000 },
    origins: 1,
    kernel: true,
    liveness: { idle: 2_000, interval: 1_000, probes: 3 },
  },
  'peers that die, under a total cap': {
    options: { maxConnections: 4, maxTotalConnections: 7, maxIdleConnections: 3, scheduling: 'fifo' },
    origins: 3,
    kernel: true,
    liveness: { idle: 1_000, interval: 2_000, probes: 2 },
  },
  'nothing kept': {
    options: { maxIdleConnections: 0, keepAliveTimeout: 0, maxConnections: 3, maxTotalConnections: 4 },
    origins: 3,
    kernel: true,
  },
}

const LIVENESS = [
  { idle: 1_000, interval: 1_000, probes: 1 },
  { idle: 2_000, interval: 1_000, probes: 3 },
  { idle: 10_000, interval: 3_000, probes: 2 },
]

/** Caps, times and servers as the seed has it. */
function byChance(seed: number): ModelSettings {
  const random = new Random(seed)
  const pick = <T>(...values: readonly T[]): T => random.pick(values) as T
  const settings: ModelSettings = {
    options: {
      maxConnections: pick(1, 2, 5, 20),
      maxTotalConnections: pick(1, 4, 10, Infinity),
      maxIdleConnections: pick(0, 1, 3, Infinity),
      maxWaiting: pick(1, 10, 1_000),
      maxRequests: pick(1, 5, Infinity),
      maxLifetime: pick(1_000, 20_000, Infinity),
      acquireTimeout: pick(0, 500, 5_000),
      keepAliveTimeout: pick(0, 300, 5_000),
      keepAliveMargin: pick<'auto' | number>('auto', 0, 200),
      scheduling: pick('lifo', 'fifo'),
      learn: pick(true, true, false),
      connect: { concurrency: pick(1, 3, 32) },
    },
    origins: pick(1, 3, 8),
    kernel: random.percent(60),
  }
  return { ...settings, liveness: settings.kernel ? pick(undefined, ...LIVENESS) : undefined }
}

describe.each([...Object.entries(kinds), ['options by chance', byChance] as const])(
  'the pool under random use: %s',
  (_, settings) => {
    it.each(seeds)(`holds its promises for ${STEPS} steps, with seed %i`, async (seed) => {
      const model = new PoolModel(seed, typeof settings === 'function' ? settings(seed) : settings)
      for (let step = 0; step < STEPS; step++) {
        await model.step()
        check(model, seed)
      }
      if (seed % 2 === 1) await model.finish(() => check(model, seed))
      else await model.demolish()
      check(model, seed)
      expectNothingLeft(model)
      // It was worth it: connections were lent, and ended in many ways.
      expect(model.books.grants).toBeGreaterThan(STEPS / 50)
      expect(model.books.closed.size).toBeGreaterThanOrEqual(typeof settings === 'function' ? 2 : 6)
      walks.push(model)
    })
  },
)

it('all in all, the walks have come to everything that there is to see', ({ skip }) => {
  if (walks.length < (Object.keys(kinds).length + 1) * seeds.length || STEPS < 10_000 || seeds.length < 3)
    skip('not all of them were taken')
  const seen = (what: (model: PoolModel) => number): number => walks.filter((model) => what(model) > 0).length
  // Options by chance may be such that nothing is kept, and nothing is ever sent again.
  expect(seen(({ books }) => books.replayed)).toBeGreaterThanOrEqual(Object.keys(kinds).length * seeds.length)
  expect(seen(({ books }) => books.newGrants)).toBe(walks.length)
  expect(seen(({ lessons }) => lessons.learned)).toBeGreaterThan(walks.length / 2)
  expect(seen(({ lessons }) => lessons.forgotten)).toBeGreaterThan(0)
  expect(seen(({ books }) => books.watched.size)).toBeGreaterThan(walks.length / 2)
  // Those of the two kinds at least whose peers die.
  expect(seen(({ deaths }) => deaths.suspected)).toBeGreaterThanOrEqual(2 * seeds.length)
  expect(seen(({ deaths }) => deaths.recovered)).toBeGreaterThanOrEqual(seeds.length)
  expect(seen(({ deaths }) => deaths.evicted)).toBeGreaterThanOrEqual(2 * seeds.length)
  for (const reason of ['learned-timeout', 'server-fin', 'stale', 'surplus', 'reset', 'max-lifetime'] as const)
    expect(
      seen(({ books }) => books.closed.get(reason) ?? 0),
      reason,
    ).toBeGreaterThan(0)
})

function check(model: PoolModel, seed: number): void {
  const violations = violationsOf(model)
  if (violations.length === 0) return
  throw new Error(`Seed ${seed}: ${violations.join('; ')}. The last steps:\n${model.history.join('\n')}`)
}
