import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Evidence, isFinal, type Verdict, verdictOf } from '../../src/replay/verdict.js'

/** A request of 100 bytes of which nothing is known but that it left. */
function seen(given: Partial<Evidence> = {}): Evidence {
  return {
    written: 100,
    sent: 100,
    acknowledged: 0,
    fin: false,
    reset: false,
    requestTimeout: false,
    watched: 0,
    ...given,
  }
}

describe('the verdict on a request that died with its connection', () => {
  const UNCOUNTED = { written: undefined, sent: undefined, acknowledged: undefined }
  const UNASKED = { sent: undefined, acknowledged: undefined }
  const table: [what: string, Partial<Evidence>, Verdict][] = [
    ['nothing was written', { written: 0, sent: 0 }, 'unsent'],
    ['nothing was written, FIN', { written: 0, sent: 0, fin: true }, 'unsent'],
    ['nothing was written, RST', { written: 0, sent: 0, reset: true }, 'unsent'],
    ['nothing was written, no kernel to ask', { written: 0, ...UNASKED, fin: true }, 'unsent'],
    ['written, nothing left, and the connection was reset', { sent: 0, reset: true }, 'unsent'],
    ['written, nothing left, FIN and RST', { sent: 0, fin: true, reset: true }, 'unsent'],
    ['written, nothing left so far, and FIN: it may still leave', { sent: 0, fin: true }, 'closing'],
    ['written, nothing left so far, and nothing else', { sent: 0 }, 'unknown'],
    ['FIN, nothing acknowledged, RST', { fin: true, reset: true }, 'refused'],
    ['FIN, part of it sent, nothing acknowledged, RST', { sent: 50, fin: true, reset: true }, 'refused'],
    ['FIN, nothing acknowledged, RST, after a 408', { fin: true, reset: true, requestTimeout: true }, 'refused'],
    ['FIN, nothing acknowledged, no RST', { fin: true }, 'closing'],
    ['FIN after a 408, nothing acknowledged, no RST', { fin: true, requestTimeout: true }, 'closing'],
    ['a 408, nothing acknowledged, no FIN', { requestTimeout: true }, 'closing'],
    ['a 408, nothing acknowledged, RST alone', { requestTimeout: true, reset: true }, 'closing'],
    ['RST alone, nothing acknowledged', { reset: true }, 'unknown'],
    ['nothing at all', {}, 'unknown'],
    ['one byte acknowledged, FIN, RST', { acknowledged: 1, fin: true, reset: true }, 'unknown'],
    ['all acknowledged, FIN, RST', { acknowledged: 100, fin: true, reset: true }, 'unknown'],
    ['all acknowledged, FIN', { acknowledged: 100, fin: true }, 'unknown'],
    ['one byte acknowledged, and a 408', { acknowledged: 1, fin: true, requestTimeout: true }, 'unknown'],
    ['no kernel to ask, FIN and RST', { ...UNASKED, fin: true, reset: true }, 'unknown'],
    ['no kernel to ask, FIN', { ...UNASKED, fin: true }, 'unknown'],
    ['no kernel to ask, a 408', { ...UNASKED, requestTimeout: true }, 'unknown'],
    ['nothing counted at all, FIN and RST', { ...UNCOUNTED, fin: true, reset: true }, 'unknown'],
  ]
  it.each(table)('%s', (_what, evidence, verdict) => {
    expect(verdictOf(seen(evidence))).toBe(verdict)
  })

  /** Anything a kernel may say: what was acknowledged was sent, and what was sent was written. */
  const anything = fc
    .record({
      acknowledged: fc.nat(3),
      flying: fc.nat(3),
      queued: fc.nat(3),
      fin: fc.boolean(),
      reset: fc.boolean(),
      requestTimeout: fc.boolean(),
      watched: fc.nat(1000),
    })
    .map(({ acknowledged, flying, queued, ...rest }) => {
      return { written: acknowledged + flying + queued, sent: acknowledged + flying, acknowledged, ...rest }
    })

  it('is "refused" only with FIN, RST and not one byte acknowledged', () => {
    const proof = { fin: true, reset: true, acknowledged: 0 }
    fc.assert(
      fc.property(anything, (evidence) => {
        if (verdictOf(evidence) === 'refused') expect(evidence).toMatchObject(proof)
      }),
    )
  })

  it('is "unsent" only if not one byte has left, and none can leave any more', () => {
    fc.assert(
      fc.property(anything, (evidence) => {
        if (verdictOf(evidence) !== 'unsent') return
        expect(evidence).toMatchObject({ sent: 0, acknowledged: 0 })
        expect(evidence.written === 0 || evidence.reset).toBe(true)
      }),
    )
  })

  it('is "unknown" whenever a byte was acknowledged, also where the kernel contradicts itself', () => {
    fc.assert(
      fc.property(anything, fc.nat(5), (evidence, sent) => {
        if (evidence.acknowledged > 0) expect(verdictOf({ ...evidence, sent })).toBe('unknown')
      }),
    )
  })

  it('is never "refused" or "closing" where the kernel cannot be asked', () => {
    fc.assert(
      fc.property(anything, fc.constantFrom(UNASKED, UNCOUNTED), (evidence, unknown) => {
        const verdict = verdictOf({ ...evidence, ...unknown })
        expect(verdict).toBe(evidence.written === 0 && !('written' in unknown) ? 'unsent' : 'unknown')
      }),
    )
  })

  it('never becomes stronger by a byte more that was acknowledged', () => {
    fc.assert(
      fc.property(anything, fc.nat(5), (evidence, more) => {
        const acknowledged = Math.min(evidence.sent, evidence.acknowledged + more)
        expect(strengthOf({ ...evidence, acknowledged })).toBeLessThanOrEqual(strengthOf(evidence))
      }),
    )
  })

  it('never becomes weaker by a FIN, an RST or a 408 more', () => {
    fc.assert(
      fc.property(
        anything,
        fc.constantFrom('fin' as const, 'reset' as const, 'requestTimeout' as const),
        (evidence, sign) => {
          expect(strengthOf({ ...evidence, [sign]: true })).toBeGreaterThanOrEqual(strengthOf(evidence))
        },
      ),
    )
  })

  it('depends on nothing but what was seen: how long it took does not count', () => {
    fc.assert(
      fc.property(anything, fc.nat(5000), (evidence, watched) => {
        expect(verdictOf({ ...evidence, watched })).toBe(verdictOf(evidence))
      }),
    )
  })

  const strengths: readonly Verdict[] = ['unknown', 'closing', 'refused', 'unsent']
  const strengthOf = (evidence: Evidence): number => strengths.indexOf(verdictOf(evidence))
})

describe('evidence is final', () => {
  const table: [what: string, Partial<Evidence>, boolean][] = [
    ['when a byte was acknowledged', { acknowledged: 1 }, true],
    ['when the connection was reset', { reset: true }, true],
    ['when nothing was written', { written: 0, sent: 0, fin: true }, true],
    ['when nobody can be asked', { sent: undefined, acknowledged: undefined, fin: true }, true],
    ['not with a FIN: the RST may be on its way', { fin: true }, false],
    ['not with a 408: the rest may be on its way', { requestTimeout: true }, false],
    ['not while there is none', {}, false],
  ]
  it.each(table)('%s', (_what, evidence, final) => {
    expect(isFinal(seen(evidence))).toBe(final)
  })

  it('only if nothing that may still come changes the verdict', () => {
    const later = fc.record({ sent: fc.nat(9), acknowledged: fc.nat(9), fin: fc.boolean(), reset: fc.boolean() })
    fc.assert(
      fc.property(later, fc.nat(9), ({ fin, reset, ...more }, acknowledged) => {
        const now = seen({ acknowledged: acknowledged + 1 })
        const then = seen({ sent: 100 + more.sent, acknowledged: acknowledged + 1 + more.acknowledged, fin, reset })
        expect(isFinal(now)).toBe(true)
        expect(verdictOf(then)).toBe(verdictOf(now))
      }),
    )
  })
})
