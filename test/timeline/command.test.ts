/** `keepwise timeline`: from a log to a file, and what it says when that cannot be. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommanderError } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { timelineCommand } from '../../src/cli/timeline.js'
import type { TimelineRecord } from '../../src/timeline/record.js'
import { close, idle, open } from './records.js'

const BEGIN = Date.UTC(2026, 10, 22, 13, 40)

const records: TimelineRecord[] = [
  ...[open(BEGIN, 1, 1, 0), idle(BEGIN, 1), close(BEGIN + 10_000, 1, 'learned-timeout')],
  ...[open(BEGIN + 20_000, 2, 2, 0, { origin: 'http://other' }), idle(BEGIN + 30_000, 2, { origin: 'http://other' })],
]
const logOf = (lines: readonly unknown[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('')

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'keepwise-timeline-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

interface Outcome {
  readonly out: string
  readonly err: string
  readonly code: number
}

async function run(args: readonly string[], input = ''): Promise<Outcome> {
  let [out, err, code] = ['', '', 0]
  const write = {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  }
  async function* stdin(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(input)
  }
  const command = timelineCommand({ stdin: stdin(), ...write })
    .exitOverride()
    .configureOutput({ writeErr: write.stderr.write })
  await command.parseAsync(args, { from: 'user' }).catch((error: CommanderError) => (code = error.exitCode))
  return { out, err, code }
}

describe('keepwise timeline', () => {
  it('draws a file into a file', async () => {
    const [log, picture] = [join(directory, 'log.ndjson'), join(directory, 'out.svg')]
    writeFileSync(log, logOf(records))
    expect(await run([log, '-o', picture])).toEqual({ out: '', err: '', code: 0 })
    const text = readFileSync(picture, 'utf8')
    expect(text).toMatch(/^<svg .*<\/svg>\n$/s)
    expect(text).toContain('>learned-timeout</text>')
    expect(text).toContain('2 connections to 2 origins')
  })

  it('draws standard input to standard output', async () => {
    const { out, code } = await run(['-'], logOf(records))
    expect(out).toContain('>learned-timeout</text>')
    expect(code).toBe(0)
  })

  it.each([
    [['--from', '15'], '13:40:15.000 to 13:40:30.000 UTC', false],
    [['--to', '-20'], '13:40:00.000 to 13:40:10.000 UTC', true],
    [['--from', '13:40:05', '--to', '2026-11-22T13:40:12Z'], '13:40:05.000 to 13:40:12.000 UTC', true],
  ])('draws the stretch of %j', async (args, stretch, hasEnd) => {
    const { out } = await run(['-', ...args], logOf(records))
    expect(out).toContain(stretch)
    expect(out.includes('>learned-timeout</text>')).toBe(hasEnd)
  })

  it('draws one origin, so many lanes, so wide', async () => {
    expect((await run(['-', '--origin', 'other'], logOf(records))).out).toContain('1 connection to 1 origin')
    expect((await run(['-', '--lanes', '1'], logOf(records))).out).toContain('1 lane left out')
    expect((await run(['-', '--width', '800'], logOf(records))).out).toMatch(/^<svg [^>]*width="800"/)
  })

  it('tells what it did not draw, by line and by kind, and draws the rest', async () => {
    const lines = [...records, { ...records[0], event: 'new' }, { ...records[0], event: 'dropped', count: 3 }]
    const { out, err, code } = await run(['-'], `junk\n${logOf(lines)}`)
    expect(err.split('\n')).toEqual([
      '-: line 1 is no record: not JSON: "junk"',
      '-: 3 records could not be written, and are missing',
      '-: skipped 1 record of an unknown kind: new',
      '',
    ])
    expect(out).toContain('>learned-timeout</text>')
    expect(code).toBe(0)
  })

  it.each([
    ['a log that is not there', ['/no/such.ndjson'], '/no/such.ndjson: ENOENT'],
    ['a log without records', ['-'], '- has no records', 'junk\n'],
    ['a stretch that is empty', ['-', '--from', '20', '--to', '10'], 'the stretch from --from to --to is empty'],
    ['a stretch after the log', ['-', '--from', '2027-01-01'], 'the log is from 2026-11-22T13:40:00.000Z to'],
    [
      'an origin that is not in it',
      ['-', '--origin', 'c'],
      'no origin contains "c"; there are http://127.0.0.1:8080, http://other',
    ],
    ['a time that is none', ['-', '--from', 'soon'], "option '--from <time>' argument 'soon' is invalid"],
    ['a width that is too small', ['-', '--width', '10'], 'Expected a whole number from 640 to 10000.'],
    ['no lanes', ['-', '--lanes', '0'], 'Expected a whole number from 1.'],
    ['a picture that cannot be written', ['-', '-o', '/no/such/out.svg'], '/no/such/out.svg'],
  ])('fails with words for %s', async (_, args, words, input = logOf(records)) => {
    const { out, err, code } = await run(args, input)
    expect(err).toContain(words)
    expect(code).toBe(1)
    expect(out).toBe('')
  })
})
