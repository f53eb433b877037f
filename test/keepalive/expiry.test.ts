import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expired, type IdleFacts, idleAllowance, idleDeadline, idleReason } from '../../src/keepalive/expiry.js'

/** Idle since 1000; nothing advertised, 4 s by option. */
function facts(own: Partial<IdleFacts> = {}): IdleFacts {
  const options = { keepAliveTimeout: 4_000, keepAliveMaxTimeout: 600_000, margin: 50 }
  return { idleSince: 1_000, advertisedTimeout: undefined, lifetimeEndsAt: Infinity, ...options, ...own }
}

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

  it('counts from the last data that the kernel received, if that was earlier', () => {
    const advertised = facts({ advertisedTimeout: 5_000 })
    expect(expired(advertised, 2_000, 4_949)).toBeUndefined()
    expect(expired(advertised, 2_000, 4_950)).toBe('advertised-timeout')
    // Data that came after it was thought idle does not make it younger.
    expect(expired(advertised, 5_950, 10)).toBe('advertised-timeout')
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
  })

  it('is expired at its deadline and not a millisecond before, whatever the facts', () => {
    const times = fc.nat(10_000_000)
    const any = fc.record({
      idleSince: times,
      advertisedTimeout: fc.option(times, { nil: undefined }),
      keepAliveTimeout: times,
      keepAliveMaxTimeout: fc.integer({ min: 1, max: 10_000_000 }),
      margin: fc.nat(2_000),
      lifetimeEndsAt: fc.oneof(times, fc.constant(Infinity)),
    })
    fc.assert(
      fc.property(any, (some) => {
        const deadline = idleDeadline(some)
        expect(expired(some, deadline)).toBeDefined()
        // A deadline that was over before it became idle has no such millisecond.
        if (deadline - 1 >= some.idleSince) expect(expired(some, deadline - 1)).toBeUndefined()
      }),
    )
  })
})
