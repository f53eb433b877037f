/** What the doctor has to say of what it measured: each rule on both sides of its border. */
import { describe, expect, it } from 'vitest'
import type { Conditions, Facts } from '../../src/doctor/facts.js'
import { type FindingCode, findingsOf, isHonest } from '../../src/doctor/findings.js'
import { advertised, closing, conditions, facts, idle, requests, tcpKeepAlive } from './support.js'

const codes = (change: Partial<Facts>, more: Partial<Conditions> = {}): FindingCode[] =>
  findingsOf(facts(change), { ...conditions, ...more }).map(({ code }) => code)

const message = (code: FindingCode, change: Partial<Facts>, more: Partial<Conditions> = {}): string | undefined =>
  findingsOf(facts(change), { ...conditions, ...more }).find((finding) => finding.code === code)?.message

/** That it advertises so many milliseconds. */
const says = (timeout: number) => advertised({ timeout, keepAlive: `timeout=${timeout / 1000}` })

describe('findings', () => {
  it('are none where all is well: what is advertised is kept', () => {
    expect(codes({ advertised: says(75_000), idle: closing(75_000) })).toEqual([])
    expect(codes({})).toEqual([])
  })

  it('are none where nothing is known', () => {
    const nothing: Facts = {
      address: null,
      request: null,
      advertised: null,
      cost: null,
      requests: null,
      tcpKeepAlive: null,
      idle: null,
    }
    expect(findingsOf(nothing, conditions)).toEqual([])
  })

  it('have problems first', () => {
    const found = findingsOf(facts({ advertised: advertised(), idle: closing(2_000, { end: 'silence' }) }), conditions)
    expect(found.map(({ severity }) => severity)).toEqual(['problem', 'note', 'note'])
  })
})

describe('an advertised timeout of 5 s', () => {
  it.each([
    [5_000, true],
    [4_860, true], // Apache is up to 0.1 s early
    [4_840, false],
    [6_010, true], // Node closes a second later
    [1_000, false],
  ])('is kept by a server that closes after %d ms: %s', (timeout, honest) => {
    expect(isHonest({ advertised: says(5_000), idle: closing(timeout) })).toBe(honest)
    expect(codes({ advertised: says(5_000), idle: closing(timeout) }).includes('advertised-too-long')).toBe(!honest)
  })

  it('is too long if a connection is gone in silence sooner', () => {
    const gone = idle({ end: 'silence', atLeast: 2_800, atMost: 3_000 })
    expect(isHonest({ advertised: says(5_000), idle: gone })).toBe(false)
    expect(message('advertised-too-long', { advertised: says(5_000), idle: gone })).toMatch(/advertises 5 s.*after 3 s/)
  })

  it('is too short if it closes more than 2 s later, or does not close', () => {
    expect(codes({ advertised: says(5_000), idle: closing(7_000) })).toEqual([])
    expect(codes({ advertised: says(5_000), idle: closing(7_010) })).toEqual(['advertised-too-short'])
    expect(codes({ advertised: says(5_000), idle: idle({ atLeast: 10_000 }) })).toEqual(['advertised-too-short'])
  })

  it('was not seen if connections idled for less, and says how to see', () => {
    const change = { advertised: says(5_000), idle: idle({ atLeast: 3_000 }) }
    expect(isHonest(change)).toBe(null)
    expect(codes(change)).toEqual(['advertised-unchecked'])
    expect(message('advertised-unchecked', change)).toContain('--max-wait 10')
  })
})

describe('idle connections', () => {
  it('that end without that it was advertised', () => {
    expect(codes({ idle: closing(75_000) })).toEqual(['not-advertised'])
  })

  it('that end within 2.5 s are of little use', () => {
    expect(codes({ advertised: says(2_000), idle: closing(2_500) })).toEqual(['short-timeout'])
    expect(codes({ advertised: says(2_000), idle: closing(2_510) })).toEqual([])
  })

  it.each([
    [true, /it is the program there that does not answer/],
    [false, /something in between has forgotten/],
    [null, /nobody says that the connection is gone\.$/],
  ])('that end in silence: received %s', (acknowledged, text) => {
    const gone = idle({ end: 'silence', atLeast: 9_000, atMost: 10_000, acknowledged })
    expect(message('silent-end', { idle: gone })).toMatch(text)
  })

  it('that are reset, by the server itself or when they are used', () => {
    expect(codes({ idle: closing(10_000, { end: 'reset' }) })).toEqual(
      ['idle-reset', 'not-advertised'].sort().reverse(),
    )
    const gone = idle({ end: 'reset-on-request', atLeast: 9_000, atMost: 10_000 })
    expect(codes({ idle: gone })).toEqual(['reset-on-request', 'not-advertised'])
  })

  it('on which something was said, with its first line', () => {
    const change = { idle: idle({ unsolicited: 'HTTP/1.1 408 Request Timeout\r\ncon' }) }
    expect(message('unsolicited-bytes', change)).toContain('"HTTP/1.1 408 Request Timeout"')
  })

  it('that were ended by a restart, early, or could not be made sense of', () => {
    expect(codes({ idle: idle({ restarts: 1 }) })).toEqual(['restarted'])
    expect(message('unsteady', { idle: idle({ early: 4_000 }) })).toContain('closed after 4 s')
    expect(codes({ advertised: says(75_000), idle: closing(75_000, { settled: false }) })).toEqual(['unsteady'])
  })
})

describe('requests on a connection', () => {
  it.each([
    [{ max: 5, dialect: 'remaining', promised: 6, closedAfter: 6, announced: true }, []],
    [{ max: 5, dialect: 'total', promised: 5, closedAfter: 5, announced: true }, []],
    [{ max: 100, dialect: 'total', promised: 100, closedAfter: 50, announced: true }, ['max-too-high']],
    [{ max: 1000, dialect: 'total', promised: 1000, tried: 3 }, ['max-unchecked']],
    [{ max: 5, dialect: 'total', promised: 5, tried: 7 }, []],
    [{ closedAfter: 3, announced: false }, ['closes-unannounced']],
    [{ closedAfter: 3, announced: true }, []],
  ] as const)('%j: %j', (change, found) => {
    expect(codes({ requests: requests(change) })).toEqual(found)
  })
})

describe('a server that keeps nothing', () => {
  it('says Connection: close, or is of HTTP/1.0', () => {
    expect(codes({ advertised: advertised({ persists: false }), idle: null })).toEqual(['connection-close'])
    const old = advertised({ persists: false, httpVersion: '1.0' })
    expect(message('http-1.0', { advertised: old, idle: null })).toContain('nothing can be kept')
    expect(message('http-1.0', { advertised: { ...old, persists: true } })).toContain('keeps the connection')
  })
})

describe('TCP keepalive', () => {
  it('that is not answered, or not applied; what could not be asked is no finding', () => {
    expect(codes({ tcpKeepAlive: tcpKeepAlive({ answered: false }) })).toEqual(['probe-unanswered'])
    expect(codes({ tcpKeepAlive: tcpKeepAlive({ answered: null, why: 'closed' }) })).toEqual([])
    const applied = { idle: 30_000, interval: null, probes: null }
    const change = { tcpKeepAlive: tcpKeepAlive({ applies: false, applied, source: 'idle-only' }) }
    expect(message('keepalive-not-applied', change)).toContain('30000, unknown, unknown')
    expect(message('no-kernel', {}, { kernel: false, why: 'no koffi' })).toContain('no koffi')
  })
})

describe('what was measured', () => {
  const request = { method: 'HEAD', path: '/', status: 200, location: null, headRefused: false } as const

  it('was one address of several', () => {
    const address = { address: '10.0.0.1', family: 4, port: 80, others: ['10.0.0.2', '::1'] }
    expect(message('several-addresses', { address })).toMatch(/has 3 addresses.*10\.0\.0\.1 alone/)
  })

  it('was a redirect, an error, with GET, or without a look at the certificate', () => {
    expect(message('redirect', { request: { ...request, status: 301, location: '/x' } })).toContain('(301) to /x')
    expect(codes({ request: { ...request, status: 304 } })).toEqual([])
    expect(codes({ request: { ...request, status: 404 } })).toEqual(['error-status'])
    expect(codes({ request: { ...request, headRefused: true } })).toEqual(['head-refused'])
    expect(codes({}, { insecure: true })).toEqual(['certificate-not-checked'])
  })
})
