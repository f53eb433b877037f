import dns, { type LookupAddress, type LookupOptions } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Addresses } from '../../src/wire/addresses.js'
import { ManualClock } from '../support/manual-clock.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

const four = (address: string): LookupAddress => ({ address, family: 4 })
const six = (address: string): LookupAddress => ({ address, family: 6 })

const A = four('10.0.0.1')
const B = four('10.0.0.2')
const C = four('10.0.0.3')
const D = six('2001:db8::4')

/** What a lookup called back with. */
type Told = [error: Error | null, answer: unknown, family?: number]

/** A lookup that answers as it is told to, and writes down what it was asked. */
function scripted(...answer: LookupAddress[]) {
  const asked: [hostname: string, options: LookupOptions][] = []
  const script = {
    asked,
    answer: answer as unknown,
    error: null as Error | null,
    /** Gives one address however many are asked for. */
    single: false,
    lookup: ((hostname, options, callback) => {
      asked.push([hostname, options])
      const { answer, error, single } = script
      if (error !== null) callback(error as NodeJS.ErrnoException, answer as never)
      else if (options.all && !single) callback(null, answer as LookupAddress[])
      else {
        const [first] = answer as LookupAddress[]
        callback(null, first?.address as string, first?.family)
      }
    }) as LookupFunction,
  }
  return script
}

let clock: ManualClock
let addresses: Addresses

beforeEach(() => {
  clock = new ManualClock()
  addresses = new Addresses(clock)
})

/** Asks for all as happy eyeballs do, or for one. */
function ask(base: LookupFunction | undefined, options: LookupOptions = { all: true }, hostname = 'multi.test'): Told {
  const told: Told[] = []
  addresses.lookup(base)(hostname, options, (...what) => void told.push(what as Told))
  expect(told).toHaveLength(1)
  return told[0] as Told
}

describe('the order of addresses', () => {
  it('is as given, in the very same list, where nobody died', () => {
    const { lookup, answer } = scripted(C, A, D, B)
    expect(ask(lookup)[1]).toBe(answer)
    addresses.died('10.0.0.9')
    expect(ask(lookup)[1]).toBe(answer)
  })

  it('has those that died lately last, and both groups as given', () => {
    const { lookup } = scripted(A, B, C, D)
    for (const { address } of [C, A]) addresses.died(address)
    expect(ask(lookup)).toEqual([null, [B, D, A, C]])
  })

  it('leaves the list of the lookup as it was, which may be its cache', () => {
    const { lookup, answer } = scripted(A, B)
    addresses.died(A.address)
    expect(ask(lookup)[1]).toEqual([B, A])
    expect(answer).toEqual([A, B])
  })

  it('is as given where all are dead: a dead address is better than none', () => {
    const { lookup } = scripted(A, B)
    for (const { address } of [B, A]) addresses.died(address)
    expect(ask(lookup)[1]).toEqual([A, B])
    const single = scripted(A)
    expect(ask(single.lookup)[1]).toEqual([A])
    expect(ask(single.lookup, {})).toEqual([null, A.address, 4])
  })

  it('is as given again after 30 s, or once the address has answered', () => {
    const { lookup } = scripted(A, B)
    addresses.died(A.address)
    clock.advance(29_999)
    expect(ask(lookup)[1]).toEqual([B, A])
    clock.advance(1)
    expect(ask(lookup)[1]).toEqual([A, B])
    addresses.died(A.address)
    expect(ask(lookup)[1]).toEqual([B, A])
    addresses.lives(A.address)
    expect(ask(lookup)[1]).toEqual([A, B])
  })

  it('may be told of a death that was a while ago', () => {
    addresses.died(A.address, clock.now() - 20_000)
    expect(addresses.isDead(A.address)).toBe(true)
    expect(addresses.isDead(A.address, clock.now() + 10_000)).toBe(false)
  })

  it('keeps an address as often as it is given', () => {
    const { lookup } = scripted(A, B, { ...A })
    addresses.died(A.address)
    expect(ask(lookup)[1]).toEqual([B, A, A])
  })

  it('knows an IPv6 address however it is written', () => {
    const { lookup } = scripted(six('2001:DB8:0::4'), A)
    addresses.died('2001:db8::4')
    expect(ask(lookup)[1]).toEqual([A, six('2001:DB8:0::4')])
  })

  it.each([undefined, '', 'multi.test', '/run/server.sock'])('has nothing to do with the death of %j', (what) => {
    addresses.died(what)
    addresses.lives(what)
    const { lookup, answer } = scripted(A)
    expect(ask(lookup)[1]).toBe(answer)
  })
})

describe('where one address is asked for', () => {
  it('all are, and the first is given', () => {
    const { lookup, asked } = scripted(A, B)
    const options = { family: 4, hints: 0 }
    expect(ask(lookup, options)).toEqual([null, A.address, 4])
    expect(asked).toEqual([['multi.test', { family: 4, hints: 0, all: true }]])
    expect(options).toEqual({ family: 4, hints: 0 })
  })

  it('the first that did not die lately is given, with its family', () => {
    const { lookup } = scripted(A, B, D)
    addresses.died(A.address)
    expect(ask(lookup, { all: false })).toEqual([null, B.address, 4])
    addresses.died(B.address)
    expect(ask(lookup, { all: false })).toEqual([null, D.address, 6])
  })

  it('and the lookup gives one whatever it is asked, that one is given', () => {
    const script = scripted(A, B)
    script.single = true
    addresses.died(A.address)
    expect(ask(script.lookup, { family: 4 })).toEqual([null, A.address, 4])
    expect(script.asked).toHaveLength(1)
  })

  it.each([
    ['nothing', undefined],
    ['a text', 'multi.test'],
    ['no address', []],
    ['mere texts', ['10.0.0.1']],
    ['what is no address', [{ address: 'multi.test', family: 4 }]],
    ['nothing in a list', [null]],
  ])('and the lookup makes of all addresses %s, it is asked for one', (_, all) => {
    const asked: LookupOptions[] = []
    const lookup: LookupFunction = (_, options, callback) => {
      asked.push(options)
      if (options.all) callback(null, all as never)
      else callback(null, A.address, 4)
    }
    expect(ask(lookup, { family: 4 })).toEqual([null, A.address, 4])
    expect(asked).toEqual([{ family: 4, all: true }, { family: 4 }])
  })
})

describe('a lookup', () => {
  it('of all is asked once, with the options as they are', () => {
    const { lookup, asked } = scripted(A)
    const options = { all: true, family: 0, hints: dns.ADDRCONFIG }
    ask(lookup, options)
    expect(asked).toEqual([['multi.test', options]])
    expect(asked[0]![1]).toBe(options)
  })

  it.each([{ all: true }, { all: false }])('that fails fails as it is: %j', (options) => {
    const script = scripted(A)
    const error = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })
    script.error = error
    const [told, answer] = ask(script.lookup, options)
    expect(told).toBe(error)
    expect(answer).toBe(script.answer)
    expect(script.asked).toHaveLength(1)
  })

  it.each([
    ['no address', []],
    ['nothing', undefined],
    ['texts', ['10.0.0.1', '10.0.0.2']],
    ['an address among other things', [A, { address: 'x', family: 4 }]],
    ['nothing in a list', [null]],
    ['one address', '10.0.0.1'],
  ])('of all that gives %s gives it', (_, answer) => {
    addresses.died('10.0.0.1')
    const lookup: LookupFunction = (_, __, callback) => callback(null, answer as never)
    expect(ask(lookup)[1]).toBe(answer)
  })

  it('that throws throws', () => {
    const lookup = (): never => {
      throw new TypeError('no such thing')
    }
    expect(() => ask(lookup)).toThrow('no such thing')
  })

  it('that is no function is left to node to refuse', () => {
    expect(addresses.lookup('a text' as never)).toBe('a text')
  })

  it('is dns.lookup where there is no other, as it is when it is asked', () => {
    const wrapped = addresses.lookup()
    const spy = vi
      .spyOn(dns, 'lookup')
      .mockImplementation(((_: string, __: unknown, told: (...what: Told) => void) => told(null, [A, B])) as never)
    try {
      addresses.died(A.address)
      const told: Told[] = []
      wrapped('multi.test', { all: true }, (...what) => void told.push(what as Told))
      expect(told).toEqual([[null, [B, A]]])
      expect(spy).toHaveBeenCalledTimes(1)
    } finally {
      spy.mockRestore()
    }
  })

  it('of dns.lookup gives the same through it, of all and of one', async () => {
    const both = (lookup: LookupFunction, options: LookupOptions): Promise<unknown> =>
      new Promise((resolve) => lookup('localhost', options, (...told) => resolve(told)))
    for (const options of [{ all: true }, { all: false }, { family: 4 }, { family: 4, all: true }])
      expect(await both(addresses.lookup(), options)).toEqual(await both(dns.lookup as LookupFunction, options))
  })
})

describe('what becomes of the addresses of a name', () => {
  let told: string[]
  beforeEach(() => {
    told = []
    addresses.whenGone = (hostname, address) => void told.push(`${address} gone from ${hostname}`)
  })

  /** Asks every minute for a time. */
  function go(time: number, ...[base, options, hostname]: Parameters<typeof ask>): void {
    for (const end = clock.now() + time; clock.now() < end; clock.advance(MINUTE)) ask(base, options, hostname)
  }

  it('is told when one is gone, and known when it is back', () => {
    const script = scripted(A, B)
    go(HOUR, script.lookup)
    script.answer = [A]
    go(2 * MINUTE, script.lookup)
    expect(told).toEqual([])
    go(HOUR, script.lookup)
    expect(told).toEqual(['10.0.0.2 gone from multi.test'])
    expect(addresses.isGone('multi.test', B.address)).toBe(true)
    expect(addresses.isGone('multi.test', A.address)).toBe(false)
    expect(addresses.isGone('other.test', B.address)).toBe(false)
    script.answer = [A, B]
    go(HOUR, script.lookup)
    expect(told).toEqual(['10.0.0.2 gone from multi.test'])
    expect(addresses.isGone('multi.test', B.address)).toBe(false)
  })

  it('is known without anybody who watches', () => {
    addresses.whenGone = undefined
    const script = scripted(A, B)
    go(HOUR, script.lookup)
    script.answer = [A]
    go(HOUR, script.lookup)
    expect(addresses.isGone('multi.test', B.address)).toBe(true)
    script.answer = [B]
    go(MINUTE, script.lookup)
    expect(addresses.isGone('multi.test', B.address)).toBe(false)
  })

  it('is of a name in lower case, and of addresses as sockets show them', () => {
    const script = scripted(A, six('2001:DB8:0::4'))
    go(HOUR, script.lookup, { all: true }, 'MULTI.test')
    script.answer = [A]
    go(HOUR, script.lookup, { all: true }, 'multi.TEST')
    expect(told).toEqual(['2001:db8::4 gone from multi.test'])
    expect(addresses.isGone('Multi.test', '2001:db8::4')).toBe(true)
  })

  it('is not told by lookups that fail, or give nothing', () => {
    const script = scripted(A, B)
    go(HOUR, script.lookup)
    script.error = Object.assign(new Error('getaddrinfo EAI_AGAIN'), { code: 'EAI_AGAIN' })
    script.answer = [A]
    go(HOUR, script.lookup)
    script.error = null
    script.answer = []
    go(HOUR, script.lookup)
    expect(told).toEqual([])
    script.answer = [A]
    go(2 * MINUTE, script.lookup)
    expect(told).toEqual([])
  })

  it('is found where one address is asked for, too: all are seen', () => {
    const script = scripted(A, B)
    go(HOUR, script.lookup, { family: 4 })
    script.answer = [A]
    go(3 * MINUTE, script.lookup, { family: 4 })
    expect(told).toEqual(['10.0.0.2 gone from multi.test'])
  })

  it('takes longer to find with a lookup that gives one at a time', () => {
    const script = scripted(A)
    script.single = true
    go(HOUR, script.lookup, { family: 4 })
    script.answer = [B]
    go(9 * MINUTE, script.lookup, { family: 4 })
    expect(told).toEqual([])
    go(MINUTE, script.lookup, { family: 4 })
    expect(told).toEqual(['10.0.0.1 gone from multi.test'])
  })

  it.each<[string, LookupOptions, LookupOptions]>([
    ['family', { all: true, family: 4 }, { all: true, family: 6 }],
    ['family, or any', { all: true }, { all: true, family: 6 }],
    ['kind, by its hints', { all: true }, { all: true, hints: dns.ALL }],
  ])('is not told by answers of another %s', (_, one, other) => {
    const lookup: LookupFunction = (_, options, callback) => {
      const isOne = options.family === one.family && options.hints === one.hints
      callback(null, isOne ? [A] : [D])
    }
    for (const options of [one, other, one]) go(2 * HOUR, lookup, options)
    expect(told).toEqual([])
  })

  it('is not told by answers of another lookup', () => {
    const [one, other] = [scripted(A), scripted(B)]
    for (const { lookup } of [one, other, one]) go(2 * HOUR, lookup)
    expect(told).toEqual([])
  })

  it('is not told by one question while another still has the address', () => {
    const [one, other] = [scripted(A, B), scripted(A, B)]
    go(HOUR, one.lookup)
    go(MINUTE, other.lookup)
    one.answer = [A]
    go(HOUR, one.lookup)
    expect(told).toEqual([])
    expect(addresses.isGone('multi.test', B.address)).toBe(false)
    other.answer = [A]
    go(3 * HOUR, other.lookup)
    expect(told).toEqual(['10.0.0.2 gone from multi.test'])
  })

  it('is back when any question finds it', () => {
    const script = scripted(A, B)
    go(HOUR, script.lookup)
    script.answer = [A]
    go(HOUR, script.lookup)
    expect(addresses.isGone('multi.test', B.address)).toBe(true)
    go(MINUTE, scripted(B).lookup)
    expect(addresses.isGone('multi.test', B.address)).toBe(false)
  })

  it('is remembered of four ways to ask, the last ones', () => {
    const script = scripted(A, B)
    go(HOUR, script.lookup)
    script.answer = [A]
    go(HOUR, script.lookup)
    for (let n = 0; n < 3; n++) ask(scripted(A).lookup)
    expect(addresses.isGone('multi.test', B.address)).toBe(true)
    ask(scripted(A).lookup)
    expect(addresses.isGone('multi.test', B.address)).toBe(false)
  })

  it('is remembered of a thousand names, those asked for last', () => {
    const script = scripted(A, B)
    go(HOUR, script.lookup)
    script.answer = [A]
    go(HOUR, script.lookup)
    for (let n = 0; n < 999; n++) ask(script.lookup, { all: true }, `${n}.test`)
    ask(script.lookup)
    for (let n = 0; n < 999; n++) ask(script.lookup, { all: true }, `${n + 1000}.test`)
    expect(addresses.isGone('multi.test', B.address)).toBe(true)
    ask(script.lookup, { all: true }, 'one-more.test')
    expect(addresses.isGone('multi.test', B.address)).toBe(false)
  })
})

describe('looking a name up again', () => {
  it('asks as it was asked before, for all addresses', () => {
    const [one, other] = [scripted(A), scripted(B)]
    ask(one.lookup, { family: 4, hints: 0 }, 'Multi.test')
    ask(other.lookup, { all: true, family: 0, hints: dns.ADDRCONFIG })
    addresses.refresh('multi.TEST')
    clock.advance(0)
    expect(one.asked.slice(1)).toEqual([['multi.test', { family: 4, hints: 0, all: true }]])
    expect(other.asked.slice(1)).toEqual([['multi.test', { family: 0, hints: dns.ADDRCONFIG, all: true }]])
  })

  it('asks nobody for a name that was never looked up', () => {
    const script = scripted(A)
    ask(script.lookup)
    addresses.refresh('other.test')
    addresses.refresh('127.0.0.1')
    expect(script.asked).toHaveLength(1)
  })

  it('finds what is gone, and what is back', () => {
    const told: string[] = []
    addresses.whenGone = (hostname, address) => void told.push(`${address} gone from ${hostname}`)
    const script = scripted(A, B)
    ask(script.lookup)
    const go = (time: number): void => {
      for (const end = clock.now() + time; clock.now() < end; clock.advance(MINUTE)) addresses.refresh('multi.test')
    }
    go(HOUR)
    script.error = new Error('getaddrinfo EAI_AGAIN')
    script.answer = [B]
    go(HOUR)
    expect(told).toEqual([])
    script.error = null
    go(3 * MINUTE)
    expect(told).toEqual(['10.0.0.1 gone from multi.test'])
    expect(addresses.isGone('multi.test', A.address)).toBe(true)
    script.answer = [A, B]
    go(MINUTE)
    expect(addresses.isGone('multi.test', A.address)).toBe(false)
    expect(told).toHaveLength(1)
  })

  it('survives a lookup that throws, and asks it again the next time', () => {
    let calls = 0
    const lookup: LookupFunction = (_, __, callback) => {
      if (++calls === 2) throw new TypeError('no such thing')
      callback(null, [A])
    }
    ask(lookup)
    for (let n = 0; n < 3; n++) addresses.refresh('multi.test')
    expect(calls).toBe(4)
  })

  it('does not ask again while it is being asked', () => {
    const callbacks: (() => void)[] = []
    let calls = 0
    const lookup: LookupFunction = (_, __, callback) => {
      if (++calls === 1) callback(null, [A])
      else callbacks.push(() => callback(null, [A]))
    }
    ask(lookup)
    for (let n = 0; n < 3; n++) addresses.refresh('multi.test')
    expect(calls).toBe(2)
    callbacks[0]!()
    addresses.refresh('multi.test')
    expect(calls).toBe(3)
  })
})
