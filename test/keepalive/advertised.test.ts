import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nothingAdvertised, parseKeepAlive } from '../../src/keepalive/advertised.js'

describe('a Keep-Alive header', () => {
  it.each<[header: string, timeout: number | undefined, max: number | undefined]>([
    // As the common servers send it.
    ['timeout=5', 5_000, undefined],
    ['timeout=5, max=100', 5_000, 100],
    ['max=100', undefined, 100],
    // Order, case, white space, quotes, separators.
    ['max=100, timeout=5', 5_000, 100],
    ['Timeout=5, MAX=100', 5_000, 100],
    ['  timeout = 5 ,max\t=\t100  ', 5_000, 100],
    ['timeout="5", max=" 100 "', 5_000, 100],
    ['timeout=5,max=100', 5_000, 100],
    ['timeout=5;max=100', 5_000, 100],
    ['timeout=5 max=100', 5_000, 100],
    [',,timeout=5,,', 5_000, undefined],
    // Extensions are passed over.
    ['timeout=5, foo=bar, max=100', 5_000, 100],
    ['foo="a b", timeout=5', 5_000, undefined],
    ['foo, timeout=5', 5_000, undefined],
    // The smallest and the largest.
    ['timeout=0, max=0', 0, 0],
    ['timeout=007', 7_000, undefined],
    ['timeout=99999999999999999999', 2 ** 31 * 1000, undefined],
    [`max=${'9'.repeat(400)}`, undefined, 2 ** 31],
    // Said twice (or joined from several lines): the smaller holds.
    ['timeout=5, timeout=3', 3_000, undefined],
    ['timeout=3, max=7, timeout=5, max=9', 3_000, 7],
    // Not a whole number of digits: not understood.
    ['timeout=-5', undefined, undefined],
    ['timeout=5.5', undefined, undefined],
    ['timeout=5s', undefined, undefined],
    ['timeout=1e3', undefined, undefined],
    ['timeout=0x10', undefined, undefined],
    ['timeout=', undefined, undefined],
    ['timeout', undefined, undefined],
    ['timeout=five, max=100', undefined, 100],
    ['timeout="5, max=100', undefined, 100],
    ['timeout:5', undefined, undefined],
    // Other words.
    ['xtimeout=5', undefined, undefined],
    ['timeouts=5', undefined, undefined],
    ['my-timeout=5, maximum=3', undefined, undefined],
    ['', undefined, undefined],
    ['close', undefined, undefined],
    ['\u0000\uffff=;,"', undefined, undefined],
  ])('%j says timeout %s and max %s', (header, timeout, max) => {
    expect(parseKeepAlive(header)).toEqual({ timeout, max })
  })

  it('that says nothing gives the one object that says nothing', () => {
    expect(parseKeepAlive('foo=bar')).toBe(nothingAdvertised)
  })

  it('of 100 000 characters of anything is read in less than 250 ms', () => {
    for (const part of ['timeout=', 'timeout   ', '" ', 'max="', '9', ' ', 'timeout="9'])
      expect(elapsedIn(() => parseKeepAlive(part.repeat(100_000 / part.length)))).toBeLessThan(250)
  })
})

describe('any Keep-Alive header', () => {
  it('is read without a throw, into undefined or a whole number that is not negative', () => {
    const pieces = fc.constantFrom(
      'timeout',
      'max',
      'Max',
      '=',
      '"',
      ',',
      ';',
      ' ',
      '\t',
      '5',
      '-',
      '.',
      '0',
      'e',
      '\n',
    )
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        for (const value of Object.values(parseKeepAlive(text)))
          expect(value === undefined || (Number.isSafeInteger(value) && value >= 0)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('says the same in any order, any case, any spacing, quoted or bare, with extensions between', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(100_000), fc.infiniteStream(fc.nat(2 ** 20)), (timeout, max, choices) => {
        const choose = (): number => choices.next().value as number
        const header = shuffled([`timeout=${timeout}`, `max=${max}`, 'foo', 'bar="baz"'], choose)
          .map((parameter) => dressed(parameter, choose))
          .join(choose() % 2 === 0 ? ', ' : ' ,')
        expect(parseKeepAlive(header)).toEqual({ timeout: timeout * 1000, max })
      }),
      { numRuns: 1000 },
    )
  })
})

/** The same parameter in another dress: case, spaces around the sign, quotes. */
function dressed(parameter: string, choose: () => number): string {
  const [name = '', value] = parameter.split('=')
  const cased = [...name].map((char) => (choose() % 2 === 0 ? char.toUpperCase() : char)).join('')
  if (value === undefined) return cased
  const spaces = ['', ' ', '\t'][choose() % 3]
  const quoted = choose() % 2 === 0 || value.startsWith('"') ? value : `"${value}"`
  return `${cased}${spaces}=${spaces}${quoted}`
}

function shuffled<T>(items: readonly T[], choose: () => number): T[] {
  const left = [...items]
  return items.map(() => left.splice(choose() % left.length, 1)[0] as T)
}

function elapsedIn(work: () => void): number {
  const before = performance.now()
  work()
  return performance.now() - before
}
