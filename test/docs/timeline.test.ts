/** docs/timeline.md has the options, times, signs and records that there are, and its picture is what its log gives. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { timelineCommand } from '../../src/cli/timeline.js'
import { NARROWEST, WIDEST } from '../../src/timeline/geometry.js'
import { laneStates } from '../../src/timeline/lane.js'
import { whenOf } from '../../src/timeline/moment.js'
import { parse } from '../../src/timeline/parse.js'
import { reliedOn } from '../../src/timeline/record.js'
import type { DroppedRecord } from '../../src/watch/log.js'
import { code, Page, root } from './markdown.js'

const page = new Page('docs/timeline.md')
const log = readFileSync(join(root, 'docs/figures/timeline.ndjson'), 'utf8')
const picture = readFileSync(join(root, 'docs/figures/timeline.svg'), 'utf8')
const codes = (cell: string | undefined): string[] =>
  [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, each]) => each as string)

describe('the table of options', () => {
  const rows = page.table('Draw it', 'Option')
  const { options } = timelineCommand()

  it('lists every option, with its default', () => {
    expect(rows.map((row) => [codes(row.Option), row.Default])).toEqual(
      options.map(({ long, short, defaultValue }) => [
        [long, short].filter(Boolean),
        defaultValue === undefined ? 'none' : `\`${defaultValue}\``,
      ]),
    )
  })

  it('has the widths that it takes', () => {
    expect(rows.find((row) => code(row.Option) === '--width')?.Meaning).toContain(`from ${NARROWEST} to ${WIDEST}`)
  })

  it('has times that are understood', () => {
    const times = page.table('Times', 'Time').flatMap((row) => codes(row.Time))
    expect(times.length).toBeGreaterThan(7)
    for (const time of times) expect(whenOf(time), time).toBeDefined()
  })
})

describe('the picture', () => {
  it('is what keepwise timeline makes of its log', async () => {
    let out = ''
    const streams = { stdin: stdin(), stdout: { write: (text: string) => (out += text) }, stderr: process.stderr }
    await timelineCommand(streams).parseAsync(['-', '--width', '1000'], { from: 'user' })
    expect(picture, 'run: node docs/figures/timeline.mjs').toBe(out)
  })

  async function* stdin(): AsyncGenerator<string> {
    yield log
  }

  it('shows what the page speaks of', () => {
    for (const word of [
      'advertised-timeout',
      'learned-timeout',
      'server-fin',
      'learned',
      'replay',
      'dial failed',
      'waiting',
    ])
      expect(picture).toContain(`>${word}`)
  })

  it('has every state among the signs that are explained', () => {
    const rows = page.table('Read it', 'Sign')
    expect(rows.flatMap((row) => codes(row.Means))).toEqual(laneStates.filter((state) => state !== 'unseen'))
  })
})

describe('the table of records', () => {
  const rows = page.table('What is in a log', 'Event')
  const fieldsOf = new Map(rows.map((row) => [code(row.Event), codes(row.Fields)]))

  it('lists every kind, and the one for those that are missing', () => {
    const dropped: DroppedRecord['event'] = 'dropped'
    expect([...fieldsOf.keys()]).toEqual([...Object.keys(reliedOn), dropped])
  })

  it('has the fields that a reader relies on', () => {
    for (const [event, fields] of Object.entries(reliedOn))
      expect(fieldsOf.get(event)).toEqual(expect.arrayContaining([...fields]))
  })

  it('has the fields that are in a real log, and no record there has others', () => {
    const { records, reader } = parse(log)
    expect(reader).toMatchObject({ bad: 0, dropped: 0, unknown: new Map() })
    expect(new Set(records.map(({ event }) => event)).size).toBeGreaterThan(8)
    for (const { time, pool, event, ...fields } of records) {
      expect([typeof time, typeof pool.name]).toEqual(['number', 'string'])
      for (const name of Object.keys(fields)) expect(fieldsOf.get(event), event).toContain(name)
    }
  })
})
