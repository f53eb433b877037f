/** The first contact: which address, which method, and what the server says of its connections. */
import { nothingAdvertised, parseKeepAlive } from '../keepalive/advertised.js'
import { connectionHeaders } from '../keepalive/headers.js'
import type { Asked, MeasuredConnection, Question } from './connection.js'
import { UnreachableError } from './connections.js'
import type { DoctorOptions } from './options.js'
import { headerOf, type Response } from './response.js'
import type { Address, DoctorTarget } from './target.js'

/** What a server said of its connections. */
export interface Advertisement {
  readonly httpVersion: '1.0' | '1.1'
  /** The `Connection` header; null for none. */
  readonly connection: string | null
  /** The `Keep-Alive` header; null for none. */
  readonly keepAlive: string | null
  /** Of it, in milliseconds; null for none. */
  readonly timeout: number | null
  /** Of it; null for none. */
  readonly max: number | null
  /** Whether the connection may be used again. */
  readonly persists: boolean
}

export interface Greeting {
  readonly address: Address
  readonly question: Question
  readonly response: Response
  /** HEAD was refused, and GET was not. */
  readonly headRefused: boolean
}

export function advertisementOf({ version, rawHeaders, persists }: Response): Advertisement {
  const { keepAlive = null } = connectionHeaders(rawHeaders)
  const { timeout = null, max = null } = keepAlive === null ? nothingAdvertised : parseKeepAlive(keepAlive)
  const connection = headerOf(rawHeaders, 'connection') ?? null
  return { httpVersion: version, connection, keepAlive, timeout, max, persists }
}

/** The request that is sent again and again. Without `Connection: keep-alive` Apache advertises nothing. */
export function questionOf({ host, path }: DoctorTarget, options: DoctorOptions, method = options.method): Question {
  const given = new Set(options.headers.map(([name]) => name.toLowerCase()))
  const usual: [string, string][] = [
    ['Host', host],
    ['User-Agent', 'keepwise-doctor'],
    ['Accept', '*/*'],
  ]
  return {
    method: method ?? 'HEAD',
    path,
    headers: [
      ...usual.filter(([name]) => !given.has(name.toLowerCase())),
      ['Connection', 'keep-alive'],
      ...options.headers,
    ],
  }
}

/** Not allowed, or not implemented. */
const REFUSED = [405, 501]

/**
 * Tries the addresses in turn, and HEAD before GET unless a method is asked for.
 *
 * @throws UnreachableError when no address can be connected to, or the server does not answer
 */
export async function greet(
  target: DoctorTarget,
  addresses: readonly Address[],
  options: DoctorOptions,
  open: (address: Address) => Promise<MeasuredConnection>,
): Promise<Greeting> {
  let failure: unknown = new UnreachableError('ENOTFOUND', `${target.hostname} has no address`)
  for (const address of addresses) {
    let connection: MeasuredConnection
    try {
      connection = await open(address)
    } catch (error) {
      failure = error
      continue
    }
    const question = questionOf(target, options)
    const asked = await askOnce(connection, question, options.timeout)
    if (options.method === undefined && isRefused(asked)) {
      const other = questionOf(target, options, 'GET')
      const askedOtherwise = await askOnce(await open(address), other, options.timeout)
      if (askedOtherwise.kind === 'answer')
        return { address, question: other, response: askedOtherwise.response, headRefused: true }
    }
    if (asked.kind === 'answer') return { address, question, response: asked.response, headRefused: false }
    throw unanswered(target, asked, options)
  }
  throw failure
}

async function askOnce(connection: MeasuredConnection, question: Question, timeout: number): Promise<Asked> {
  const asked = await connection.ask(question, timeout)
  connection.close()
  return asked
}

const isRefused = (asked: Asked): boolean =>
  asked.kind === 'answer' ? REFUSED.includes(asked.response.status) : asked.kind !== 'ended' || asked.how !== 'closed'

function unanswered({ origin }: DoctorTarget, asked: Asked, { timeout }: DoctorOptions): UnreachableError {
  if (asked.kind === 'unreadable') return new UnreachableError('UNREADABLE', `${origin}: ${asked.error.message}`)
  if (asked.kind === 'silence') return new UnreachableError('NO_ANSWER', `${origin}: no response within ${timeout} ms`)
  const how = asked.kind === 'ended' && asked.how === 'reset' ? 'reset' : 'closed'
  return new UnreachableError('ECONNRESET', `${origin}: the connection was ${how} before a response`)
}
