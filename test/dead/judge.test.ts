import { describe, expect, it } from 'vitest'
import { complaint, judge, type Verdict } from '../../bench/dead/judge.js'

interface Lane {
  contestant?: string
  scene?: string
  answered?: boolean
  after?: number
  code?: string
  next?: { took: number; code?: string }
}

const lane = (told: Lane = {}) => ({ contestant: 'keepwise', scene: 'waiting', next: { took: 40 }, ...told })
const dead = (after: number, told: Lane = {}) => lane({ answered: false, after, code: 'ETIMEDOUT', ...told })
const only = (verdicts: Verdict[]): Verdict => {
  expect(verdicts).toHaveLength(1)
  return verdicts[0]!
}

describe('what lanes amount to', () => {
  it('known in all of them: from the first to the last, with every code once', () => {
    const verdict = only(judge([dead(5_100), dead(4_900, { code: 'ECONNRESET' }), dead(5_000)]))
    expect(verdict).toMatchObject({ contestant: 'keepwise', scene: 'waiting', lanes: 3, answered: 0, ended: 3 })
    expect(verdict.after).toEqual({ first: 4_900, last: 5_100 })
    expect(verdict.codes).toEqual(['ETIMEDOUT', 'ECONNRESET'])
  })

  it('not known in one of them: no time at all', () => {
    expect(only(judge([dead(5_000), lane()]))).toMatchObject({ lanes: 2, ended: 1, after: undefined })
  })

  it('answered: no code, and the time of the answers', () => {
    const verdict = only(judge([lane({ answered: true, after: 20_050 })]))
    expect(verdict).toMatchObject({ answered: 1, ended: 0, codes: [], after: { first: 20_050, last: 20_050 } })
  })

  it('a socket that was closed without an error has an empty code', () => {
    expect(only(judge([lane({ answered: false, after: 4_000 })])).codes).toEqual([''])
  })

  it('one verdict for each contestant and scene, in the order of their first lanes', () => {
    const lanes = [lane({ scene: 'idle' }), lane(), lane({ contestant: 'undici' }), lane({ scene: 'idle' })]
    const verdicts = judge(lanes)
    expect(verdicts.map(({ contestant, scene }) => `${contestant} ${scene}`)).toEqual([
      'keepwise idle',
      'keepwise waiting',
      'undici waiting',
    ])
    expect(verdicts.map((verdict) => verdict.lanes)).toEqual([2, 1, 1])
  })

  it('counts next requests that failed, and gives the times of all', () => {
    const verdict = only(judge([lane(), lane({ next: { took: 20_000, code: 'no answer' } })]))
    expect(verdict.next).toEqual({ failed: 1, took: { first: 40, last: 20_000 } })
  })
})

describe('a complaint about keepwise', () => {
  const complain = (lanes: ReturnType<typeof lane>[], kind: 'dead' | 'mended' | 'living') =>
    complaint(only(judge(lanes)), { kind })

  it('is not made of peers that are known to be dead at 6000 ms', () => {
    expect(complain([dead(6_000), dead(5_000)], 'dead')).toBeUndefined()
  })

  it('is made at 6001 ms', () => {
    expect(complain([dead(6_001), dead(5_000)], 'dead')).toContain('known after 6001 ms')
  })

  it('is made of a lane in which nothing is known, and of one that was closed without a word', () => {
    expect(complain([dead(5_000), lane()], 'dead')).toContain('only 1 of 2')
    expect(complain([lane({ answered: false, after: 5_000 })], 'dead')).toContain('without a word')
  })

  it('is made of a living peer that was not answered, and of a request that was not healed', () => {
    const answered = lane({ answered: true, after: 20_000 })
    expect(complain([answered, answered], 'living')).toBeUndefined()
    expect(complain([answered, dead(5_000)], 'living')).toContain('only 1 of 2 were answered')
    expect(complain([lane()], 'mended')).toContain('only 0 of 1 were answered')
  })

  it('is made of a next request that failed', () => {
    expect(complain([dead(5_000, { next: { took: 5, code: 'ECONNRESET' } })], 'dead')).toContain('1 of 1 next requests')
  })
})
