/** docs/close-reasons.md has every close reason, and says who gives it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { closeReasons } from '../../src/index.js'
import { code, Page, root } from './markdown.js'

const page = new Page('docs/close-reasons.md')
const rows = page.table('All reasons', 'Reason')

/** Where src names a reason other than where it is declared. */
const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && name !== 'reasons.ts')
  .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
  .join('\n')

describe('the table of close reasons', () => {
  it('lists every reason, in the order of the code', () => {
    expect(rows.map((row) => code(row.Reason))).toEqual([...closeReasons])
  })

  it('says of each what caused it, and of each that is given what to do', () => {
    for (const row of rows) {
      expect(row['What caused it'], row.Reason).not.toBe('')
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

describe('the table of who decides', () => {
  it('has every reason once', () => {
    const listed = page.table('Who decides', 'Side').flatMap((row) => row.Reasons?.match(/[a-z-]+/g) ?? [])
    expect(listed.sort()).toEqual([...closeReasons].sort())
  })
})
