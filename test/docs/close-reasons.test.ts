/** docs/close-reasons.md has every close reason: what it means, whether it is normal, what to do; and who gives it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { channelNames } from '../../src/channels.js'
import { type ConnectionSnapshot, closeReasons } from '../../src/index.js'
import { attributeNames, instruments } from '../../src/telemetry/instruments.js'
import { describe as describeRecord } from '../../src/timeline/describe.js'
import { code, Page, root } from './markdown.js'

const page = new Page('docs/close-reasons.md')
const rows = page.table('All reasons', 'Reason')

/** Where src names a reason other than where it is declared. */
const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && name !== 'reasons.ts')
  .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
  .join('\n')

describe('the table of close reasons', () => {
  it('lists every reason, in the order of the code, and leads to its section', () => {
    expect(rows.map((row) => row.Reason)).toEqual(closeReasons.map((reason) => `[\`${reason}\`](#${reason})`))
  })

  it('says of each what caused it, whether it is normal, and of each that is given what to do', () => {
    for (const row of rows) {
      expect(row['What caused it'], row.Reason).not.toBe('')
      expect(['yes', 'if rare', 'no'], row.Reason).toContain(row.Normal)
      if (!row['What caused it']?.startsWith('Reserved')) expect(row['What to do'], row.Reason).not.toBe('')
    }
  })

  it.each(rows.map((row) => [code(row.Reason), row['What caused it'] as string]))(
    'calls %s reserved only if nothing gives it',
    (reason, cause) => {
      expect(cause.startsWith('Reserved')).toBe(!source.includes(`'${reason}'`))
    },
  )
})

describe('the sections', () => {
  const verdicts: Readonly<Record<string, string>> = {
    yes: '**Normal.** ',
    'if rare': '**Normal if rare.** ',
    no: '**Not normal.** ',
  }

  it('are those of the reasons, in the order of the code', () => {
    const headings = [...page.section('One by one').matchAll(/^### (.*)$/gm)].map(([, title]) => title)
    expect(headings).toEqual([...closeReasons])
  })

  it.each(rows.map((row) => [code(row.Reason), row.Normal as string]))(
    'say of %s whether it is normal (%s), what to look at and what to change',
    (reason, normal) => {
      const text = page.section(reason)
      expect(text.trimStart().startsWith(verdicts[normal] as string), text).toBe(true)
      expect(text).toMatch(/^- \*\*Look (at|for)\*\* \S/m)
      expect(text).toMatch(/^- \*\*Change\*\* \S/m)
    },
  )
})

describe('the table of who decides', () => {
  it('has every reason once', () => {
    const listed = page.table('Who decides', 'Side').flatMap((row) => row.Reasons?.match(/[a-z-]+/g) ?? [])
    expect(listed.sort()).toEqual([...closeReasons].sort())
  })
})

it('has the line that is printed with NODE_DEBUG', () => {
  const row = page.table('Where the word stands', 'Where').find(({ Where }) => Where?.startsWith('debug lines'))
  const connection = { id: 3, origin: 'https://example.com', requests: 5, idle: 30_000, age: 61_200 }
  const printed = describeRecord({
    ...{ time: 0, pool: { id: 1, name: 'default' }, event: 'close', reason: 'idle-timeout' },
    connection: connection as ConnectionSnapshot,
  })
  expect(code(row?.['How it looks there'])).toBe(printed)
})

it('names the channel, the metric and the attribute that have the word', () => {
  const places = page
    .table('Where the word stands', 'Where')
    .map((row) => `${row.Where} ${row['How it looks there']}`)
    .join('\n')
  expect(places).toContain(`\`${channelNames.close}\``)
  expect(places).toContain(`\`${instruments.closed.name}\``)
  expect(places).toContain(`\`${attributeNames.reason}\``)
})
