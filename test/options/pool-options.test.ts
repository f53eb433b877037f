import { metrics } from '@opentelemetry/api'
import { describe, expect, it } from 'vitest'
import { OptionError } from '../../src/errors.js'
import { type optionSpecs, resolveOptions } from '../../src/options/pool-options.js'

/** What resolving throws. */
function refusal(options: unknown): OptionError {
  try {
    resolveOptions(options)
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError)
    return error as OptionError
  }
  throw new Error('The options were taken')
}

const milliseconds = {
  good: [1, 1.5, 2 ** 31 - 1],
  bad: [-1, 2 ** 31, Infinity, Number.NaN, '5', null, true, {}, [5]],
}
const counts = { good: [1, 2, Infinity], bad: [-1, 1.5, Number.NaN, -Infinity, 2 ** 53, '5', null, {}, 5n] }

/** Each plain option: its default, values it takes, values it does not. */
const table: Record<keyof typeof optionSpecs, { default: unknown; good: unknown[]; bad: unknown[] }> = {
  name: {
    default: 'default',
    good: ['api', 'Zahlungen, EU', 'x'.repeat(100)],
    bad: ['', 'x'.repeat(101), 'a\nb', '\t', 1, null, {}],
  },
  meter: { default: undefined, good: [metrics.getMeter('test')], bad: [{}, null, 'otel', { createHistogram() {} }] },
  maxConnections: { default: 256, good: counts.good, bad: [0, ...counts.bad] },
  maxTotalConnections: { default: Infinity, good: counts.good, bad: [0, ...counts.bad] },
  maxIdleConnections: { default: Infinity, good: [0, ...counts.good], bad: counts.bad },
  scheduling: { default: 'lifo', good: ['lifo', 'fifo'], bad: ['LIFO', 'random', '', 1, null] },
  maxWaiting: { default: 10_000, good: counts.good, bad: [0, ...counts.bad] },
  acquireTimeout: { default: 30_000, good: [0, ...milliseconds.good], bad: [0.5, ...milliseconds.bad] },
  keepAliveTimeout: { default: 'auto', good: [0, 'auto', ...milliseconds.good], bad: ['never', ...milliseconds.bad] },
  keepAliveMaxTimeout: { default: 600_000, good: milliseconds.good, bad: [0, 'auto', ...milliseconds.bad] },
  keepAliveMargin: { default: 'auto', good: [0, 'auto', ...milliseconds.good], bad: ['none', ...milliseconds.bad] },
  maxRequests: { default: Infinity, good: counts.good, bad: [0, ...counts.bad] },
  maxLifetime: { default: Infinity, good: [1, 2 ** 31 - 1, Infinity], bad: [0, -1, 2 ** 31, Number.NaN, '5', null] },
  learn: { default: true, good: [true, false], bad: [0, 1, 'true', 'off', null, {}] },
  replay: {
    default: 'proven',
    good: ['off', 'idempotent', 'proven', 'closing'],
    bad: ['all', 'Proven', '', true, false, 1, null, ['proven']],
  },
  headersTimeout: { default: 300_000, good: [0, ...milliseconds.good], bad: [0.5, ...milliseconds.bad] },
  bodyTimeout: { default: 300_000, good: [0, ...milliseconds.good], bad: [0.5, ...milliseconds.bad] },
}

describe('options', () => {
  it('all have a default', () => {
    const defaults = Object.fromEntries(Object.entries(table).map(([name, entry]) => [name, entry.default]))
    const structures = { liveness: 'cloud', through: [], connect: { timeout: 10_000, concurrency: 32, rest: {} } }
    const all = { ...defaults, ...structures, idleLimit: undefined }
    expect(resolveOptions()).toEqual(all)
    expect(resolveOptions({})).toEqual(all)
    const names = [...Object.keys(table), ...Object.keys(structures)]
    const unset = Object.fromEntries(names.map((name) => [name, undefined]))
    expect(resolveOptions(unset)).toEqual(all)
  })

  describe.each(Object.entries(table))('%s', (name, { good, bad }) => {
    it.each(good)('takes %o as it is', (value) => {
      expect(resolveOptions({ [name]: value })).toMatchObject({ [name]: value })
    })

    it.each(bad.map((value) => [value]))('refuses %o, naming itself, the value and its type', (value) => {
      const error = refusal({ [name]: value })
      expect(error).toMatchObject({ code: 'ERR_KEEPWISE_OPTION', option: name, name: 'OptionError' })
      expect(error.message).toMatch(new RegExp(`^Option "${name}" must be .+; it is .*\\(${typeof value}\\)\\.$`))
    })
  })

  it('name what they want and what they got', () => {
    expect(refusal({ maxConnections: 0 }).message).toBe(
      'Option "maxConnections" must be a whole number of at least 1, or Infinity for no limit; it is 0 (number).',
    )
    expect(refusal({ scheduling: 'random' }).message).toBe(
      `Option "scheduling" must be one of 'lifo', 'fifo'; it is 'random' (string).`,
    )
    expect(refusal({ learn: 'yes' }).message).toBe(`Option "learn" must be one of true, false; it is 'yes' (string).`)
    expect(refusal({ replay: true }).message).toBe(
      `Option "replay" must be one of 'off', 'idempotent', 'proven', 'closing'; it is true (boolean).`,
    )
    expect(refusal({ acquireTimeout: '5s' }).message).toBe(
      `Option "acquireTimeout" must be milliseconds from 1 to 2147483647, or 0 for no limit; it is '5s' (string).`,
    )
    expect(refusal({ maxLifetime: 0 }).message).toBe(
      'Option "maxLifetime" must be milliseconds from 1 to 2147483647, or Infinity; it is 0 (number).',
    )
  })

  it.each([null, 5, 'lifo', [], true])('as a whole cannot be %o', (options) => {
    expect(refusal(options)).toMatchObject({ option: 'options' })
    expect(refusal(options).message).toMatch(/^Options must be an object; they are /)
  })
})

describe('an unknown option', () => {
  it.each([
    // What the same thing is called in undici, node:http and agentkeepalive.
    ['idleTimeout', 'keepAliveTimeout'],
    ['freeSocketTimeout', 'keepAliveTimeout'],
    ['keepAlive', 'keepAliveTimeout'],
    ['keepAliveTimeoutThreshold', 'keepAliveMargin'],
    ['connections', 'maxConnections'],
    ['maxSockets', 'maxConnections'],
    ['maxTotalSockets', 'maxTotalConnections'],
    ['maxFreeSockets', 'maxIdleConnections'],
    ['maxRequestsPerClient', 'maxRequests'],
    ['clientTtl', 'maxLifetime'],
    ['socketActiveTTL', 'maxLifetime'],
    ['keepAliveMsecs', 'liveness'],
    ['keepAliveInitialDelay', 'liveness'],
    ['connectTimeout', 'connect.timeout'],
    ['socketPath', 'connect.socketPath'],
    ['tls', 'connect'],
    // Misspelt.
    ['maxConnection', 'maxConnections'],
    ['maxconnections', 'maxConnections'],
    ['maxConections', 'maxConnections'],
    ['sheduling', 'scheduling'],
    ['livenes', 'liveness'],
    ['trough', 'through'],
    ['headerTimeout', 'headersTimeout'],
    ['lern', 'learn'],
    ['repaly', 'replay'],
    ['keepAliveMaxTimeuot', 'keepAliveMaxTimeout'],
  ])('%s is refused, and %s suggested', (name, meant) => {
    const error = refusal({ [name]: 5 })
    expect(error.message).toBe(`Unknown option "${name}". Did you mean "${meant}"?`)
    expect(error.option).toBe(name)
  })

  it.each(['zzz', 'toString', 'constructor'])('%s that is like none is refused with a list of all', (name) => {
    expect(refusal({ [name]: 5 }).message).toBe(
      `Unknown option "${name}". Known options: ${[...Object.keys(table), 'connect', 'liveness', 'through'].join(', ')}.`,
    )
  })

  it('is refused even when its value is undefined', () => {
    expect(refusal({ idleTimeout: undefined }).message).toContain('keepAliveTimeout')
  })
})
