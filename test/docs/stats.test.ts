/** docs/stats.md has every field of stats(), explain() and capabilities. */
import { describe, expect, it } from 'vitest'
import { createPool } from '../../src/index.js'
import { code, Page } from './markdown.js'
import { interfaceMembers, interfaceNames, literalMembers, namesIn, stringsOf } from './source.js'

const page = new Page('docs/stats.md')
const fields = (heading: string): string[][] =>
  page
    .tables(heading)
    .filter(([row]) => row?.Field !== undefined && row.Meaning !== undefined)
    .map((rows) => rows.map((row) => code(row.Field)))

describe('docs/stats.md', () => {
  it('lists the fields of stats()', () => {
    expect(fields('stats')).toEqual([
      interfaceNames('telemetry/stats.ts', 'Gauges'),
      interfaceNames('telemetry/stats.ts', 'Counts'),
      interfaceNames('telemetry/stats.ts', 'PoolStats'),
    ])
    expect(fields('stats').flat().sort()).toEqual(Object.keys(createPool().stats()).sort())
  })

  it('lists the fields of explain(), of what it explains, and of its liveness', () => {
    const liveness = interfaceMembers('telemetry/explain.ts', 'Explanation').find(({ name }) => name === 'liveness')
    expect(fields('explain')).toEqual([
      interfaceNames('telemetry/explain.ts', 'Explanation'),
      interfaceNames('telemetry/explain.ts', 'Explained'),
      literalMembers(liveness?.type).map(({ name }) => name),
    ])
    const explained = createPool().explain('http://localhost')
    expect(fields('explain')[0]).toEqual(Object.keys(explained))
    expect(fields('explain')[2]).toEqual(Object.keys(explained.liveness))
  })

  it('lists the fields of what was learned', () => {
    const learned = interfaceMembers('telemetry/explain.ts', 'Explanation').find(({ name }) => name === 'learned')
    expect(page.table('explain', 'Learned').map((row) => code(row.Learned))).toEqual(namesIn(learned?.type))
  })

  it.each(
    interfaceMembers('telemetry/explain.ts', 'Explanation')
      .filter(({ type }) => type?.getText().startsWith('Explained<'))
      .map(({ name, type }) => [name, stringsOf(type)] as const),
  )('lists the sources of %s: %s', (name, sources) => {
    const row = page
      .tables('explain')
      .flat()
      .find((each) => code(each.Field) === name && 'Possible `source`' in each)
    expect([...(row?.['Possible `source`'] ?? '').matchAll(/`([^`]*)`/g)].map(([, source]) => source)).toEqual(sources)
  })

  it('names every source of the system values', () => {
    const source = interfaceMembers('liveness/system.ts', 'SystemLiveness').find(({ name }) => name === 'source')
    expect(page.table('explain', 'Source').map((row) => code(row.Source))).toEqual(stringsOf(source?.type))
  })

  it('lists the fields of capabilities, the ways TCP keepalive is set, and when dead peers are found', () => {
    expect(fields('capabilities')).toEqual([interfaceNames('liveness/capabilities.ts', 'Capabilities')])
    expect(fields('capabilities').flat()).toEqual(Object.keys(createPool().capabilities))
    for (const field of ['tcpKeepAlive', 'deadPeers']) {
      const declared = interfaceMembers('liveness/capabilities.ts', 'Capabilities').find(({ name }) => name === field)
      const row = page.table('capabilities', 'Field').find((each) => code(each.Field) === field)
      const listed = [...(row?.Meaning ?? '').matchAll(/`([^`]*)`/g)].map(([, value]) => value)
      expect(listed).toEqual(stringsOf(declared?.type))
      expect(listed.length).toBeGreaterThan(1)
    }
  })
})
