import { describe, expect, it } from 'vitest'
import { OptionError } from '../../src/errors.js'
import { planOf } from '../../src/liveness/presets.js'
import { resolveOptions } from '../../src/options/pool-options.js'

const triple = { idle: 30_000, interval: 5_000, probes: 3 }

function refusal(liveness: unknown): OptionError {
  try {
    resolveOptions({ liveness } as never)
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError)
    return error as OptionError
  }
  throw new Error('The option was taken')
}

describe('the liveness option', () => {
  it.each([
    [false, { kind: 'off' }],
    ['system', { kind: 'system' }],
    ['lan', { kind: 'set', idle: 10_000, interval: 2_000, probes: 3 }],
    ['cloud', { kind: 'set', idle: 30_000, interval: 5_000, probes: 3 }],
    ['mobile', { kind: 'set', idle: 90_000, interval: 12_000, probes: 5 }],
    [triple, { kind: 'set', ...triple }],
    [
      { idle: 1_000, interval: 1_000, probes: 1 },
      { kind: 'set', idle: 1_000, interval: 1_000, probes: 1 },
    ],
    [
      { idle: 32_767_000, interval: 32_767_000, probes: 127 },
      { kind: 'set', idle: 32_767_000, interval: 32_767_000, probes: 127 },
    ],
  ] as const)('%o means %o', (liveness, plan) => {
    expect(planOf(resolveOptions({ liveness }).liveness)).toEqual(plan)
  })

  it.each([0, 1, 5_500, 2 ** 31 - 1])('takes a userTimeout of %i', (userTimeout) => {
    const liveness = { ...triple, userTimeout }
    expect(planOf(resolveOptions({ liveness }).liveness)).toEqual({ kind: 'set', ...liveness })
  })

  it.each([-1, 1.5, 2 ** 31, Infinity, Number.NaN, '5000', null, true])(
    'refuses a userTimeout of %o',
    (userTimeout) => {
      const error = refusal({ ...triple, userTimeout })
      expect(error.option).toBe('liveness.userTimeout')
      expect(error.message).toMatch(/ must be whole milliseconds from 1 to 2147483647, or 0 for none; it is /)
    },
  )

  it('does not know a userTimeout alone', () => {
    expect(refusal({ userTimeout: 5_000 }).option).toBe('liveness.idle')
  })

  it.each([null, true, 0, 30_000, 'wan', 'toString', '', []])('cannot be %o', (liveness) => {
    const error = refusal(liveness)
    expect(error.option).toBe('liveness')
    expect(error.message).toMatch(
      /^Option "liveness" must be false, 'lan', 'cloud', 'mobile', 'system', or \{ idle, interval, probes \}; it is /,
    )
  })

  it.each([undefined, 0, 999, 1_500, 32_768_000, -1_000, Infinity, Number.NaN, '30000', null])(
    'refuses %o for Ti and Td',
    (value) => {
      for (const name of ['idle', 'interval']) {
        const error = refusal({ ...triple, [name]: value })
        expect(error.option).toBe(`liveness.${name}`)
        expect(error.message).toMatch(/ must be whole seconds in milliseconds, from 1000 to 32767000; it is /)
      }
    },
  )

  it.each([undefined, 0, 128, 1.5, -1, Infinity, Number.NaN, '3', null])('refuses %o for Nm', (value) => {
    const error = refusal({ ...triple, probes: value })
    expect(error.option).toBe('liveness.probes')
    expect(error.message).toMatch(/ must be a whole number from 1 to 127; it is /)
  })

  it('refuses a name that it does not know, with the nearest', () => {
    expect(refusal({ ...triple, probe: 3 }).message).toBe(
      'Unknown option "liveness.probe". Did you mean "liveness.probes"?',
    )
    expect(refusal({ ...triple, count: 3 }).message).toBe(
      'Unknown option "liveness.count". Known options: idle, interval, probes, userTimeout.',
    )
  })
})
