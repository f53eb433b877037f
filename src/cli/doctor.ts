/**
 * `keepwise doctor URL`: reads the command line, shows how far it is, prints the report.
 *
 * Exit codes: 0 measured; 1 the server could not be reached, or failed on the way; 2 the command line is wrong; 130 Ctrl-C.
 */
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { Command, InvalidArgumentError, Option } from 'commander'
import { systemClock } from '../clock.js'
import { examine } from '../doctor/doctor.js'
import { type DoctorOptions, doctorDefaults, methods } from '../doctor/options.js'
import type { Report } from '../doctor/report.js'
import { doctorTarget } from '../doctor/target.js'
import { textOf } from '../doctor/text.js'
import { type MiddleboxName, middleboxNames } from '../liveness/middleboxes.js'
import { loadNative } from '../liveness/native.js'
import { progressLine } from './progress-line.js'

/** As commander has them: times in seconds. */
interface Given {
  readonly maxWait: number
  readonly requests: number
  readonly timeout: number
  readonly method?: DoctorOptions['method']
  readonly header: [string, string][]
  readonly insecure?: boolean
  readonly through: MiddleboxName[]
  readonly longestSilence?: number
  readonly json?: boolean
}

export const exitCodes = { measured: 0, failed: 1, usage: 2, interrupted: 130 } as const

/** Longest time that is taken, in seconds: a day. */
const LONGEST = 86_400
const MOST_REQUESTS = 10_000

export function doctorCommand(): Command {
  const { maxWait, requests, timeout } = doctorDefaults
  return new Command('doctor')
    .description('Measure what an origin does with idle connections, and recommend options for a pool.')
    .argument('<url>', 'http or https URL; a path that is cheap to answer is best')
    .option('--max-wait <seconds>', 'longest time a connection is left idle', time(1), maxWait / 1000)
    .option('--requests <number>', 'requests on one connection, at most; 0: not counted', wholeNumber, requests)
    .option('--timeout <seconds>', 'longest time to connect, and to wait for a response', time(0.1), timeout / 1000)
    .addOption(
      new Option('--method <method>', 'HEAD, GET or OPTIONS; without it HEAD, or GET if HEAD is refused').choices(
        methods,
      ),
    )
    .option('--header <line>', 'a header of each request, "Name: value"; may be repeated', header, [])
    .option('--insecure', 'take any certificate')
    .option('--through <name>', 'what stands in between, as in the option of a pool; may be repeated', box, [])
    .option('--longest-silence <seconds>', 'the slowest response or longest pause to be expected', time(0))
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 measured, 1 not reached or failed on the way, 2 wrong usage, 130 interrupted.',
    )
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? exitCodes.measured : exitCodes.usage))
    .action(run)
}

async function run(url: string, given: Given, command: Command): Promise<void> {
  try {
    doctorTarget(url)
  } catch (error) {
    command.error(`error: ${(error as Error).message}`, { exitCode: exitCodes.usage })
  }
  const interrupt = new AbortController()
  // Once: whoever presses it again does not want to wait for a report.
  process.once('SIGINT', () => interrupt.abort())
  const line = progressLine(process.stderr, given.json === true)
  const report = await examine(url, optionsOf(given), {
    clock: systemClock,
    native: loadNative(),
    signal: interrupt.signal,
    progress: line.show,
  })
  line.end()
  process.stdout.write(given.json ? `${JSON.stringify(report, rounded, 2)}\n` : textOf(report))
  process.exitCode = exitCodeOf(report)
}

/** To microseconds. */
const rounded = (_key: string, value: unknown): unknown =>
  typeof value === 'number' ? Math.round(value * 1000) / 1000 : value

function exitCodeOf({ complete, error }: Report): number {
  if (error !== null) return exitCodes.failed
  return complete ? exitCodes.measured : exitCodes.interrupted
}

function optionsOf(given: Given): DoctorOptions {
  const { maxWait, requests, timeout, method, header, insecure = false, through, longestSilence } = given
  return {
    ...doctorDefaults,
    maxWait: maxWait * 1000,
    requests,
    timeout: timeout * 1000,
    method,
    headers: header,
    insecure,
    through,
    longestSilence: longestSilence === undefined ? undefined : longestSilence * 1000,
  }
}

/** Seconds, fractions allowed. */
const time =
  (least: number) =>
  (text: string): number => {
    const value = Number(text)
    if (text.trim() !== '' && value >= least && value <= LONGEST) return value
    throw new InvalidArgumentError(`It takes seconds from ${least} to ${LONGEST}.`)
  }

function wholeNumber(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= MOST_REQUESTS) return value
  throw new InvalidArgumentError(`It takes a whole number from 0 to ${MOST_REQUESTS}.`)
}

/** Those that would change what is measured. */
const decided = ['connection', 'keep-alive', 'content-length', 'transfer-encoding', 'upgrade', 'expect']

function header(text: string, before: [string, string][]): [string, string][] {
  const [, name = '', value = ''] = /^([^:]*):(.*)$/s.exec(text) ?? []
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value.trim())
  } catch {
    throw new InvalidArgumentError('It takes "Name: value".')
  }
  if (decided.includes(name.toLowerCase())) throw new InvalidArgumentError(`The doctor itself decides ${name}.`)
  return [...before, [name, value.trim()]]
}

function box(text: string, before: MiddleboxName[]): MiddleboxName[] {
  const names = middleboxNames as readonly string[]
  if (!names.includes(text)) throw new InvalidArgumentError(`Known names: ${names.join(', ')}.`)
  return [...before, text as MiddleboxName]
}
