/** Reads logs, whatever is in them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { draw } from '../../src/timeline/draw.js'
import { Timeline } from '../../src/timeline/lanes.js'
import { LogReader, linesOf, MAX_LINE, MAX_PROBLEMS, parse } from '../../src/timeline/parse.js'
import { reliedOn, type TimelineRecord } from '../../src/timeline/record.js'
import { markup } from '../../src/timeline/shape.js'
import { viewOf } from '../../src/timeline/view.js'
import {
  active,
  close,
  connection,
  dial,
  dialFailed,
  idle,
  learn,
  left,
  open,
  refused,
  replay,
  suspect,
  wait,
} from './records.js'

const samples: TimelineRecord[] = [
  ...[dial(1, 1), dialFailed(2, 1), open(3, 1, 2, 1), active(4, 1), idle(5, 1), suspect(6, 1)],
  ...[{ ...suspect(7, 1), event: 'dead' as const }, close(8, 1, 'dead'), wait(9, 1), left(10)],
  ...[refused(11, 'ERR'), replay(12), learn(13, 5_000)],
]
const logOf = (records: readonly unknown[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('')
const whyNot = (value: unknown): string | undefined => parse(JSON.stringify(value)).reader.problems[0]?.why

describe('a log', () => {
  it('gives every kind of record back as it was written', () => {
    expect(samples.map(({ event }) => event).sort()).toEqual(Object.keys(reliedOn).sort())
    const { records, reader } = parse(logOf(samples))
    expect(records).toEqual(samples.map((record) => JSON.parse(JSON.stringify(record))))
    expect(reader).toMatchObject({ records: samples.length, bad: 0, problems: [] })
  })

  it('may have blank lines, Windows line ends and a byte order mark', () => {
    const { records, reader } = parse(`\uFEFF${logOf(samples).replaceAll('\n', '\r\n\r\n')}`)
    expect(records).toHaveLength(samples.length)
    expect(reader.bad).toBe(0)
  })

  it('tells a line that is no record with its number, and reads on', () => {
    const { records, reader } = parse(`${logOf([samples[0]])}\nnonsense\n[1]\n${logOf([samples[1]])}`)
    expect(records).toHaveLength(2)
    expect(reader.problems).toEqual([
      { line: 3, why: 'not JSON: "nonsense"' },
      { line: 4, why: 'not an object: "[1]"' },
    ])
  })

  it(`tells ${MAX_PROBLEMS} of them, and counts all`, () => {
    const { reader } = parse('junk\n'.repeat(MAX_PROBLEMS + 5))
    expect(reader.problems).toHaveLength(MAX_PROBLEMS)
    expect(reader.bad).toBe(MAX_PROBLEMS + 5)
  })

  it('skips records of an unknown kind, and counts them by kind', () => {
    const { records, reader } = parse(
      logOf([
        { ...samples[0], event: 'new' },
        { ...samples[0], event: 'new' },
      ]),
    )
    expect(records).toEqual([])
    expect([...reader.unknown]).toEqual([['new', 2]])
    expect(reader.bad).toBe(0)
  })

  it('counts a thousand unknown kinds in a few, and one that it has met by its name', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => ({ ...samples[0], event: `kind ${index}` }))
    const { reader } = parse(logOf([...names, { ...samples[0], event: 'kind 3' }]))
    expect(reader.unknown.size).toBe(MAX_PROBLEMS + 1)
    expect(reader.unknown.get('kind 3')).toBe(2)
    expect(reader.unknown.get('others')).toBe(1_000 - MAX_PROBLEMS)
  })

  it('counts the records that could not be written', () => {
    const { reader } = parse(logOf([{ ...samples[0], event: 'dropped', count: 7 }]))
    expect(reader).toMatchObject({ dropped: 7, bad: 0, unknown: new Map() })
  })

  it('finds kinds among its own only: not toString, not __proto__', () => {
    const { records, reader } = parse(
      logOf([
        { ...samples[0], event: 'toString' },
        { ...samples[0], event: '__proto__' },
      ]),
    )
    expect(records).toEqual([])
    expect([...reader.unknown.keys()]).toEqual(['toString', '__proto__'])
  })

  it.each([
    ['no time', { ...samples[0], time: 'now' }],
    ['no time', { ...samples[0], time: 9e15 }],
    ['no pool with an id and a name', { ...samples[0], pool: { id: 1 } }],
    ['no event', { ...samples[0], event: 5 }],
    ['dial of dial is not a number', { ...samples[0], dial: '1' }],
    ['origin of wait is not a string', { ...wait(1, 1), origin: null }],
    [
      'connection of idle is not a connection with its id, origin, age and idle time',
      { ...idle(1, 1), connection: {} },
    ],
    ['error of refused is not an error with its message', { ...refused(1, 'ERR'), error: 'ERR' }],
    ['evidence of suspect is not an object', { ...suspect(1, 1), evidence: [] }],
  ])('says why a line is no record: %s', (why, value) => {
    expect(whyNot(value)).toBe(why)
  })

  it('leaves out what may be missing and is not what it should be', () => {
    const odd = {
      ...close(1, 1, 'reset'),
      error: { message: 'gone', code: 7 },
      connection: { ...connection(1), rtt: null, remoteAddress: 5 },
    }
    const [record] = parse(JSON.stringify(odd)).records
    const { rtt, remoteAddress, ...rest } = JSON.parse(JSON.stringify(connection(1)))
    expect(record).toEqual({ ...close(1, 1, 'reset'), connection: rest })
  })

  it(`looks at lines of ${MAX_LINE} characters, and not at longer ones`, () => {
    const line = JSON.stringify({ ...samples[0], more: '' })
    const filled = (length: number): string => JSON.stringify({ ...samples[0], more: 'x'.repeat(length - line.length) })
    expect(parse(filled(MAX_LINE)).records).toHaveLength(1)
    expect(parse(filled(MAX_LINE + 1)).reader.problems[0]?.why).toBe(`longer than ${MAX_LINE} characters`)
  })

  it('never throws, and neither does what is made of it', () => {
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom(1, -1, 1e300, null, '', {}))
    const record = fc
      .tuple(
        fc.constantFrom(...samples),
        fc.dictionary(
          fc.constantFrom('time', 'connection', 'error', 'reason', 'dialTime', 'timeout', 'waited', 'method'),
          value,
        ),
        fc.dictionary(
          fc.constantFrom('id', 'age', 'idle', 'origin', 'remoteAddress', 'localPort', 'requests', 'rtt'),
          value,
        ),
      )
      .map(([sample, fields, inner]) => ({
        ...sample,
        ...('connection' in sample ? { connection: { ...sample.connection, ...inner } } : {}),
        ...fields,
      }))
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            record.map((each) => JSON.stringify(each)),
            fc.string(),
          ),
        ),
        (lines) => {
          const timeline = new Timeline()
          const { records, reader } = parse(lines.join('\n'))
          for (const each of records) timeline.apply(each)
          expect(markup(draw(viewOf(timeline)))).toMatch(/^<svg .*<\/svg>$/s)
          expect(reader.records).toBe(records.length)
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('the lines of a stream', () => {
  const collect = async (chunks: readonly (string | Uint8Array)[]): Promise<string[]> => {
    const lines: string[] = []
    for await (const line of linesOf(stream(chunks))) lines.push(line)
    return lines
  }
  async function* stream(chunks: readonly (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
    yield* chunks
  }

  it('are the same however it is cut, between the bytes of a character too', async () => {
    const text = 'one\n\nzwei für €\n{"a":"😀"}\nlast'
    const bytes = Buffer.from(text)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 6 }), async (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length]
        const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end))
        expect(await collect(chunks)).toEqual(text.split('\n'))
      }),
      { numRuns: 100 },
    )
  })

  it('keep no more of one without end than is looked at, and it is told as too long', async () => {
    const chunk = 'x'.repeat(MAX_LINE)
    const lines = await collect([chunk, chunk, chunk, '\nnext\n'])
    expect(lines.map((line) => line.length)).toEqual([MAX_LINE + 1, 4])
    const reader = new LogReader()
    for (const line of lines) reader.read(line)
    expect(reader.problems.map(({ line }) => line)).toEqual([1, 2])
  })
})
