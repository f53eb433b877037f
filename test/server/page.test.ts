/** docs/server.md has every option, event, field and number that there is, with its default. */
import { describe, expect, it } from 'vitest'
import { resolveClose, resolveKeepAlive } from '../../src/server/options.js'
import { code, Page } from '../docs/markdown.js'
import { aliasStrings, interfaceMembers, interfaceNames, namesIn } from '../docs/source.js'

const page = new Page('docs/server.md')
const listed = (heading: string, column: string): string[] =>
  page.table(heading, column).map((row) => code(row[column]))

describe('docs/server.md', () => {
  it('lists the options of keepAlive, and where their defaults come from', () => {
    expect(listed('Options', 'Option')).toEqual(interfaceNames('server/options.ts', 'KeepAliveOptions'))
    const settings = { keepAliveTimeout: 12_000, maxRequestsPerSocket: 7, keepAliveTimeoutBuffer: 300 }
    const defaults = resolveKeepAlive({}, settings)
    const named = Object.fromEntries(
      page.table('Options', 'Option').map((row) => [code(row.Option), code(row.Default)] as const),
    )
    expect(defaults).toEqual({
      timeout: settings[named.timeout as 'keepAliveTimeout'],
      max: settings[named.max as 'maxRequestsPerSocket'],
      buffer: settings[named.buffer as 'keepAliveTimeoutBuffer'],
      liveness: named.liveness?.replaceAll("'", ''),
    })
    const [, withoutBuffer] = page.table('Options', 'Option')[2]!.Default!.split(', or ')
    expect(resolveKeepAlive({}, { keepAliveTimeout: 1 }).buffer).toBe(Number(withoutBuffer?.replace('_', '')))
  })

  it('lists the options of close, with their defaults', () => {
    const rows = page.table('Closing', 'Option')
    expect(rows.map((row) => code(row.Option))).toEqual(interfaceNames('server/options.ts', 'CloseOptions'))
    const defaults = rows.map((row) => [code(row.Option), Number(row.Default?.replaceAll('_', ''))])
    expect(Object.fromEntries(defaults)).toEqual(resolveClose({}))
  })

  it('lists the events and their fields', () => {
    const events = interfaceMembers('server/events.ts', 'ServerEvents')
    expect(listed('Dead clients', 'Event')).toEqual(events.map(({ name }) => name))
    for (const { type } of events) expect(namesIn(type)).toEqual(listed('Dead clients', 'Field'))
  })

  it('lists what may have been going on', () => {
    const row = page.table('Dead clients', 'Field').find(({ Field }) => code(Field) === 'during')
    const named = [...row!.Meaning!.matchAll(/`'(\w+)'`/g)].map(([, name]) => name)
    expect(named).toEqual(aliasStrings('server/snapshot.ts', 'During'))
  })

  it('lists the fields of a client', () => {
    expect(listed('Dead clients', 'Client')).toEqual(interfaceNames('server/snapshot.ts', 'ClientSnapshot'))
  })

  it('lists the numbers', () => {
    expect(listed('Numbers', 'Field')).toEqual(interfaceNames('server/stats.ts', 'ServerStats'))
  })

  it('recommends a timeout that is longer than that of what is in front', () => {
    const rows = page.table('Behind load balancers and proxies', 'In front')
    const compared = rows.flatMap((row) => {
      const [, amount, unit] = /^(\d+) (s|h)\b/.exec(Object.values(row)[1] ?? '') ?? []
      const timeout = Number(row['`timeout`']?.replaceAll('_', ''))
      return Number.isNaN(timeout)
        ? []
        : [[row['In front'], timeout - Number(amount) * (unit === 'h' ? 3_600_000 : 1_000)]]
    })
    expect(compared.length).toBeGreaterThanOrEqual(4)
    for (const [name, more] of compared) expect(more, String(name)).toBeGreaterThanOrEqual(5_000)
  })
})
