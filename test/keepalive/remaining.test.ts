import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dialectSeen, remainingRequests } from '../../src/keepalive/remaining.js'

describe('requests that remain after a response', () => {
  it('are as many as Apache says: 99, 98, 97', () => {
    expect(leftAfterEach([99, 98, 97])).toEqual([99, 98, 97])
  })

  it('are one less with each response of a server that repeats its total: 100 at first, then 98 and 97', () => {
    // After the first response nobody can tell that 100 is a total; the second one says so.
    expect(leftAfterEach([100, 100, 100])).toEqual([100, 98, 97])
  })

  it('are 99 after the first response already where the origin is known to repeat its total of 100', () => {
    expect(remainingRequests({ answered: 1, remaining: Infinity, max: 100, constant: true })).toBe(99)
  })

  it('are none after max=0', () => {
    expect(leftAfterEach([0])).toEqual([0])
    expect(leftAfterEach([5, 0])).toEqual([5, 0])
  })

  it('are none, and not less, when a constant total is used up', () => {
    expect(remainingRequests({ answered: 3, remaining: 1, max: 2, constant: true })).toBe(0)
  })

  it('fall by one where a response says nothing', () => {
    expect(leftAfterEach([10, undefined, undefined])).toEqual([10, 9, 8])
  })

  it('stay without limit while nothing was ever said', () => {
    expect(leftAfterEach([undefined, undefined])).toEqual([Infinity, Infinity])
  })

  it('do not rise when the server says a larger number: 50, 100, 100', () => {
    expect(leftAfterEach([50, 100, 100])).toEqual([50, 49, 48])
  })

  it('fall at once when a server that repeated itself begins to count down: 100, 100, 5', () => {
    expect(leftAfterEach([100, 100, 5])).toEqual([100, 98, 5])
  })

  it('only ever fall, and are never more than the server said, whatever it says', () => {
    const spoken = fc.array(fc.option(fc.nat(200), { nil: undefined }), { maxLength: 50 })
    fc.assert(
      fc.property(spoken, (said) => {
        let before = Infinity
        for (const [index, left] of leftAfterEach(said).entries()) {
          if (before !== Infinity) expect(left).toBeLessThan(Math.max(before, 1))
          expect(left).toBeLessThanOrEqual(said[index] ?? Infinity)
          before = left
        }
      }),
    )
  })
})

describe('the dialect of max', () => {
  it.each([
    [100, 100, true],
    [100, 99, false],
    [100, 3, false],
    [99, 100, undefined],
    [undefined, 100, undefined],
    [100, undefined, undefined],
    [undefined, undefined, undefined],
    [0, 0, true],
  ])('after %s and %s: constant is %s', (previous, max, constant) => {
    expect(dialectSeen(previous, max)).toBe(constant)
  })
})

/** What remains after each response of one connection, whose origin keeps in mind which dialect was seen. */
function leftAfterEach(said: readonly (number | undefined)[]): number[] {
  let remaining = Infinity
  let lastMax: number | undefined
  let constant = false
  return said.map((max, index) => {
    constant = dialectSeen(lastMax, max) ?? constant
    lastMax = max ?? lastMax
    remaining = remainingRequests({ answered: index + 1, remaining, max, constant })
    return remaining
  })
}
