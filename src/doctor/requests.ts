/** How many requests a server takes on one connection, and what it says of that. */
import { parseKeepAlive } from '../keepalive/advertised.js'
import { connectionHeaders } from '../keepalive/headers.js'
import { dialectSeen } from '../keepalive/remaining.js'
import type { MeasuredConnection, Question } from './connection.js'

/** Of one connection that was asked again and again. */
export interface Series {
  /** Requests that were answered. */
  readonly answered: number
  /** `max` of each response. */
  readonly maxima: readonly (number | undefined)[]
  /** How it ended: the server had said so (`Connection: close`), or not; undefined if it did not end. */
  readonly end: 'announced' | 'unannounced' | undefined
}

export interface RequestFacts {
  /** Requests that were answered on one connection. */
  readonly tried: number
  /** Of these the one after which the server closed; null if it did not. */
  readonly closedAfter: number | null
  /** Whether it said `Connection: close` before; null if it did not close. */
  readonly announced: boolean | null
  /** The first `max` that it sent; null for none. */
  readonly max: number | null
  /** What `max` counts: the requests that remain after a response (Apache), or all of a connection (Node); null: unknown. */
  readonly dialect: 'remaining' | 'total' | null
  /** Requests on one connection that `max` promises; null where it promises nothing, or the dialect is unknown. */
  readonly promised: number | null
}

export function requestFactsOf({ answered, maxima, end }: Series): RequestFacts {
  const max = maxima.find((value) => value !== undefined) ?? null
  let constant: boolean | undefined
  maxima.forEach((value, index) => {
    constant ??= dialectSeen(maxima[index - 1], value)
  })
  return {
    tried: answered,
    closedAfter: end === undefined ? null : answered,
    announced: end === undefined ? null : end === 'announced',
    max,
    dialect: constant === undefined ? null : constant ? 'total' : 'remaining',
    promised: max === null || constant === undefined ? null : constant ? max : max + 1,
  }
}

/** Beyond what it promises a server is asked so many times more, to see whether it means it. */
const BEYOND = 2

export interface RequestsMeasurement {
  readonly open: () => Promise<MeasuredConnection>
  readonly question: Question
  /** At the most. */
  readonly requests: number
  readonly timeout: number
  readonly progress: (answered: number) => void
  readonly signal: AbortSignal
}

/** Sends requests one after the other on one connection. */
export async function measureRequests(measurement: RequestsMeasurement): Promise<RequestFacts> {
  const first = await series(measurement)
  if (first.end !== 'unannounced') return requestFactsOf(first)
  // A connection may be lost for any reason: what a server does by count it does again.
  const second = await series(measurement)
  const [fewer, more] = first.answered < second.answered ? [first, second] : [second, first]
  return requestFactsOf(second.end === 'unannounced' && more.answered - fewer.answered <= 1 ? fewer : more)
}

async function series(measurement: RequestsMeasurement): Promise<Series> {
  const { open, question, requests, timeout, progress, signal } = measurement
  const connection = await open()
  const maxima: (number | undefined)[] = []
  let end: Series['end']
  try {
    while (end === undefined && !signal.aborted && maxima.length < enough(maxima, requests)) {
      const asked = await connection.ask(question, timeout)
      if (asked.kind === 'answer') {
        const { keepAlive } = connectionHeaders(asked.response.rawHeaders)
        maxima.push(keepAlive === undefined ? undefined : parseKeepAlive(keepAlive).max)
        if (!connection.persists) end = 'announced'
        progress(maxima.length)
      } else if (asked.kind === 'ended' && asked.how !== 'closed') end = 'unannounced'
      else break
    }
  } finally {
    connection.close()
  }
  return { answered: maxima.length, maxima, end }
}

/** A server that has said how many it takes need not be asked for more than a few above that. */
function enough(maxima: readonly (number | undefined)[], requests: number): number {
  const { promised } = requestFactsOf({ answered: maxima.length, maxima, end: undefined })
  if (promised === null) return requests
  // If it promises more than may be tried, its dialect is all there is to find out.
  return promised > requests ? maxima.length : Math.min(requests, promised + BEYOND)
}
