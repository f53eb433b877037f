/** Moments of a log in a person's words. */
import { describe, expect, it } from 'vitest'
import { momentOf, whenOf } from '../../src/timeline/moment.js'

const begin = Date.UTC(2026, 10, 22, 23, 59, 30)
const end = begin + 60_000

const iso = (text: string): string | undefined => {
  const when = whenOf(text)
  return when && new Date(momentOf(when, begin, end)).toISOString()
}

describe('a moment', () => {
  it.each([
    ['0', '2026-11-22T23:59:30.000Z'],
    ['12.5', '2026-11-22T23:59:42.500Z'],
    ['12.5s', '2026-11-22T23:59:42.500Z'],
    ['500ms', '2026-11-22T23:59:30.500Z'],
    ['.5 min', '2026-11-23T00:00:00.000Z'],
    ['1h', '2026-11-23T00:59:30.000Z'],
    ['-10', '2026-11-23T00:00:20.000Z'],
    ['-250ms', '2026-11-23T00:00:29.750Z'],
    ['23:59:40', '2026-11-22T23:59:40.000Z'],
    ['23:59', '2026-11-22T23:59:00.000Z'],
    ['00:00:10.25', '2026-11-23T00:00:10.250Z'],
    ['2026-11-23T00:00:10', '2026-11-23T00:00:10.000Z'],
    ['2026-11-23 00:00:10.5', '2026-11-23T00:00:10.500Z'],
    ['2026-11-23T01:00:10+01:00', '2026-11-23T00:00:10.000Z'],
    ['2026-11-23', '2026-11-23T00:00:00.000Z'],
  ])('%s of a log from 23:59:30 to 00:00:30', (text, moment) => {
    expect(iso(text)).toBe(moment)
  })

  it.each(['', 'now', '1x', '1 2', '25:00', '10:60', '10:00:60', '2026-13-01', '--1', 'Infinity', '1e3'])(
    '"%s" is none',
    (text) => {
      expect(iso(text)).toBeUndefined()
    },
  )
})
