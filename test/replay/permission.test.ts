import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Death,
  isIdempotent,
  MOST_REPLAYS,
  needsProof,
  permits,
  type ReplayLevel,
  type ReplayRefusal,
  refusalWithoutTrial,
  replayLevels,
} from '../../src/replay/permission.js'
import type { Verdict } from '../../src/replay/verdict.js'

const verdicts: readonly Verdict[] = ['unsent', 'refused', 'closing', 'unknown']

describe('a verdict allows a request to be sent again', () => {
  /** Which verdicts do, for what must not be repeated, and for what may. */
  const table: [level: ReplayLevel, harmful: Verdict[], harmless: Verdict[]][] = [
    ['off', [], []],
    ['idempotent', ['unsent'], ['unsent', 'refused', 'closing', 'unknown']],
    ['proven', ['unsent', 'refused'], ['unsent', 'refused', 'closing', 'unknown']],
    ['closing', ['unsent', 'refused', 'closing'], ['unsent', 'refused', 'closing', 'unknown']],
  ]
  it.each(table)('under "%s": %j, and where a repetition does no harm %j', (level, harmful, harmless) => {
    expect(verdicts.filter((verdict) => permits(level, verdict, false))).toEqual(harmful)
    expect(verdicts.filter((verdict) => permits(level, verdict, true))).toEqual(harmless)
  })

  it('has a row for every level, in their order', () => {
    expect(table.map(([level]) => level)).toEqual(replayLevels)
  })

  it('is worth waiting for only where it decides', () => {
    expect(replayLevels.map((level) => needsProof(level, false))).toEqual([false, false, true, true])
    expect(replayLevels.map((level) => needsProof(level, true))).toEqual([false, false, false, false])
    // Where nobody waits, what may still be found out makes no difference.
    for (const level of replayLevels)
      for (const harmless of [false, true]) {
        const allowed = verdicts.filter((verdict) => verdict !== 'unsent' && permits(level, verdict, harmless))
        if (!needsProof(level, harmless)) expect([0, 3]).toContain(allowed.length)
      }
  })
})

describe('idempotent methods', () => {
  it('are those of RFC 9110 9.2.2', () => {
    const methods = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'POST', 'PATCH', 'CONNECT', 'LOCK', 'QUERY']
    expect(methods.filter(isIdempotent)).toEqual(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
  })

  it('are written in capitals, as methods are (RFC 9110 9.1)', () => {
    expect(['get', 'Put', 'delete', ''].filter(isIdempotent)).toEqual([])
  })
})

describe('a request is not sent again, whatever the evidence', () => {
  const replayable: Death = { reused: true, end: 'peer', answered: false, replays: 0, repeatable: true }

  /** What speaks against it, the first word first. */
  const against: [why: ReplayRefusal, fault: Partial<Death> | 'off'][] = [
    ['new-connection', { reused: false }],
    ['not-the-peer', { end: 'other' }],
    ['response-begun', { answered: true }],
    ['off', 'off'],
    ['too-many', { replays: MOST_REPLAYS }],
    ['body-gone', { repeatable: false }],
  ]

  it.each(against)('"%s"', (why, fault) => {
    const [level, death] = suffering([fault])
    expect(refusalWithoutTrial(level, death)).toBe(why)
  })

  it('for the first of several reasons', () => {
    const faults = fc.shuffledSubarray(against, { minLength: 1 })
    fc.assert(
      fc.property(faults, (chosen) => {
        const [level, death] = suffering(chosen.map(([, fault]) => fault))
        const first = against.find((one) => chosen.includes(one))
        expect(refusalWithoutTrial(level, death)).toBe(first?.[0])
      }),
    )
  })

  it('unless nothing speaks against it, under every level but "off"', () => {
    const levels = replayLevels.filter((level) => refusalWithoutTrial(level, replayable) === undefined)
    expect(levels).toEqual(['idempotent', 'proven', 'closing'])
  })

  it('but not because its connection was new, where its peer has died', () => {
    const dead: Death = { ...replayable, reused: false, end: 'death' }
    expect(refusalWithoutTrial('proven', dead)).toBeUndefined()
    expect(refusalWithoutTrial('proven', { ...dead, answered: true })).toBe('response-begun')
    expect(refusalWithoutTrial('proven', { ...dead, replays: MOST_REPLAYS })).toBe('too-many')
    expect(refusalWithoutTrial('off', dead)).toBe('off')
  })

  it('a third time', () => {
    const refusals = [0, 1, 2, 3].map((replays) => refusalWithoutTrial('closing', { ...replayable, replays }))
    expect(refusals).toEqual([undefined, undefined, 'too-many', 'too-many'])
  })

  function suffering(faults: (Partial<Death> | 'off')[]): [ReplayLevel, Death] {
    const level = faults.includes('off') ? 'off' : 'closing'
    return [level, Object.assign({ ...replayable }, ...faults.filter((fault) => fault !== 'off'))]
  }
})
