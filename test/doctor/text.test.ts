/** The report as people read it, and how far the doctor is while they wait. */
import { describe, expect, it } from 'vitest'
import { progressLine } from '../../src/cli/progress-line.js'
import type { Facts } from '../../src/doctor/facts.js'
import { findingsOf } from '../../src/doctor/findings.js'
import { recommend } from '../../src/doctor/recommend.js'
import type { Report } from '../../src/doctor/report.js'
import { textOf } from '../../src/doctor/text.js'
import { advertised, closing, conditions, cost, facts, idle, requests, tcpKeepAlive } from './support.js'

function report(change: Partial<Facts> = {}, more: Partial<Report> = {}): Report {
  const all = facts(change)
  return {
    doctor: 1,
    url: 'http://example.com/',
    origin: 'http://example.com',
    complete: true,
    error: null,
    took: 5_700,
    connections: { opened: 13, mostOpen: 5 },
    ...all,
    findings: findingsOf(all, conditions),
    recommendation: recommend(all, conditions),
    ...more,
  }
}

const line = (name: string, change: Partial<Facts>): string | undefined =>
  new RegExp(`^${name} +(.*(?:\\n {12}.*)*)`, 'm').exec(textOf(report(change)))?.[1]?.replace(/\s+/g, ' ')

describe('the text', () => {
  it('has all of a report', () => {
    const change = { advertised: advertised({ timeout: 60_000, keepAlive: 'timeout=60' }), idle: closing(1_020) }
    expect(textOf(report(change))).toBe(`http://example.com/  (127.0.0.1 port 80, HEAD 200, HTTP/1.1)

Cost        name 1.00 ms, connect 20 ms, TLS 30 ms, first response 25 ms (median of 5)
            on a kept connection 22 ms: reuse saves 54 ms a request; a round trip is 20 ms
Advertised  Connection: keep-alive; Keep-Alive: timeout=60
Idle        ends after 1 s: the server closes (FIN), seen on 2 connections
            sooner than advertised, see advertised-too-long
Requests    120 went over one connection
TCP         Ti, Td and Nm apply on this machine (read back); the peer answers probes

Findings
  ! advertised-too-long
    The server advertises 60 s, but an idle connection is ended after 1 s: clients that
    believe it lose requests. Something in between may be the one that does it.
  - short-timeout
    An idle connection is ended after 1 s: few requests find one that can be used again.

Recommended
  import { createPool } from 'keepwise'

  const pool = createPool({
    // 60 s are advertised, but idle connections end after 1 s; the margin is taken off.
    keepAliveMaxTimeout: 1_000,
  })

Right as they are
  through: nothing was named that stands in between (--through)
  keepAliveTimeout: the server advertises its timeout, which comes first
  keepAliveMargin: 'auto' is 50 ms or more at this round trip (20.0 ms)
  maxRequests: 120 requests went over one connection
  liveness: 'cloud': Ti 30 s is at least twice the longest silence (40 ms), and below all that forgets
  headersTimeout: 300 s are at least twice the longest silence

13 connections, at most 5 at once, 5.7 s
`)
  })

  it.each([
    [idle(), 'longer than 80 s: nothing happened by then'],
    [idle({ atLeast: 12_000, settled: false }), 'longer than 12 s: nothing had happened by then'],
    [
      idle({ end: 'silence', atLeast: 9_000, atMost: 10_000 }),
      'ends between 9 s and 10 s: silently; a request is not answered',
    ],
    [
      idle({ end: 'reset-on-request', atLeast: 9_000, atMost: 10_000, settled: false }),
      'ends between 9 s and 10 s: silently; a request is answered by a reset (RST); not settled',
    ],
    [
      closing(5_000, { samples: [5_000], settled: false }),
      'ends after 5 s: the server closes (FIN), seen on 1 connection; not settled',
    ],
    [closing(5_000, { end: 'reset' }), 'ends after 5 s: reset by the server (RST), seen on 2 connections'],
  ])('says how idle connections end: %#', (change, expected) => {
    expect(line('Idle', { idle: change })).toBe(expected)
  })

  it('says what max counts, and how it ended', () => {
    const counted = requests({ closedAfter: 6, announced: true, max: 5, dialect: 'remaining', promised: 6 })
    expect(line('Requests', { requests: counted })).toBe(
      'closed after 6, announced (Connection: close); max=5 counts what remains',
    )
    const silent = requests({ closedAfter: 3, announced: false })
    expect(line('Requests', { requests: silent })).toBe('closed after 3, without a word')
    expect(line('Requests', { requests: requests({ max: 9 }) })).toContain('max=9 counts what, is not known')
  })

  it('says what is advertised, or that it is nothing', () => {
    expect(line('Advertised', { advertised: advertised({ connection: null }) })).toBe('nothing')
    const closes = advertised({ connection: 'close', persists: false })
    expect(line('Advertised', { advertised: closes, idle: null })).toBe(
      'Connection: close (a connection serves one request)',
    )
  })

  it('says what of TCP keepalive could be done', () => {
    const partly = tcpKeepAlive({ applies: false, source: 'idle-only', answered: null, why: 'no koffi' })
    expect(line('TCP', { tcpKeepAlive: partly })).toContain(
      'do not all apply on this machine (idle-only); not probed: no koffi',
    )
    expect(line('TCP', { tcpKeepAlive: tcpKeepAlive({ answered: false }) })).toContain('probes are not answered')
  })

  it('says what could not be kept', () => {
    expect(line('Cost', { cost: cost({ reusedResponse: null, saved: null, roundTrip: null }) })).toMatch(
      /\(median of 5\) no connection could be used again$/,
    )
  })

  it('says that it is not complete, and why', () => {
    expect(textOf(report({}, { complete: false }))).toContain('Not complete: interrupted.')
    const nothing = {
      address: null,
      request: null,
      advertised: null,
      cost: null,
      requests: null,
      tcpKeepAlive: null,
      idle: null,
    }
    const error = { code: 'DEPTH_ZERO_SELF_SIGNED_CERT', message: 'self-signed certificate' }
    const text = textOf(report(nothing, { complete: false, error, recommendation: null, findings: [] }))
    expect(text).toBe(
      'http://example.com/\n\n\nNot complete: self-signed certificate (--insecure takes any certificate)\n13 connections, at most 5 at once, 5.7 s\n',
    )
  })
})

describe('progress', () => {
  const written = (isTTY: boolean, quiet: boolean) => {
    const out: string[] = []
    let now = 0
    const stream = { isTTY, columns: 20, write: (text: string) => out.push(text) > 0 }
    const line = progressLine(stream as never, quiet, () => now)
    return { out, line, at: (time: number) => (now = time) }
  }

  it('is one line on a terminal, cut at its width, and gone at the end', () => {
    const { out, line } = written(true, true)
    line.show({ stage: 'idle', text: 'a text of more than twenty characters' })
    line.end()
    expect(out).toEqual(['\r\u001b[Ka text of more than', '\r\u001b[K'])
  })

  it('is a line for each part elsewhere, and one every ten seconds', () => {
    const { out, line, at } = written(false, false)
    for (const time of [0, 1_000, 9_999, 10_000, 10_500]) {
      at(time)
      line.show({ stage: 'idle', text: `${time}` })
    }
    line.show({ stage: 'cost', text: 'cost' })
    line.end()
    expect(out).toEqual(['0\n', '10000\n', 'cost\n'])
  })

  it('is nothing elsewhere, if the output is for a program', () => {
    const { out, line } = written(false, true)
    line.show({ stage: 'idle', text: 'text' })
    line.end()
    expect(out).toEqual([])
  })
})
