/** What is made of single measurements: costs, requests, settings, words. */
import { describe, expect, it } from 'vitest'
import { type CostSample, costOf } from '../../src/doctor/cost.js'
import { advertisementOf, questionOf } from '../../src/doctor/greeting.js'
import { doctorDefaults } from '../../src/doctor/options.js'
import { idleText } from '../../src/doctor/progress.js'
import { requestFactsOf } from '../../src/doctor/requests.js'
import { doctorTarget } from '../../src/doctor/target.js'
import { settingFacts } from '../../src/doctor/tcp-keepalive.js'
import { median, unlessAborted } from '../../src/doctor/wait.js'
import { milliseconds, seconds } from '../../src/doctor/words.js'

describe('cost', () => {
  const sample = (change: Partial<CostSample> = {}): CostSample => ({
    dns: 1,
    connect: 10,
    tls: 20,
    first: 15,
    reused: [11, 12, 13],
    rtt: 10,
    ...change,
  })

  it('is of medians, so that one slow sample changes nothing', () => {
    const cost = costOf([sample(), sample({ connect: 500, first: 900, reused: [700] }), sample()])
    expect(cost).toEqual({
      samples: 3,
      dns: 1,
      connect: 10,
      tls: 20,
      firstResponse: 15,
      reusedResponse: 12,
      roundTrip: 10,
      saved: 1 + 10 + 20 + 15 - 12,
      slowest: 900,
    })
  })

  it('is null for what there is not', () => {
    const cost = costOf([sample({ dns: undefined, tls: undefined, rtt: undefined, reused: [] })])
    expect(cost).toMatchObject({
      dns: null,
      tls: null,
      roundTrip: null,
      reusedResponse: null,
      saved: null,
      connect: 10,
    })
    expect(costOf([sample({ reused: [100] })]).saved).toBe(0)
  })

  it('has medians of even counts in the middle', () => {
    expect([median([]), median([3]), median([4, 1]), median([9, 1, 5])]).toEqual([undefined, 3, 2.5, 5])
  })
})

describe('requests', () => {
  const of = (maxima: (number | undefined)[], end?: 'announced' | 'unannounced') =>
    requestFactsOf({ answered: maxima.length, maxima, end })

  it('are counted down by Apache: max remain after each response', () => {
    expect(of([5, 4, 3, 2, 1, undefined], 'announced')).toEqual({
      tried: 6,
      closedAfter: 6,
      announced: true,
      max: 5,
      dialect: 'remaining',
      promised: 6,
    })
  })

  it('are told in all by Node', () => {
    expect(of([10, 10])).toEqual({
      tried: 2,
      closedAfter: null,
      announced: null,
      max: 10,
      dialect: 'total',
      promised: 10,
    })
  })

  it('promise nothing while the dialect is unknown', () => {
    expect(of([10], 'announced')).toMatchObject({ max: 10, dialect: null, promised: null, closedAfter: 1 })
    expect(of([undefined, undefined], 'unannounced')).toMatchObject({ max: null, promised: null, announced: false })
  })
})

describe('settings', () => {
  const asked = { idle: 30_000, interval: 5_000, probes: 3 }
  const applied = { ...asked, enabled: true, retransmitInterval: undefined, userTimeout: 0, source: 'kernel' as const }

  it('apply if all three are there', () => {
    expect(settingFacts(asked, applied)).toEqual({ asked, applied: asked, applies: true, source: 'kernel' })
    expect(settingFacts(asked, { ...applied, probes: 10 }).applies).toBe(false)
    expect(settingFacts(asked, { ...applied, enabled: false }).applies).toBe(false)
    const alone = settingFacts(asked, { ...applied, interval: undefined, probes: undefined, source: 'idle-only' })
    expect(alone).toMatchObject({ applies: false, applied: { idle: 30_000, interval: null, probes: null } })
  })
})

describe('a target', () => {
  it.each([
    [
      'https://example.com/a?b',
      { secure: true, port: 443, host: 'example.com', path: '/a?b', servername: 'example.com' },
    ],
    ['example.com:8080', { secure: false, port: 8080, host: 'example.com:8080', path: '/', servername: null }],
    ['https://[::1]:8443/', { hostname: '::1', port: 8443, host: '[::1]:8443', servername: null }],
    ['https://127.0.0.1/#x', { hostname: '127.0.0.1', port: 443, servername: null, url: 'https://127.0.0.1/' }],
  ])('%s', (text, expected) => {
    expect(doctorTarget(text)).toMatchObject(expected)
  })

  it('is no other URL, and none with a password', () => {
    expect(() => doctorTarget('ftp://example.com/')).toThrow(/Only http and https/)
    expect(() => doctorTarget('http://')).toThrow(TypeError)
    expect(() => doctorTarget('http://me:secret@example.com/')).toThrow(/--header/)
  })
})

describe('a question', () => {
  const target = doctorTarget('http://example.com/x')

  it('asks for the connection to be kept, by HEAD', () => {
    const { method, path, headers } = questionOf(target, doctorDefaults)
    expect([method, path]).toEqual(['HEAD', '/x'])
    expect(Object.fromEntries(headers)).toMatchObject({ Host: 'example.com', Connection: 'keep-alive' })
  })

  it('has the headers that are given, in place of its own', () => {
    const { headers } = questionOf(target, {
      ...doctorDefaults,
      headers: [
        ['host', 'other'],
        ['a', 'b'],
      ],
    })
    expect(headers.filter(([name]) => /^host$/i.test(name))).toEqual([['host', 'other']])
    expect(headers).toContainEqual(['a', 'b'])
  })
})

describe('an advertisement', () => {
  it('is what the headers say of the connection', () => {
    const rawHeaders = ['Connection', 'keep-alive', 'Keep-Alive', 'timeout=5, max=9']
    const response = { status: 200, version: '1.1' as const, rawHeaders, bodyBytes: 0, persists: true }
    expect(advertisementOf(response)).toEqual({
      httpVersion: '1.1',
      connection: 'keep-alive',
      keepAlive: 'timeout=5, max=9',
      timeout: 5_000,
      max: 9,
      persists: true,
    })
    expect(advertisementOf({ ...response, rawHeaders: [] })).toMatchObject({
      connection: null,
      timeout: null,
      max: null,
    })
  })
})

describe('words', () => {
  it('are short', () => {
    expect([0.34, 450, 949, 5_003, 1_953, 9_980, 75_100, 432_000_000].map(seconds)).toEqual([
      '0.3 ms',
      '450 ms',
      '950 ms',
      '5 s',
      '1.95 s',
      '10 s',
      '75.1 s',
      '432000 s',
    ])
    expect([0.344, 12.4, 850].map(milliseconds)).toEqual(['0.34 ms', '12 ms', '850 ms'])
  })

  it('say how far the search is', () => {
    const nothing = { alive: 0, ended: [], dead: [], restarts: [], early: Infinity }
    expect(idleText(12_900, 80_000, nothing)).toBe('idle connections, for 80 s at the most: 12 s')
    const dead = [{ kind: 'dead', end: 'silence', age: 9_000 }] as const
    expect(idleText(12_900, 80_000, { ...nothing, alive: 4_000, dead })).toMatch(/12 s; alive at 4 s, gone at 9 s$/)
    const ended = [{ kind: 'ended', end: 'fin', age: 5_000, at: 1 }] as const
    expect(idleText(0, 80_000, { ...nothing, ended })).toMatch(/closed at 5 s$/)
  })
})

describe('what cannot be ended', () => {
  it('is waited for no longer than until the signal', async () => {
    const interrupt = new AbortController()
    const never = unlessAborted(new Promise(() => {}), interrupt.signal)
    interrupt.abort()
    await expect(never).rejects.toBe(interrupt.signal.reason)
    await expect(unlessAborted(new Promise(() => {}), interrupt.signal)).rejects.toBe(interrupt.signal.reason)
    await expect(unlessAborted(Promise.resolve(1), new AbortController().signal)).resolves.toBe(1)
    const failed = unlessAborted(Promise.reject(new Error('no')), new AbortController().signal)
    await expect(failed).rejects.toThrow('no')
  })
})
