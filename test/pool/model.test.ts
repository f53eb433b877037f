/**
 * Ten thousand random steps for each kind of pool, with everything checked after each. A failure names its seed:
 * `SEED=<number> npx vitest run test/pool/model` repeats it for all kinds, `STEPS=<number>` makes the walk longer.
 */
import { describe, expect, it } from 'vitest'
import { expectNothingLeft, violationsOf } from '../support/pool-invariants.js'
import { type ModelSettings, PoolModel } from '../support/pool-model.js'

const STEPS = Number(process.env.STEPS ?? 10_000)
const seeds = process.env.SEED === undefined ? [1, 2] : [Number(process.env.SEED)]

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
  'nothing kept': {
    options: { maxIdleConnections: 0, keepAliveTimeout: 0, maxConnections: 3, maxTotalConnections: 4 },
    origins: 3,
    kernel: true,
  },
}

describe.each(Object.entries(kinds))('the pool under random use: %s', (_, settings) => {
  it.each(seeds)(`holds its promises for ${STEPS} steps, with seed %i`, async (seed) => {
    const model = new PoolModel(seed, settings)
    for (let step = 0; step < STEPS; step++) {
      await model.step()
      check(model, seed)
    }
    if (seed % 2 === 1) await model.finish()
    else await model.demolish()
    check(model, seed)
    expectNothingLeft(model)
    // It was worth it: most of what can happen has happened.
    expect(model.counted.grants).toBeGreaterThan(STEPS / 20)
  })
})

function check(model: PoolModel, seed: number): void {
  const violations = violationsOf(model)
  if (violations.length === 0) return
  throw new Error(`Seed ${seed}: ${violations.join('; ')}. The last steps:\n${model.history.join('\n')}`)
}
