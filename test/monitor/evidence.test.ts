import { describe, expect, it } from 'vitest'
import { deathCause, evidenceOf } from '../../src/liveness/evidence.js'
import { alive } from '../support/fake-links.js'

const patience = { idle: 2_000, interval: 1_000, probes: 3 }

describe('how an error shows that the peer is dead', () => {
  it.each([
    ['ETIMEDOUT', undefined, 'unanswered'],
    ['EHOSTUNREACH', undefined, 'unreachable'],
    ['ENETUNREACH', undefined, 'unreachable'],
    ['ECONNRESET', 2_000, 'reset'],
    ['ECONNRESET', 1_999, undefined],
    ['ECONNRESET', undefined, undefined],
    ['EPIPE', 9_000, undefined],
    [undefined, 9_000, undefined],
  ] as const)('%s after %s ms of silence: %s', (code, silence, cause) => {
    expect(deathCause(code, silence, patience)).toBe(cause)
  })

  it('no RST does, where nobody is ever asked', () => {
    expect(deathCause('ECONNRESET', 60_000, undefined)).toBeUndefined()
  })
})

describe('what a connection was doing', () => {
  const doing = (...rest: Parameters<typeof evidenceOf>) => evidenceOf(...rest).doing

  it('is nothing without a request, whatever is not acknowledged', () => {
    expect(doing(alive({ unacknowledged: 1, retransmits: 3 }), false)).toBe('idle')
  })

  it('is sending while something is not acknowledged, or repeated', () => {
    expect(doing(alive({ unacknowledged: 1 }), true)).toBe('sending')
    expect(doing(alive({ retransmits: 1 }), true)).toBe('sending')
  })

  it('is waiting else, and where nobody can be asked', () => {
    expect(doing(alive({ probes: 3 }), true)).toBe('waiting')
    expect(doing(undefined, true)).toBe('waiting')
  })
})
