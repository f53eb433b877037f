/**
 * Reads a log of records, line by line. Nothing that a line may hold throws: what is no record is told with its number.
 */
import { type RecordedEvent, reliedOn, type TimelineRecord } from './record.js'

/** Characters of a line that are looked at: one that is longer is no record. */
export const MAX_LINE = 100_000

/** Milliseconds from 1970 to the last moment that a `Date` can have. */
const LAST_MOMENT = 8.64e15

/** Lines that are told one by one; the rest are counted. */
export const MAX_PROBLEMS = 20

/** A line that is no record. */
export interface Problem {
  /** From 1. */
  readonly line: number
  readonly why: string
}

export class LogReader {
  /** Lines read so far, blank ones included. */
  lines = 0
  records = 0
  /** Lines that are no record. */
  bad = 0
  /** Records that the log lacks: its stream could not take them. */
  dropped = 0
  /** Records of a kind that this version does not know, by kind. */
  readonly unknown = new Map<string, number>()
  /** The first of the bad lines. */
  readonly problems: Problem[] = []

  /** The record of the next line; undefined for one that has none. */
  read(line: string): TimelineRecord | undefined {
    this.lines++
    const text = this.lines === 1 ? line.replace(/^\uFEFF/, '') : line
    if (text.trim() === '') return undefined
    const found = recordOf(text)
    if (typeof found === 'string') {
      this.bad++
      if (this.problems.length < MAX_PROBLEMS) this.problems.push({ line: this.lines, why: found })
      return undefined
    }
    if (found.event === 'dropped') this.dropped += isNumber(found.count) ? found.count : 0
    else if (!isKnown(found.event)) {
      // Names come from the log: so many are told apart, and not more.
      const { event } = found
      const name = this.unknown.has(event) || this.unknown.size < MAX_PROBLEMS ? event : 'others'
      this.unknown.set(name, (this.unknown.get(name) ?? 0) + 1)
    } else {
      this.records++
      return found as Known as TimelineRecord
    }
    return undefined
  }
}

/** The records of a whole log, and what else it has. */
export function parse(text: string): { readonly records: TimelineRecord[]; readonly reader: LogReader } {
  const reader = new LogReader()
  const records: TimelineRecord[] = []
  for (const line of text.split('\n')) {
    const record = reader.read(line)
    if (record !== undefined) records.push(record)
  }
  return { records, reader }
}

/** The lines of a stream. One without end is cut, just beyond what is looked at, so that it cannot fill the memory. */
export async function* linesOf(chunks: AsyncIterable<string | Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })).split('\n')
    lines[0] = rest + lines[0]
    rest = (lines.pop() as string).slice(0, MAX_LINE + 1)
    yield* lines
  }
  if (rest !== '') yield rest
}

type Known = { readonly event: string; readonly count?: unknown }

/** The record that a line holds, of a kind that is known or not, or why it holds none. */
function recordOf(text: string): Known | string {
  if (text.length > MAX_LINE) return `longer than ${MAX_LINE} characters`
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return `not JSON: ${excerpt(text)}`
  }
  if (!isObject(value)) return `not an object: ${excerpt(text)}`
  const { time, pool, event } = value
  if (!isNumber(time) || Math.abs(time) > LAST_MOMENT) return 'no time'
  if (!isObject(pool) || !isNumber(pool.id) || typeof pool.name !== 'string') return 'no pool with an id and a name'
  if (typeof event !== 'string') return 'no event'
  if (isKnown(event))
    for (const name of reliedOn[event]) {
      const lack = checks[name](value[name])
      if (lack !== undefined) return `${name} of ${event} is not ${lack}`
    }
  return { ...without(value, optional), ...connectionOf(value), event }
}

/** What may be missing is left out where it is not what it should be: the record is worth having without. */
function without(fields: Readonly<Record<string, unknown>>, checked: Readonly<Record<string, Check>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => checked[name]?.(value) === undefined))
}

const connectionOf = ({ connection }: Readonly<Record<string, unknown>>): object =>
  isObject(connection) ? { connection: without(connection, ofConnection) } : {}

const isKnown = (event: string): event is RecordedEvent => Object.hasOwn(reliedOn, event)

type Field = (typeof reliedOn)[RecordedEvent][number]

/** What a field has to be; undefined where it is. */
type Check = (value: unknown) => string | undefined

const checks: Record<Field, Check> = {
  origin: string,
  method: string,
  verdict: string,
  reason: string,
  address: string,
  dial: number,
  dialTime: number,
  waiting: number,
  attempt: number,
  evidence: (value) => (isObject(value) ? undefined : 'an object'),
  error: (value) =>
    isObject(value) && typeof value.message === 'string' && ['string', 'undefined'].includes(typeof value.code)
      ? undefined
      : 'an error with its message',
  connection: (value) =>
    isObject(value) && typeof value.origin === 'string' && [value.id, value.age, value.idle].every(isNumber)
      ? undefined
      : 'a connection with its id, origin, age and idle time',
}

/** Of records, where no reader relies on them. Without a prototype: names come from the log. */
const optional: Readonly<Record<string, Check>> = Object.assign(Object.create(null), {
  error: checks.error,
  waited: number,
  timeout: number,
} satisfies Record<string, Check>)

/** Of connections. */
const ofConnection: Readonly<Record<string, Check>> = Object.assign(Object.create(null), {
  localPort: number,
  remoteAddress: string,
  remotePort: number,
  requests: number,
  advertisedTimeout: number,
  rtt: number,
} satisfies Record<string, Check>)

function string(value: unknown): string | undefined {
  return typeof value === 'string' ? undefined : 'a string'
}

function number(value: unknown): string | undefined {
  return isNumber(value) ? undefined : 'a number'
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const excerpt = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
