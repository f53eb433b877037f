import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  expired,
  type IdleFacts,
  idleAllowance,
  idleDeadline,
  idleReason,
  untaughtAllowance,
} from '../../src/keepalive/expiry.js'

/** Idle since 1000; nothing advertised, nothing learned, 4 s by option. */
function facts(own: Partial<IdleFacts> = {}): IdleFacts {
  const options = { keepAliveTimeout: 4_000, keepAliveMaxTimeout: 600_000, margin: 50 }
  const said = { advertisedTimeout: undefined, learnedTimeout: undefined }
  return { idleSince: 1_000, lifetimeEndsAt: Infinity, ...said, ...options, ...own }
}

const times = fc.nat(10_000_000)

/** Facts of any kind. */
const anyFacts = fc.record({
  idleSince: times,
  advertisedTimeout: fc.option(times, { nil: undefined }),
  learnedTimeout: fc.option(times, { nil: undefined }),
  keepAliveTimeout: times,
  throughTimeout: fc.option(times, { nil: undefined }),
  keepAliveMaxTimeout: fc.integer({ min: 1, max: 10_000_000 }),
  margin: fc.nat(2_000),
  lifetimeEndsAt: fc.oneof(times, fc.constant(Infinity)),
})

describe('idle time allowed', () => {
  it('is keepAliveTimeout where nothing was advertised, without a margin', () => {
    expect(idleAllowance(facts())).toBe(4_000)
    expect(idleReason(facts())).toBe('idle-timeout')
  })

  it('is what was advertised less the margin: 5000 - 50', () => {
    expect(idleAllowance(facts({ advertisedTimeout: 5_000 }))).toBe(4_950)
    expect(idleReason(facts({ advertisedTimeout: 5_000 }))).toBe('advertised-timeout')
  })

  it('is what was advertised even if that is less than keepAliveTimeout', () => {
    expect(idleAllowance(facts({ advertisedTimeout: 1_000 }))).toBe(950)
  })

  it('is at most keepAliveMaxTimeout, less the margin', () => {
    expect(idleAllowance(facts({ advertisedTimeout: 600_001, keepAliveMaxTimeout: 600_000 }))).toBe(599_950)
    expect(idleAllowance(facts({ advertisedTimeout: 600_000, keepAliveMaxTimeout: 600_000 }))).toBe(599_950)
  })

  it('is nothing where the margin is as long as the time', () => {
    expect(idleAllowance(facts({ advertisedTimeout: 1_000, margin: 1_000 }))).toBe(0)
    expect(idleAllowance(facts({ advertisedTimeout: 0 }))).toBe(-50)
    expect(idleAllowance(facts({ learnedTimeout: 50 }))).toBe(0)
    expect(idleAllowance(facts({ learnedTimeout: 0 }))).toBe(-50)
  })
})

describe('idle time allowed where something is known to stand in between', () => {
  it('is its timeout less the margin where nothing was advertised: 2000 - 50', () => {
    expect(idleAllowance(facts({ throughTimeout: 2_000 }))).toBe(1_950)
    expect(idleReason(facts({ throughTimeout: 2_000 }))).toBe('idle-timeout')
  })

  it('is keepAliveTimeout where that is shorter', () => {
    expect(idleAllowance(facts({ throughTimeout: 4_050 }))).toBe(4_000)
    expect(idleAllowance(facts({ throughTimeout: 4_049 }))).toBe(3_999)
    expect(idleAllowance(facts({ throughTimeout: 60_000 }))).toBe(4_000)
  })

  it('is what was advertised all the same, be it more or less', () => {
    expect(idleAllowance(facts({ throughTimeout: 2_000, advertisedTimeout: 5_000 }))).toBe(4_950)
    expect(idleAllowance(facts({ throughTimeout: 2_000, advertisedTimeout: 1_000 }))).toBe(950)
  })

  it('is what was learned where that is shorter', () => {
    expect(idleAllowance(facts({ throughTimeout: 2_000, learnedTimeout: 1_000 }))).toBe(950)
    expect(idleReason(facts({ throughTimeout: 2_000, learnedTimeout: 1_000 }))).toBe('learned-timeout')
    expect(idleAllowance(facts({ throughTimeout: 2_000, learnedTimeout: 3_000 }))).toBe(1_950)
  })

  it('only ever gets shorter by it', () => {
    fc.assert(
      fc.property(anyFacts, (any) => {
        expect(idleAllowance(any)).toBeLessThanOrEqual(idleAllowance({ ...any, throughTimeout: undefined }))
      }),
    )
  })
})

describe('idle time allowed where something was learned', () => {
  it('is that less the margin: 3000 - 50 where the option allows 4000', () => {
    expect(idleAllowance(facts({ learnedTimeout: 3_000 }))).toBe(2_950)
    expect(idleReason(facts({ learnedTimeout: 3_000 }))).toBe('learned-timeout')
  })

  it('is that where the server advertises more than it keeps: 3000 - 50 of 5000 - 50', () => {
    expect(idleAllowance(facts({ advertisedTimeout: 5_000, learnedTimeout: 3_000 }))).toBe(2_950)
    expect(idleReason(facts({ advertisedTimeout: 5_000, learnedTimeout: 3_000 }))).toBe('learned-timeout')
  })

  it('is no more than the option or what was advertised allows', () => {
    expect(idleAllowance(facts({ learnedTimeout: 60_000 }))).toBe(4_000)
    expect(idleReason(facts({ learnedTimeout: 60_000 }))).toBe('idle-timeout')
    expect(idleAllowance(facts({ advertisedTimeout: 2_000, learnedTimeout: 3_000 }))).toBe(1_950)
    expect(idleReason(facts({ advertisedTimeout: 2_000, learnedTimeout: 3_000 }))).toBe('advertised-timeout')
  })

  it('has the reason that would hold anyway where both come to the same', () => {
    expect(idleReason(facts({ learnedTimeout: 4_050 }))).toBe('idle-timeout')
    expect(idleReason(facts({ learnedTimeout: 4_049 }))).toBe('learned-timeout')
    expect(idleReason(facts({ advertisedTimeout: 5_000, learnedTimeout: 5_000 }))).toBe('advertised-timeout')
  })

  it('is at most keepAliveMaxTimeout, less the margin', () => {
    const long = { keepAliveTimeout: 900_000, learnedTimeout: 800_000 }
    expect(idleAllowance(facts(long))).toBe(599_950)
    expect(idleReason(facts(long))).toBe('learned-timeout')
  })

  it('is never more than without it, which is what would be allowed untaught', () => {
    fc.assert(
      fc.property(anyFacts, (some) => {
        const untaught = { ...some, learnedTimeout: undefined }
        expect(untaughtAllowance(some)).toBe(idleAllowance(untaught))
        expect(idleAllowance(some)).toBeLessThanOrEqual(untaughtAllowance(some))
        const shorter = idleAllowance(some) < untaughtAllowance(some)
        expect(idleReason(some)).toBe(shorter ? 'learned-timeout' : idleReason(untaught))
      }),
    )
  })
})

describe('an idle connection', () => {
  it('expires at 4000 ms, not at 3999', () => {
    expect(expired(facts(), 4_999)).toBeUndefined()
    expect(expired(facts(), 5_000)).toBe('idle-timeout')
  })

  it('expires at 4950 ms of 5 s advertised, not at 4949', () => {
    expect(expired(facts({ advertisedTimeout: 5_000 }), 5_949)).toBeUndefined()
    expect(expired(facts({ advertisedTimeout: 5_000 }), 5_950)).toBe('advertised-timeout')
  })

  it('expires at 2950 ms where 3 s were learned, not at 2949', () => {
    expect(expired(facts({ learnedTimeout: 3_000 }), 3_949)).toBeUndefined()
    expect(expired(facts({ learnedTimeout: 3_000 }), 3_950)).toBe('learned-timeout')
  })

  it('counts from the last data that the kernel received, if that was earlier', () => {
    const advertised = facts({ advertisedTimeout: 5_000 })
    expect(expired(advertised, 2_000, 4_949)).toBeUndefined()
    expect(expired(advertised, 2_000, 4_950)).toBe('advertised-timeout')
    // Data that came after it was thought idle does not make it younger.
    expect(expired(advertised, 5_950, 10)).toBe('advertised-timeout')
    expect(expired(facts({ learnedTimeout: 3_000 }), 1_001, 2_950)).toBe('learned-timeout')
  })

  it('ends with its lifetime, which is named first', () => {
    expect(expired(facts({ lifetimeEndsAt: 3_000 }), 2_999)).toBeUndefined()
    expect(expired(facts({ lifetimeEndsAt: 3_000 }), 3_000)).toBe('max-lifetime')
    expect(expired(facts({ lifetimeEndsAt: 3_000 }), 9_000)).toBe('max-lifetime')
  })

  it('has its deadline at the earlier of both', () => {
    expect(idleDeadline(facts())).toBe(5_000)
    expect(idleDeadline(facts({ lifetimeEndsAt: 3_000 }))).toBe(3_000)
    expect(idleDeadline(facts({ lifetimeEndsAt: 9_000 }))).toBe(5_000)
    expect(idleDeadline(facts({ learnedTimeout: 3_000 }))).toBe(3_950)
  })

  it('is expired at its deadline and not a millisecond before, whatever the facts', () => {
    fc.assert(
      fc.property(anyFacts, (some) => {
        const deadline = idleDeadline(some)
        expect(expired(some, deadline)).toBeDefined()
        // A deadline that was over before it became idle has no such millisecond.
        if (deadline - 1 >= some.idleSince) expect(expired(some, deadline - 1)).toBeUndefined()
      }),
    )
  })
})
