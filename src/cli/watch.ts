/**
 * `keepwise watch`: what the pools of a running process do, a line for each thing that happens.
 */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { Command, InvalidArgumentError } from 'commander'
import { describe } from '../timeline/describe.js'
import { many, span, timeOfDay } from '../timeline/format.js'
import type { TimelineRecord } from '../timeline/record.js'
import { follow, type Told } from './follow.js'

/** Earlier records to begin with, if nothing else is asked for. */
const EARLIER = 10

interface WatchCommandOptions {
  readonly lines: number
  readonly json: boolean
  readonly log?: string
}

/** Where the command writes, and what ends it; tests have their own. */
export interface Surroundings {
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  /** @default an interrupt (Ctrl-C) or a request to end */
  readonly signal?: AbortSignal
}

export function watchCommand(surroundings: Surroundings = process): Command {
  return new Command('watch')
    .description('show what the connection pools of a running process do, live')
    .argument('<url>', 'what `watch()` of keepwise/watch gave as its address in that process', endpoint)
    .option('-n, --lines <number>', 'records from before to begin with', wholeNumber, EARLIER)
    .option('--json', 'print records as JSON, one a line', false)
    .option('--log <file>', 'append the records to a file, for `keepwise timeline`')
    .action(async (url: URL, options: WatchCommandOptions, command: Command) => {
      const session = new Session(surroundings, options)
      await session.run(url).catch((error: Error) => command.error(`error: ${error.message}`))
    })
}

class Session {
  readonly #controller = new AbortController()
  readonly #surroundings: Surroundings
  readonly #options: WatchCommandOptions
  #missed = 0

  constructor(surroundings: Surroundings, options: WatchCommandOptions) {
    this.#surroundings = surroundings
    this.#options = options
  }

  async run(url: URL): Promise<void> {
    const { stdout } = this.#surroundings
    const { log: file, lines } = this.#options
    const controller = this.#controller
    const end = (): void => controller.abort()
    const unlisten = endingWith(this.#surroundings.signal, end)
    // Who read it has gone (`| head`): that is an end like another.
    stdout.on('error', end)
    const log = file === undefined ? undefined : createWriteStream(file, { flags: 'a' })
    let failure: Error | undefined
    log?.on('error', (error) => {
      failure = error
      end()
    })
    try {
      for await (const told of follow(url, { earlier: lines, signal: controller.signal })) await this.#tell(told, log)
    } finally {
      unlisten()
      stdout.off('error', end)
      log?.end()
      if (log !== undefined) await finished(log).catch(() => {})
    }
    if (failure !== undefined) throw failure
  }

  async #tell(told: Told, log: NodeJS.WritableStream | undefined): Promise<void> {
    switch (told.what) {
      case 'found': {
        const { pid, title } = told.process
        const pools = told.pools.map(({ pool: { id, name } }) => (id === 1 ? name : `${name}/${id}`)).join(', ')
        return this.#say(
          `${told.isNew ? 'watching' : 'again'} process ${pid} (${title}), pools: ${pools || 'none yet'}`,
        )
      }
      case 'lost':
        return this.#say(`lost it: ${told.why}; trying again in ${span(told.delay)}`)
      case 'missed':
        this.#missed += told.count
        return this.#say(`${many(told.count, 'record')} missed: too many at once`)
      case 'record':
        return this.#show(told.record, log)
    }
  }

  /** About the watching itself: not among the records. */
  #say(text: string): void {
    this.#surroundings.stderr.write(`keepwise: ${text}\n`)
  }

  async #show(record: TimelineRecord, log: NodeJS.WritableStream | undefined): Promise<void> {
    const text = JSON.stringify(record)
    const line = this.#options.json ? text : `${timeOfDay(record.time, 1)} ${describe(record)}`
    await written(this.#surroundings.stdout, `${line}\n`, this.#controller.signal)
    if (log === undefined) return
    const { time, pool } = record
    const gap = this.#missed > 0 ? `${JSON.stringify({ time, pool, event: 'dropped', count: this.#missed })}\n` : ''
    this.#missed = 0
    await written(log, `${gap}${text}\n`, this.#controller.signal)
  }
}

/** Waits until a stream takes more: nothing is read from the process meanwhile. */
async function written(stream: NodeJS.WritableStream, text: string, signal: AbortSignal): Promise<void> {
  if (stream.write(text) || signal.aborted) return
  await once(stream, 'drain', { signal }).catch(() => {}) // that it has failed is seen elsewhere
}

/** Ends with a signal, or with those of the system where there is none. */
function endingWith(signal: AbortSignal | undefined, end: () => void): () => void {
  if (signal !== undefined) {
    signal.addEventListener('abort', end)
    return () => signal.removeEventListener('abort', end)
  }
  const names = ['SIGINT', 'SIGTERM'] as const
  for (const name of names) process.once(name, end)
  return () => {
    for (const name of names) process.off(name, end)
  }
}

function endpoint(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:') throw new InvalidArgumentError('Expected an address like http://127.0.0.1:9000/…/')
  url.search = url.hash = ''
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number.')
}
