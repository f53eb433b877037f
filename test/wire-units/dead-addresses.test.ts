import { describe, expect, it } from 'vitest'
import { canonicalAddress, DEATH_REMEMBERED, DeadAddresses } from '../../src/wire/dead-addresses.js'

describe('a death', () => {
  it('is remembered for 30 s, and at 30 s no more', () => {
    expect(DEATH_REMEMBERED).toBe(30_000)
    const dead = new DeadAddresses()
    dead.add('10.0.0.1', 1000)
    expect(dead.has('10.0.0.1', 1000)).toBe(true)
    expect(dead.has('10.0.0.1', 30_999)).toBe(true)
    expect(dead.has('10.0.0.2', 30_999)).toBe(false)
    expect(dead.has('10.0.0.1', 31_000)).toBe(false)
    expect(dead.isEmpty).toBe(true)
  })

  it('counts from when it was found last', () => {
    const dead = new DeadAddresses()
    dead.add('10.0.0.1', 1000)
    dead.add('10.0.0.1', 21_000)
    expect(dead.has('10.0.0.1', 50_999)).toBe(true)
    expect(dead.has('10.0.0.1', 51_000)).toBe(false)
  })

  it('is forgotten when the address is found alive', () => {
    const dead = new DeadAddresses()
    dead.add('10.0.0.1', 1000)
    dead.add('10.0.0.2', 1000)
    dead.delete('10.0.0.1')
    dead.delete('10.0.0.3')
    expect(['10.0.0.1', '10.0.0.2'].map((address) => dead.has(address, 1000))).toEqual([false, true])
  })

  it('is one of a thousand: the oldest is forgotten', () => {
    const dead = new DeadAddresses()
    const address = (n: number): string => `10.0.${Math.floor(n / 256)}.${n % 256}`
    for (let n = 0; n < 1000; n++) dead.add(address(n), n)
    dead.add(address(0), 1000) // not the oldest any more
    dead.add(address(1000), 1001)
    const remembered = Array.from({ length: 1001 }, (_, n) => dead.has(address(n), 1001))
    expect(remembered.map((is, n) => (is ? -1 : n)).filter((n) => n >= 0)).toEqual([1])
  })

  it('is of an address however it is written', () => {
    const dead = new DeadAddresses()
    dead.add('2001:DB8:0:0::1', 0)
    expect(dead.has('2001:db8::1', 0)).toBe(true)
    dead.delete('2001:0db8::0001')
    expect(dead.isEmpty).toBe(true)
  })
})

it.each([
  ['10.0.0.1', '10.0.0.1'],
  ['2001:DB8::0001', '2001:db8::1'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['::ffff:127.0.0.1', '::ffff:127.0.0.1'],
  ['fe80::0001%eth0', 'fe80::0001%eth0'],
  ['no address', 'no address'],
])('%s is written %s', (address, canonical) => {
  expect(canonicalAddress(address)).toBe(canonical)
})
