import { describe, expect, it } from 'vitest'
import {
  type DoubtFacts,
  isDoubtful,
  mustAsk,
  mustAskAgain,
  owesAnswer,
  unfit,
  wasQuick,
} from '../../src/keepalive/reuse.js'
import { healthy } from '../support/fake-links.js'

/** Idle since 1000, and good then; the server advertised 5 s. */
const facts: DoubtFacts = {
  idleSince: 1_000,
  trustedAt: 1_000,
  advertisedTimeout: 5_000,
  learnedTimeout: undefined,
  suspectedTimeout: undefined,
  keepAliveTimeout: 4_000,
  keepAliveMaxTimeout: 600_000,
  margin: 50,
  lifetimeEndsAt: Infinity,
}

describe('before reuse, a connection', () => {
  it('must be looked at 1 ms after it was known to be good, not in the same', () => {
    expect(mustAsk(facts, 1_000)).toBe(false)
    expect(mustAsk(facts, 1_001)).toBe(true)
  })

  it('is known to be good at the end of an exchange of 499 ms, not of 500', () => {
    expect(wasQuick(501, 1_000)).toBe(true)
    expect(wasQuick(500, 1_000)).toBe(false)
  })

  it('must be looked at again before the write when it idled for 100 ms and the last look was not just now', () => {
    expect(mustAskAgain({ ...facts, trustedAt: 1_099 }, 1_100)).toBe(true)
    expect(mustAskAgain({ ...facts, trustedAt: 1_100 }, 1_100)).toBe(false)
    expect(mustAskAgain({ ...facts, trustedAt: 1_098 }, 1_099)).toBe(false)
  })
})

describe('for a request that must not be repeated, a connection is doubtful', () => {
  it('where nothing could be proven, at 500 ms of idleness, not at 499, whoever has looked at it since', () => {
    expect(isDoubtful(facts, false, 1_499)).toBe(false)
    expect(isDoubtful({ ...facts, trustedAt: 1_500 }, false, 1_500)).toBe(true)
    expect(isDoubtful(facts, true, 5_000)).toBe(false)
  })

  it('where the server is suspected of closing after 3000 ms, at 2950, not at 2949', () => {
    const suspicious = { ...facts, suspectedTimeout: 3_000 }
    expect(isDoubtful(suspicious, true, 3_949)).toBe(false)
    expect(isDoubtful(suspicious, true, 3_950)).toBe(true)
  })

  it('is not doubted for being younger than any idle timer, whatever is suspected', () => {
    const suspicious = { ...facts, suspectedTimeout: 20 }
    expect(isDoubtful(suspicious, true, 1_499)).toBe(false)
    expect(isDoubtful(suspicious, true, 1_500)).toBe(true)
  })
})

describe('a connection is unfit', () => {
  it.each([
    ['the kernel has seen its end', { established: false }, 'stale'],
    ['one byte is unread', { unread: 1 }, 'poisoned'],
    ['its end and a byte have come: the end counts', { established: false, unread: 9 }, 'stale'],
    ['the last data came 4950 ms ago', { sinceLastData: 4_950 }, 'advertised-timeout'],
  ] as const)('when %s', (_, view, reason) => {
    expect(unfit(facts, healthy(view), 1_001)).toBe(reason)
  })

  it('not yet when its peer only owes an answer, which is another question', () => {
    for (const view of [{ probes: 1 }, { retransmits: 1 }]) {
      expect(unfit(facts, healthy(view), 1_001)).toBeUndefined()
      expect(owesAnswer(healthy(view))).toBe(true)
    }
    expect([owesAnswer(healthy()), owesAnswer(undefined)]).toEqual([false, false])
  })

  it('when its time is over, kernel or not', () => {
    expect(unfit(facts, healthy(), 5_949)).toBeUndefined()
    expect(unfit(facts, healthy(), 5_950)).toBe('advertised-timeout')
    expect(unfit(facts, undefined, 5_949)).toBeUndefined()
    expect(unfit(facts, undefined, 5_950)).toBe('advertised-timeout')
  })

  it('when the time is over that was learned, kernel or not', () => {
    const taught = { ...facts, learnedTimeout: 3_000 }
    expect(unfit(taught, healthy(), 3_949)).toBeUndefined()
    expect(unfit(taught, healthy(), 3_950)).toBe('learned-timeout')
    expect(unfit(taught, undefined, 3_950)).toBe('learned-timeout')
    expect(unfit(taught, healthy({ sinceLastData: 2_950 }), 1_001)).toBe('learned-timeout')
  })

  it('not while the last data came 4949 ms ago and nothing is wrong', () => {
    expect(unfit(facts, healthy({ sinceLastData: 4_949, rtt: 40, rttVariance: 2, bytesReceived: 9 }), 1_001)).toBe(
      undefined,
    )
  })
})
