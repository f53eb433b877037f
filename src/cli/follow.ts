/**
 * Follows the endpoint of a running process: its records from some before the beginning on, in order, each once. When the
 * process goes away it is waited for, and what was missed meanwhile is asked for, or counted.
 */
import http, { type IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { LogReader, linesOf } from '../timeline/parse.js'
import type { TimelineRecord } from '../timeline/record.js'
import type { WatchedProcess, WatchState } from '../watch/page/contract.js'

/** Milliseconds before it is tried again: doubled each time, up to a longest. */
export const FIRST_DELAY = 250
export const LONGEST_DELAY = 10_000

/** Milliseconds that the process may take to say how it stands. */
const PATIENCE = 10_000

export type Told =
  /** `isNew`: it is not the process that was followed before. */
  | {
      readonly what: 'found'
      readonly process: WatchedProcess
      readonly pools: WatchState['pools']
      readonly isNew: boolean
    }
  | { readonly what: 'record'; readonly record: TimelineRecord }
  /** So many records are gone: too many for what is kept of them. */
  | { readonly what: 'missed'; readonly count: number }
  | { readonly what: 'lost'; readonly why: string; readonly delay: number }

export interface FollowOptions {
  /** Records from before the beginning to start with. */
  readonly earlier: number
  /** Ends it. */
  readonly signal: AbortSignal
  /** @default waits */
  readonly wait?: (delay: number, signal: AbortSignal) => Promise<void>
}

/** It is there, and will not have us. */
export class Refused extends Error {}

/**
 * @param url the address of the endpoint, with a slash at its end
 * @returns what happens, until the signal. Throws if there is nothing to follow at first, and when it is refused
 */
export async function* follow(url: URL, options: FollowOptions): AsyncGenerator<Told, void, undefined> {
  const { earlier, signal, wait = waitFor } = options
  const reader = new LogReader()
  let followed: WatchedProcess | undefined
  let last = 0
  let delay = FIRST_DELAY
  while (!signal.aborted) {
    let stream: IncomingMessage | undefined
    try {
      // First the stream: so nothing is missed between what it is asked for and what it tells.
      stream = await get(new URL('events', url), signal)
      const now = await ask(url, Number.MAX_SAFE_INTEGER, signal)
      const isNew = now.process.startedAt !== followed?.startedAt
      if (isNew) last = followed === undefined ? Math.max(now.last - earlier, 0) : 0
      followed = now.process
      delay = FIRST_DELAY
      yield { what: 'found', process: now.process, pools: now.pools, isNew }
      const state = await ask(url, last, signal)
      const numbered = state.records.map((record, index) => {
        return [state.last - state.records.length + 1 + index, JSON.stringify(record)] as const
      })
      for await (const [number, text] of chain(numbered, messagesOf(stream))) {
        if (number <= last) continue
        if (number > last + 1) yield { what: 'missed', count: number - last - 1 }
        last = number
        const record = reader.read(text)
        if (record !== undefined) yield { what: 'record', record }
      }
      throw new Error(GONE)
    } catch (error) {
      if (signal.aborted) return
      if (followed === undefined || error instanceof Refused) throw error
      yield { what: 'lost', why: whyOf(error as NodeJS.ErrnoException), delay }
      await wait(delay, signal)
      delay = Math.min(delay * 2, LONGEST_DELAY)
    } finally {
      stream?.destroy()
    }
  }
}

/** A connection that is cut says "aborted", which tells nobody anything. */
const whyOf = ({ code, message }: NodeJS.ErrnoException): string => (code === 'ECONNRESET' ? GONE : message)

const GONE = 'the process has gone'

async function waitFor(delay: number, signal: AbortSignal): Promise<void> {
  await sleep(delay, undefined, { signal }).catch(() => {})
}

async function* chain<Each>(first: Iterable<Each>, second: AsyncIterable<Each>): AsyncGenerator<Each> {
  yield* first
  yield* second
}

async function ask(url: URL, after: number, signal: AbortSignal): Promise<WatchState> {
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)])
  const state = await json(await get(new URL(`state?after=${after}`, url), inTime)).catch((error: Error) => {
    if (!(error instanceof SyntaxError)) throw error
  })
  const { process, last, records, pools } = (state ?? {}) as Partial<WatchState>
  if (process === undefined || typeof last !== 'number' || !Array.isArray(records) || !Array.isArray(pools))
    throw new Refused(`${url.origin} answers, but not as an endpoint of keepwise does.`)
  return state as WatchState
}

function get(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false, signal }, (response) => {
      const { statusCode } = response
      if (statusCode === 200) return resolve(response)
      response.resume()
      // Another process on the same port, or the same one started anew, has another token.
      const why = statusCode === 404 ? 'it knows nothing of this address. Is it complete, and of this process?' : ''
      reject(new Refused(`${url.origin} answers ${statusCode}${why && `: ${why}`}`))
    })
    request.on('error', reject)
  })
}

/** The messages of a stream of server-sent events: the number and the text of each. */
async function* messagesOf(stream: IncomingMessage): AsyncGenerator<readonly [number, string], void, undefined> {
  let number = 0
  for await (const line of linesOf(stream.setEncoding('utf8')))
    if (line.startsWith('id: ')) number = Number(line.slice(4))
    else if (line.startsWith('data: ')) yield [number, line.slice(6)]
}
