import { describe, expect, it } from 'vitest'
import type { Connection } from '../../src/pool/connection.js'
import { type Casualty, type Finding, investigate } from '../../src/pool/investigate.js'
import { type ReplayLevel, replayLevels } from '../../src/replay/permission.js'
import type { Evidence } from '../../src/replay/verdict.js'

const refused: Evidence = {
  written: 90,
  sent: 90,
  acknowledged: 0,
  fin: true,
  reset: true,
  requestTimeout: false,
  watched: 12,
}
const unknown: Evidence = { ...refused, acknowledged: 90 }

/** A connection that a POST raced on, and what is asked of it and told about it. */
function scene(seen: Evidence, given: Partial<Casualty> = {}) {
  const patience: boolean[] = []
  const raced: number[] = []
  const findings: Finding[] = []
  let answer = (): void => {}
  const connection = {
    link: {
      inquire(patiently: boolean, done: (evidence: Evidence) => void) {
        patience.push(patiently)
        answer = () => done(seen)
      },
    },
    origin: { raced: (_connection: unknown, diedAt: number) => raced.push(diedAt) },
  } as unknown as Connection
  const casualty: Casualty = {
    reused: true,
    end: 'peer',
    answered: false,
    replays: 0,
    repeatable: true,
    harmless: false,
    requestTimeout: false,
    ...given,
  }
  return {
    patience,
    raced,
    findings,
    begin: (level: ReplayLevel) => investigate(connection, level, casualty, 4711, (finding) => findings.push(finding)),
    answer: () => answer(),
  }
}

function find(level: ReplayLevel, seen: Evidence, given?: Partial<Casualty>) {
  const { begin, answer, findings, ...rest } = scene(seen, given)
  begin(level)
  answer()
  expect(findings).toHaveLength(1)
  return { ...rest, ...findings[0]! }
}

describe('the investigation of a request that died', () => {
  it('waits for the evidence, and says once what was found', () => {
    const { begin, answer, findings } = scene(refused)
    begin('proven')
    expect(findings).toEqual([])
    answer()
    expect(findings).toEqual([{ verdict: 'refused', evidence: refused, refusal: undefined }])
  })

  it('is patient only where proof decides, and nothing else speaks against a replay', () => {
    const patience = (given: Partial<Casualty>) => replayLevels.map((level) => find(level, refused, given).patience)
    expect(patience({})).toEqual([[false], [false], [true], [true]])
    expect(patience({ harmless: true })).toEqual([[false], [false], [false], [false]])
    for (const fault of [
      { reused: false },
      { end: 'other' },
      { answered: true },
      { replays: 2 },
      { repeatable: false },
    ] as const)
      expect(patience(fault)).toEqual([[false], [false], [false], [false]])
  })

  it('says what speaks against it whatever the evidence is, and the verdict all the same', () => {
    expect(find('proven', refused, { repeatable: false })).toMatchObject({ verdict: 'refused', refusal: 'body-gone' })
    expect(find('off', refused)).toMatchObject({ verdict: 'refused', refusal: 'off' })
    expect(find('closing', unknown, { reused: false })).toMatchObject({ verdict: 'unknown', refusal: 'new-connection' })
  })

  it('says that it was not proven where the verdict does not do', () => {
    expect(find('idempotent', refused).refusal).toBe('not-proven')
    expect(find('proven', unknown).refusal).toBe('not-proven')
    expect(find('closing', unknown, { harmless: true }).refusal).toBeUndefined()
  })

  it('counts a 408 among the evidence', () => {
    const silent = { ...refused, fin: false, reset: false }
    const found = find('closing', silent, { requestTimeout: true })
    expect(found).toMatchObject({
      verdict: 'closing',
      refusal: undefined,
      evidence: { ...silent, requestTimeout: true },
    })
    expect(find('closing', silent).verdict).toBe('unknown')
  })

  it('remembers that the server was about to close, whenever the evidence says so, replay or not', () => {
    expect(find('proven', refused).raced).toEqual([4711])
    expect(find('off', refused).raced).toEqual([4711])
    expect(find('closing', unknown).raced).toEqual([])
  })
})
