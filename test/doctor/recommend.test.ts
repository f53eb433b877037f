/** What the doctor recommends, by rule; and that a pool takes it as it is pasted, and has nothing to say against it. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.js'
import type { Conditions, Facts } from '../../src/doctor/facts.js'
import { literal, pasteable, wrapped } from '../../src/doctor/pasteable.js'
import { type Recommendation, recommend } from '../../src/doctor/recommend.js'
import { middleboxNames } from '../../src/liveness/middleboxes.js'
import type { Native } from '../../src/liveness/native.js'
import type { LivenessTriple } from '../../src/liveness/presets.js'
import { type PoolOptions, resolveOptions } from '../../src/options/pool-options.js'
import { Pool } from '../../src/pool.js'
import { advertised, closing, conditions, cost, facts, idle, requests } from './support.js'

const advice = (change: Partial<Facts>, more: Partial<Conditions> = {}): Recommendation =>
  recommend(facts({ cost: cost({ roundTrip: 1 }), ...change }), { ...conditions, ...more })

const options = (change: Partial<Facts>, more: Partial<Conditions> = {}): PoolOptions => advice(change, more).options

/** Runs pasted code with a `createPool` that gives out its options. */
function pasted(code: string): PoolOptions | undefined {
  const [, call = ''] = /^import \{ createPool \} from 'keepwise'\n\n(.*)$/s.exec(code) ?? []
  return new Function('createPool', `${call}; return pool`)((given: PoolOptions) => given)
}

describe('nothing is recommended', () => {
  it('where the defaults are right: an honest server, or one that keeps connections for longer than 30 s', () => {
    expect(options({ advertised: advertised({ timeout: 5_000 }), idle: closing(6_000) })).toEqual({})
    expect(options({ idle: closing(75_000) })).toEqual({})
    expect(options({ idle: idle() })).toEqual({})
  })

  it('of what keeps no connection, and of what was not measured', () => {
    expect(options({ advertised: advertised({ persists: false }), idle: null, requests: null })).toEqual({})
    expect(options({ cost: null, idle: null, requests: null, tcpKeepAlive: null })).toEqual({})
  })

  it('and each option has its reason all the same', () => {
    const { unchanged, reasons } = advice({})
    expect(reasons).toEqual([])
    expect(unchanged.map(({ option }) => option)).toContain('keepAliveTimeout')
    for (const { reason } of unchanged) expect(reason).toMatch(/\w/)
  })
})

describe('keepAliveTimeout', () => {
  it('is a little less than a timeout below 30 s that is not advertised, by round trip and at least 50 ms', () => {
    expect(options({ idle: closing(2_003) })).toEqual({ keepAliveTimeout: 1_950 })
    expect(options({ idle: closing(2_003), cost: cost({ roundTrip: 210 }) })).toMatchObject({ keepAliveTimeout: 1_750 })
    expect(options({ idle: closing(30_040) })).toEqual({ keepAliveTimeout: 29_950 })
    expect(options({ idle: closing(30_050) })).toEqual({})
  })

  it('is below the age at which a connection was seen to live, where it ends in silence', () => {
    const gone = idle({ end: 'silence', atLeast: 9_000, atMost: 10_000, acknowledged: true })
    expect(options({ idle: gone })).toEqual({ keepAliveTimeout: 8_950 })
  })

  it('is 0 where connections end at once', () => {
    expect(options({ idle: closing(30) })).toEqual({ keepAliveTimeout: 0 })
  })

  it('is raised where pauses of more than 30 s are to be expected, up to what the server and those between give', () => {
    const slow = { longestSilence: 40_000 }
    expect(options({ idle: closing(75_000) }, slow)).toMatchObject({ keepAliveTimeout: 74_950 })
    expect(options({ idle: closing(75_000) }, { ...slow, through: ['aws-alb'] })).toMatchObject({
      keepAliveTimeout: 59_950,
      through: ['aws-alb'],
    })
  })
})

describe('keepAliveMaxTimeout', () => {
  it('is what the server keeps, where it advertises more', () => {
    const liar = { advertised: advertised({ timeout: 60_000 }), idle: closing(1_020) }
    expect(options(liar)).toEqual({ keepAliveMaxTimeout: 1_000 })
    const gone = idle({ end: 'reset-on-request', atLeast: 9_020, atMost: 10_000, acknowledged: true })
    expect(options({ ...liar, idle: gone })).toEqual({ keepAliveMaxTimeout: 9_000 })
  })

  it('is left alone where that was not seen', () => {
    expect(options({ advertised: advertised({ timeout: 600_000 }), idle: idle() })).toEqual({})
  })
})

describe('maxRequests', () => {
  it.each([
    [{ closedAfter: 4, announced: false }, 4],
    [{ closedAfter: 50, announced: true, max: 100, dialect: 'total', promised: 100 }, 50],
    [{ closedAfter: 6, announced: true, max: 5, dialect: 'remaining', promised: 6 }, undefined],
    [{ closedAfter: 8, announced: true }, undefined],
  ] as const)('of %j is %s', (change, maxRequests) => {
    expect(options({ requests: requests(change) }).maxRequests).toBe(maxRequests)
  })
})

describe('liveness', () => {
  const tiOf = (longestSilence: number, more: Partial<Conditions> = {}, change: Partial<Facts> = {}) =>
    (options(change, { longestSilence, ...more }).liveness as LivenessTriple | undefined)?.idle

  it('stays as it is while Ti of 30 s is at least twice the longest silence', () => {
    expect(tiOf(15_000)).toBe(undefined)
    expect(tiOf(15_100)).toBe(37_000)
  })

  it('has Ti two to three times the longest silence, below half of the shortest timeout in between', () => {
    expect(tiOf(40_000)).toBe(100_000)
    expect(tiOf(60_000)).toBe(120_000) // of 240 s, the shortest that is common
    expect(tiOf(60_000, { through: ['aws-nlb'] })).toBe(150_000)
    expect(tiOf(100_000, { through: ['aws-nlb'] })).toBe(175_000)
  })

  it('takes the slowest response for the longest silence, where none is told', () => {
    const { liveness } = options({ cost: cost({ slowest: 20_000 }) })
    expect(liveness).toMatchObject({ idle: 50_000 })
  })

  it('probes in half the time after which a connection was gone without a word', () => {
    const gone = idle({ end: 'silence', atLeast: 9_000, atMost: 10_000, acknowledged: false })
    expect(options({ idle: gone }).liveness).toEqual({ idle: 4_000, interval: 4_000, probes: 3 })
  })

  it('does not, where the peer received the request: probes would be answered, and help nothing', () => {
    const deaf = idle({ end: 'silence', atLeast: 9_000, atMost: 10_000, acknowledged: true })
    expect(options({ idle: deaf }).liveness).toBe(undefined)
  })

  it('has Td of several round trips', () => {
    expect(options({ cost: cost({ roundTrip: 900 }) }, { longestSilence: 40_000 }).liveness).toMatchObject({
      interval: 9_000,
    })
  })
})

describe('headersTimeout', () => {
  it('is twice the longest silence, if that is more than its default', () => {
    expect(options({}, { longestSilence: 150_000 }).headersTimeout).toBe(undefined)
    expect(options({}, { longestSilence: 200_000 }).headersTimeout).toBe(400_000)
  })
})

const time = (max: number) => fc.integer({ min: 1, max })
const anyIdle = fc.oneof(
  time(600_000).map((timeout) => closing(timeout)),
  fc
    .record({
      at: time(600_000),
      end: fc.constantFrom('silence' as const, 'reset-on-request' as const),
      acknowledged: fc.constantFrom(true, false, null),
    })
    .map(({ at, end, acknowledged }) => idle({ end, atLeast: at * 0.9, atMost: at, acknowledged })),
  time(600_000).map((atLeast) => idle({ atLeast })),
)
const anyFacts = fc.record({
  idle: anyIdle,
  advertised: fc
    .option(
      time(600).map((seconds) => seconds * 1000),
      { nil: null },
    )
    .map((timeout) => advertised({ timeout })),
  requests: fc.oneof(
    fc.constant(requests()),
    time(100).map((closedAfter) => requests({ closedAfter, announced: false })),
  ),
  cost: fc.record({ roundTrip: time(900), slowest: time(100_000) }).map((change) => cost(change)),
})
const anyConditions = fc.record({
  through: fc.uniqueArray(fc.constantFrom(...middleboxNames), { maxLength: 3 }),
  longestSilence: fc.option(time(400_000), { nil: undefined }),
})

describe('whatever was measured', () => {
  /** Which the doctor knows less of than its user: what is said in `through`, and what the server says. */
  const notOurs = ['closed-sooner', 'chatty']

  it('a pool takes the options as they are pasted, they differ from its defaults, and it warns of none', () => {
    const ground = { clock: systemClock, native: { native: { version: '0' } as Native } }
    const defaults = resolveOptions()
    fc.assert(
      fc.property(anyFacts, anyConditions, (change, more) => {
        const recommendation = advice(change, more)
        const code = pasteable(recommendation)
        const given = pasted(code) ?? {}
        expect(given).toEqual(recommendation.options)
        expect(recommendation.reasons.map(({ option }) => option)).toEqual(Object.keys(given))
        const resolved = resolveOptions(given)
        for (const name of Object.keys(given) as (keyof PoolOptions)[])
          expect(resolved[name as 'liveness']).not.toEqual(defaults[name as 'liveness'])
        const { warnings } = new Pool(resolved, ground).explain('http://localhost')
        expect(warnings.map(({ code }) => code).filter((code) => !notOurs.includes(code))).toEqual([])
        for (const line of code.split('\n')) expect(line.length).toBeLessThanOrEqual(120)
      }),
      { numRuns: 300 },
    )
  })
})

describe('pasteable code', () => {
  it('has a comment for each option', () => {
    const code = pasteable({
      options: {
        keepAliveTimeout: 1_950,
        through: ['aws-nlb', 'nginx'],
        liveness: { idle: 4_000, interval: 4_000, probes: 3 },
      },
      reasons: [
        { option: 'keepAliveTimeout', reason: 'because' },
        { option: 'through', reason: 'known' },
        { option: 'liveness', reason: 'a reason '.repeat(15).trim() },
      ],
      unchanged: [],
    })
    expect(code.split('\n')).toEqual([
      "import { createPool } from 'keepwise'",
      '',
      'const pool = createPool({',
      '  // Because.',
      '  keepAliveTimeout: 1_950,',
      '  // Known.',
      "  through: ['aws-nlb', 'nginx'],",
      `  // A reason ${'a reason '.repeat(9)}a`,
      `  // ${'reason a '.repeat(4)}reason.`,
      '  liveness: { idle: 4_000, interval: 4_000, probes: 3 },',
      '})',
      '',
    ])
  })

  it('writes numbers with their thousands apart', () => {
    expect([0, 999, 1_000, 1_234_567].map(literal)).toEqual(['0', '999', '1_000', '1_234_567'])
  })

  it('breaks lines at spaces, and a word that is too long not at all', () => {
    expect(wrapped('aa bb cc', 5)).toEqual(['aa bb', 'cc'])
    expect(wrapped('aaaaaaaa b', 5)).toEqual(['aaaaaaaa', 'b'])
  })
})
