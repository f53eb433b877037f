/**
 * `keepwise timeline`: a picture of a log of records, as an SVG file.
 */
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { Command, InvalidArgumentError } from 'commander'
import { draw } from '../timeline/draw.js'
import { many } from '../timeline/format.js'
import { NARROWEST, WIDEST } from '../timeline/geometry.js'
import { Timeline } from '../timeline/lanes.js'
import { momentOf, type When, whenOf } from '../timeline/moment.js'
import { LogReader, linesOf } from '../timeline/parse.js'
import { markup } from '../timeline/shape.js'
import { MAX_LANES, viewOf } from '../timeline/view.js'

interface TimelineOptions {
  readonly output: string
  readonly from?: When
  readonly to?: When
  readonly origin?: string
  readonly lanes: number
  readonly width: number
}

/** Where a command reads and writes; tests have their own. */
export interface Streams {
  readonly stdin: AsyncIterable<string | Uint8Array>
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
}

const WHEN = 'seconds from the beginning (12.5, 500ms, 2min; negative: from the end), a time of day or a date, in UTC'

export function timelineCommand(streams: Streams = process): Command {
  return new Command('timeline')
    .description('draw a log of connections as an SVG picture')
    .argument('<log>', 'the log (ndjson) that `record` of keepwise/watch wrote; - for standard input')
    .option('-o, --output <file>', 'where the picture goes; - for standard output', '-')
    .option('--from <time>', `from when: ${WHEN}`, when)
    .option('--to <time>', 'until when, in the same words', when)
    .option('--origin <text>', 'only origins whose name contains this')
    .option('--lanes <number>', 'the most connections; those that were opened last are drawn', whole(1), MAX_LANES)
    .option('--width <pixels>', 'of the picture', whole(NARROWEST, WIDEST), 1_200)
    .action(async (log: string, options: TimelineOptions, command: Command) => {
      const fail = (message: string): never => command.error(`error: ${message}`)
      const { timeline, reader } = await read(log, streams).catch((error: Error) => fail(`${log}: ${error.message}`))
      for (const line of report(reader)) streams.stderr.write(`${log}: ${line}\n`)
      const { from: begin, to: end } = timeline
      if (begin === undefined || end === undefined) return fail(`${log} has no records`)
      const from = options.from && momentOf(options.from, begin, end)
      const to = options.to && momentOf(options.to, begin, end)
      if ((from ?? begin) >= (to ?? end) && (from ?? to) !== undefined)
        fail(`the stretch from --from to --to is empty; the log is ${extent(begin, end)}`)
      const view = viewOf(timeline, { from, to, origin: options.origin, lanes: options.lanes })
      if (options.origin !== undefined && view.groups.length === 0)
        fail(`no origin contains "${options.origin}"; there are ${origins(timeline)}`)
      const picture = `${markup(draw(view, { width: options.width }))}\n`
      if (options.output === '-') streams.stdout.write(picture)
      else await writeFile(options.output, picture).catch((error: Error) => fail(error.message))
    })
}

async function read(log: string, { stdin }: Streams): Promise<{ timeline: Timeline; reader: LogReader }> {
  const timeline = new Timeline()
  const reader = new LogReader()
  for await (const line of linesOf(log === '-' ? stdin : createReadStream(log))) {
    const record = reader.read(line)
    if (record !== undefined) timeline.apply(record)
  }
  return { timeline, reader }
}

/** What in the log was not drawn. */
function* report({ problems, bad, unknown, dropped }: LogReader): Generator<string> {
  for (const { line, why } of problems) yield `line ${line} is no record: ${why}`
  if (bad > problems.length) yield `${many(bad - problems.length, 'more line')} are no records`
  if (dropped > 0) yield `${many(dropped, 'record')} could not be written, and are missing`
  for (const [event, count] of unknown) yield `skipped ${many(count, 'record')} of an unknown kind: ${event}`
}

const extent = (begin: number, end: number): string =>
  `from ${new Date(begin).toISOString()} to ${new Date(end).toISOString()}`

const origins = (timeline: Timeline): string =>
  [...new Set(Array.from(timeline.groups.values(), ({ origin }) => origin))].slice(0, 10).join(', ')

function when(text: string): When {
  const found = whenOf(text)
  if (found === undefined) throw new InvalidArgumentError(`Expected ${WHEN}.`)
  return found
}

/** A whole number within limits. */
const whole =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const number = Number(text)
    if (text.trim() !== '' && Number.isSafeInteger(number) && number >= least && number <= most) return number
    throw new InvalidArgumentError(
      `Expected a whole number ${most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`}.`,
    )
  }
