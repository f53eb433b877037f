/** The numbers of docs/how-it-works.md are those that the code comes to. */
import { describe, expect, it } from 'vitest'
import { livenessPresets } from '../../src/index.js'
import { parseKeepAlive } from '../../src/keepalive/advertised.js'
import { idleAllowance, idleReason } from '../../src/keepalive/expiry.js'
import { SMALLEST_MARGIN } from '../../src/keepalive/margin.js'
import { dialectSeen, remainingRequests } from '../../src/keepalive/remaining.js'
import type { Native } from '../../src/liveness/native.js'
import { resolveOptions } from '../../src/options/pool-options.js'
import { Pool } from '../../src/pool.js'
import { ManualClock } from '../support/manual-clock.js'
import { code, Page } from './markdown.js'
import { aliasStrings, constantLists } from './source.js'

const page = new Page('docs/how-it-works.md')

describe('the table of idle times', () => {
  const { keepAliveMaxTimeout } = resolveOptions()
  const automatic = (native: ConstructorParameters<typeof Pool>[1]['native']): number =>
    new Pool(resolveOptions(), { clock: new ManualClock(), native }).explain('http://localhost').idleTimeout.value

  it.each(page.table('How long may a connection idle?', 'The server says').map((row) => Object.values(row)))(
    'told %s, kernel to ask: %s: closed after %s',
    (says, kernel, after, reason) => {
      const facts = {
        advertisedTimeout: parseKeepAlive(code(says)).timeout,
        learnedTimeout: undefined,
        keepAliveTimeout: automatic(kernel === 'yes' ? { native: {} as Native } : { why: 'none' }),
        keepAliveMaxTimeout,
        margin: SMALLEST_MARGIN,
        idleSince: 0,
        lifetimeEndsAt: Infinity,
      }
      if (after === 'not kept') expect(idleAllowance(facts)).toBeLessThanOrEqual(0)
      else expect(after).toBe(`${idleAllowance(facts)} ms`)
      expect(code(reason)).toBe(idleReason(facts))
    },
  )
})

describe('the table of dialects', () => {
  const rows = page.table('The two dialects of max', 'Response')

  it.each(rows.map((row) => [code(row.Response), Object.values(row).slice(1).map(code)] as const))(
    'is counted to its end: %s',
    (_server, responses) => {
      let remaining = Infinity
      let constant = false
      let previous: number | undefined
      for (const [index, response] of responses.entries()) {
        const { max } = parseKeepAlive(response)
        constant = dialectSeen(previous, max) ?? constant
        remaining = remainingRequests({ answered: index + 1, remaining, max, constant })
        previous = max
        // One more is allowed after each response but the last.
        expect(remaining > 0, `after response ${index + 1}`).toBe(index + 1 < responses.length)
      }
    },
  )
})

describe('the section on presets', () => {
  const text = page.section('Liveness presets')

  it('speaks of each preset that sets numbers, and of none that does not exist', () => {
    const named = [...text.matchAll(/`'([a-z]+)'`/g)].map(([, name]) => name)
    expect([...new Set(named)].sort()).toEqual(Object.keys(livenessPresets).sort())
    expect(aliasStrings('liveness/presets.ts', 'LivenessPreset')).toEqual(expect.arrayContaining(named))
  })

  it('has the numbers of the presets it speaks of', () => {
    const { cloud, mobile } = livenessPresets
    expect(text).toContain(`\`'cloud'\` probes after ${cloud.idle / 1000} s`)
    expect(text).toContain(`knows a dead peer after ${(cloud.idle + cloud.interval * cloud.probes) / 1000} s`)
    expect(text).toContain(`\`'mobile'\` probes after ${mobile.idle / 1000} s`)
  })

  it('has presets that keep what is in between awake', () => {
    const memory = page
      .table('Liveness presets', 'In between')
      .map((row) => Number(/\d+/.exec(row['Forgets a silent connection after'] as string)?.[0]))
    expect(memory).toHaveLength(4)
    for (const { idle } of [livenessPresets.cloud, livenessPresets.mobile])
      expect(idle / 1000).toBeLessThan(Math.min(...memory))
  })
})

it('names the smallest margin', () => {
  expect(page.section('How long may a connection idle?')).toContain(`at least ${SMALLEST_MARGIN} ms`)
})

it('has the states of a connection, and what each becomes', () => {
  const rows = page.table('The life of a connection', 'State').map((row) => {
    const becomes = [...(row.Becomes ?? '').matchAll(/`([^`]*)`/g)].map(([, state]) => state)
    return [code(row.State), becomes] as const
  })
  expect(Object.fromEntries(rows)).toEqual(constantLists('pool/connection.ts', 'transitions'))
})
