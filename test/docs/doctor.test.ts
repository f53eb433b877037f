/** docs/doctor.md is what the doctor is: its options, codes, limits, the report's fields, the servers that it is tried on. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { doctorCommand, exitCodes } from '../../src/cli/doctor.js'
import { noFacts } from '../../src/doctor/facts.js'
import { COST_SAMPLES, LARGEST_BODY, MOST_OPEN, MOST_OPENED } from '../../src/doctor/limits.js'
import { doctorDefaults, methods } from '../../src/doctor/options.js'
import { type KnownServer, knownServers } from '../doctor/known-servers.js'
import { advertised, closing, cost, facts, requests, tcpKeepAlive } from '../doctor/support.js'
import { code, Page, root } from './markdown.js'
import { aliasStrings, constantKeys, interfaceNames, numbersOf } from './source.js'

const page = new Page('docs/doctor.md')

describe('the table of options', () => {
  const rows = page.table('Options', 'Option')
  const { options } = doctorCommand()

  it('has every option, in order, as it is written', () => {
    expect(rows.map((row) => code(row.Option))).toEqual(options.map(({ flags }) => flags))
  })

  it.each(options.map((option) => [option.flags, option] as const))('has the default of %s', (flags, option) => {
    const row = rows.find((each) => code(each.Option) === flags)
    const { defaultValue, required } = option
    const none = defaultValue === undefined || (Array.isArray(defaultValue) && defaultValue.length === 0)
    expect(code(row?.Default)).toBe(none ? (required ? 'none' : 'off') : String(defaultValue))
  })

  it('has every method, and every exit code', () => {
    const method = rows.find((row) => row.Option?.includes('--method'))
    for (const name of methods) expect(method?.Meaning).toContain(name)
    const codes = page.table('Options', 'Exit code').map((row) => Number(code(row['Exit code'])))
    expect(codes).toEqual(Object.values(exitCodes))
  })
})

describe('the numbers in the text', () => {
  it('are those of the code', () => {
    const { text } = page
    expect(text).toContain(`at most ${MOST_OPEN} connections\nopen at once and ${MOST_OPENED} in all`)
    expect(text).toContain(`no more than ${LARGEST_BODY / 1024 / 1024} MiB is read`)
    expect(text).toContain(`(median of ${COST_SAMPLES})`)
    const { BEYOND_ADVERTISED = 0 } = numbersOf('doctor/doctor.ts')
    expect(text).toContain(`waited for ${BEYOND_ADVERTISED / 1000} s longer at the most`)
    expect(doctorDefaults.maxWait).toBe(80_000)
    const plan = numbersOf('doctor/idle-plan.ts')
    expect(plan).toMatchObject({
      RATIO: 1.4,
      SHORTEST_AGE: 500,
      NARROW_PART: 0.1,
      NARROW: 250,
      WATCHES: 2,
      WATCHES_APART: 1_000,
    })
    expect(numbersOf('doctor/idle.ts')).toMatchObject({ PATIENCE_FACTOR: 5, SHORTEST_PATIENCE: 2_000 })
  })
})

describe('the table of findings', () => {
  const rows = page.table('Findings', 'Code')

  it('has every code, in order, and whether it is a problem', () => {
    const codes = aliasStrings('doctor/findings.ts', 'FindingCode')
    expect(rows.map((row) => code(row.Code))).toEqual(codes)
    expect(constantKeys('doctor/findings.ts', 'rules').map((key) => key.replaceAll("'", ''))).toEqual(codes)
    const source = readFileSync(join(root, 'src/doctor/findings.ts'), 'utf8')
    for (const row of rows) {
      const severity = new RegExp(`^  '?${code(row.Code).replace('.', '\\.')}'?: \\['(\\w+)'`, 'm').exec(source)?.[1]
      expect(row.Kind, row.Code).toBe(severity)
    }
  })

  it('says of each what it means and what to do', () => {
    for (const row of rows) {
      expect(row['What it means'], row.Code).not.toBe('')
      expect(row['What to do'], row.Code).not.toBe('')
    }
  })
})

describe('the tables of the report', () => {
  const fields = (heading: string): string[] => page.table(heading, 'Field').map((row) => code(row.Field))

  it('have every field', () => {
    const own = interfaceNames('doctor/report.ts', 'Report')
    expect(fields('The report').sort()).toEqual([...own, ...Object.keys(noFacts)].sort())
  })

  it.each([
    ['address', facts().address],
    ['request', facts().request],
    ['advertised', advertised()],
    ['cost', cost()],
    ['requests', requests()],
    ['tcpKeepAlive', tcpKeepAlive()],
    ['idle', closing(1)],
  ])('have every field of %s', (part, value) => {
    const rows = page
      .tables('The report')
      .flat()
      .filter((row) => row.Of !== undefined && code(row.Of) === part)
    expect(rows.map((row) => code(row.Has))).toEqual(Object.keys(value as object))
  })
})

describe('the table of known servers', () => {
  const ends = { fin: 'FIN', reset: 'RST', 'reset-on-request': 'RST', silence: 'silence' } as const
  const seconds = (time: number): string => `${time / 1000} s`

  /** A row as it has to be. */
  function row({ server, setTo, idle, advertised, closedAfter, dialect, findings }: KnownServer) {
    const kept = idle === undefined ? 'not kept' : idle === null ? 'longer' : seconds(idle.timeout)
    const says = advertised === undefined ? '' : `, says ${seconds(advertised)}`
    const counts = dialect === undefined ? '' : dialect === 'total' ? ', says so' : ', counts down'
    return {
      Server: server,
      'Set to': setTo,
      'Idle for': `${kept}${says}`,
      End: idle ? ends[idle.end] : '',
      'Closes after': `${closedAfter === undefined ? '' : `${closedAfter} requests`}${counts}`,
      Findings: findings.map((finding) => `\`${finding}\``).join(' '),
    }
  }

  it('is what the tests find', () => {
    expect(page.table('Servers whose settings are known', 'Server')).toEqual(knownServers.map(row))
  })
})
