/** docs/metrics.md: its tables are the table of instruments, and its queries name what there is. */
import { describe, expect, it } from 'vitest'
import { labelName, metricName } from '../../src/prometheus/names.js'
import { errorTypes } from '../../src/telemetry/error-type.js'
import { attributeNames, type Instrument, instruments } from '../../src/telemetry/instruments.js'
import { knownMethods, METHODS_VARIABLE } from '../../src/telemetry/methods.js'
import { MOST_NAMED_SERVERS } from '../../src/telemetry/pool-series.js'
import { MOST_OUTCOMES, OTHER_SERVERS } from '../../src/telemetry/server-attributes.js'
import { code, Page } from './markdown.js'
import { interfaceNames } from './source.js'

const page = new Page('docs/metrics.md')
const table: readonly Instrument[] = Object.values(instruments)
const kinds = { histogram: 'histogram', counter: 'counter', upDownCounter: 'up-down counter', gauge: 'gauge' } as const

/** On every instrument. */
const common: readonly string[] = ['pool', 'address', 'port', 'scheme'].map(
  (name) => attributeNames[name as keyof typeof attributeNames],
)

const codes = (cell: string | undefined): string[] => [...(cell ?? '').matchAll(/`([^`]*)`/g)].map(([, text]) => text!)

describe('docs/metrics.md', () => {
  it('lists the instruments, as they are', () => {
    const rows = page.tables('Instruments').filter(([row]) => row?.Instrument !== undefined)
    expect(
      rows.flat().map((row) => ({
        ...{ name: code(row.Instrument), prometheus: code(row.Prometheus), kind: row.Kind, unit: code(row.Unit) },
        ...{ attributes: codes(row.Attributes), description: row.Meaning },
      })),
    ).toEqual(
      table.map(({ name, kind, unit, attributes, description }) => ({
        ...{ name, prometheus: metricName(kind, name, unit), kind: kinds[kind], unit },
        ...{ attributes: attributes.filter((attribute) => !common.includes(attribute)), description },
      })),
    )
    for (const { attributes } of table) expect(attributes).toEqual(expect.arrayContaining([...common]))
  })

  it('parts those of the conventions from ours', () => {
    const [theirs = [], ours = []] = page.tables('Instruments').filter(([row]) => row?.Instrument !== undefined)
    expect(theirs.every((row) => code(row.Instrument).startsWith('http.client.'))).toBe(true)
    expect(ours.every((row) => code(row.Instrument).startsWith('keepwise.'))).toBe(true)
    expect(theirs).toHaveLength(4)
  })

  it('has the buckets', () => {
    const rows = page.table('Instruments', 'Histogram')
    const bounds = rows.map((row) => [code(row.Histogram), Object.values(row)[1]?.split(', ').map(Number)])
    expect(bounds).toEqual(
      table.filter(({ kind }) => kind === 'histogram').map(({ name, boundaries }) => [name, boundaries]),
    )
  })

  it('lists the attributes, and the methods that are told apart', () => {
    const rows = page.table('Attributes', 'Attribute')
    expect(rows.map((row) => code(row.Attribute))).toEqual(Object.values(attributeNames))
    for (const row of rows) expect(code(row.Label)).toBe(labelName(code(row.Attribute)))
    const method = rows.find((row) => code(row.Attribute) === attributeNames.method)
    expect(codes(method?.Values)).toEqual([...knownMethods, '_OTHER'])
    expect(page.section('Attributes')).toContain(`\`${METHODS_VARIABLE}\``)
    expect(page.section('How many series')).toContain(`\`${OTHER_SERVERS}\``)
  })

  it('lists the error types', () => {
    const rows = page.table('Error types', 'Whose')
    expect(rows.map((row) => codes(row['`error.type`']))).toEqual(Object.values(errorTypes))
  })

  it('says where series end', () => {
    const section = page.section('How many series')
    expect(section).toContain(`The first ${MOST_NAMED_SERVERS} servers`)
    expect(section).toContain(`at most ${MOST_OUTCOMES} ways`)
  })

  it('lists the options of collect()', () => {
    const rows = page.table('Prometheus', 'Option')
    expect(rows.map((row) => code(row.Option))).toEqual(interfaceNames('prometheus.ts', 'CollectOptions'))
  })

  it('asks for metrics and labels that there are', () => {
    const metrics = new Map(table.map((each) => [metricName(each.kind, each.name, each.unit), each]))
    const queries = page.fences().filter(({ language }) => language === 'text')
    expect(queries.length).toBeGreaterThan(6)
    const asked = new Set<string>()
    for (const { code: query } of queries)
      for (const [, name = '', labels = ''] of query.matchAll(
        /\b((?:keepwise|http_client)_\w+)(?:\{(.*?)\}|\)|\[| |$)/gm,
      )) {
        const base = metrics.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '')
        const metric = metrics.get(base)
        if (metric === undefined) {
          // Not a metric, then a label to sum by.
          expect(table.flatMap(({ attributes }) => attributes.map(labelName))).toContain(name)
          continue
        }
        asked.add(base)
        expect(metric.kind === 'histogram', name).toBe(name !== base)
        expect(metric.kind === 'counter' || metric.kind === 'histogram', `rate of ${name}`).toBe(
          new RegExp(`(rate|increase)\\(${name}\\b`).test(query),
        )
        for (const [, label, value = ''] of labels.matchAll(/(\w+)(?:=~|!=|=)"(.*?)"/g)) {
          expect(metric.attributes.map(labelName), query).toContain(label)
          if (label === 'error_type' && value !== '')
            for (const type of value.split('|')) expect(Object.values(errorTypes).flat()).toContain(type)
        }
      }
    expect(asked.size).toBeGreaterThanOrEqual(8)
  })
})
