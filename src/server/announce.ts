/**
 * How a response is made to say what becomes of its connection. Node writes `Connection` and `Keep-Alive` itself, with the
 * head of the response, from fields of the response that it does not document. They are known here, and nowhere else.
 *
 * Node looks at them last, when the handler has had its say: a `Connection` header of the handler's own comes first, and a
 * response that cannot keep its connection (HTTP/1.0, no length) never promises to.
 */
import { IncomingMessage, type Server, ServerResponse } from 'node:http'
import { Socket } from 'node:net'

/** What is promised: a time to idle, in milliseconds, and a number of requests. */
export interface Terms {
  readonly timeout: number
  readonly max: number
}

export type Settings = Pick<Server, 'keepAliveTimeout' | 'maxRequestsPerSocket'>

export interface Announcer {
  /** What the server's own settings have to be for it. */
  settings(terms: Terms): Settings
  /** The connection takes so many more requests after this one: more than none. */
  keep(response: ServerResponse, terms: Terms, remaining: number): void
  /** The connection is closed after this response, of which nothing was sent yet. */
  close(response: ServerResponse): void
}

/** As Node 20 to 26 have it. */
interface KnownResponse extends ServerResponse {
  _keepAliveTimeout: number
  _maxRequestsPerSocket: number
}

/** Says with each response what remains, as Apache does. */
export const countingDown: Announcer = {
  // Node's own timer and counter are out of the way.
  settings: () => ({ keepAliveTimeout: 0, maxRequestsPerSocket: 0 }),
  keep(response, { timeout }, remaining) {
    const known = response as KnownResponse
    known._keepAliveTimeout = timeout === Infinity ? 0 : timeout
    known._maxRequestsPerSocket = remaining
  },
  close(response) {
    response.shouldKeepAlive = false
  },
}

/** Says the same with each response, by what Node documents: for a Node that is not as known. */
export const constant: Announcer = {
  settings: ({ timeout, max }) => ({
    keepAliveTimeout: timeout === Infinity ? 0 : timeout,
    maxRequestsPerSocket: max === Infinity ? 0 : max,
  }),
  keep: () => {},
  close(response) {
    response.setHeader('Connection', 'close')
  },
}

let found: Announcer | undefined

/** The one that works here. Tried once. */
export function announcerOfThisNode(): Announcer {
  found ??= works(countingDown) ? countingDown : constant
  return found
}

/** Whether a response says what the announcer has it say. */
export function works(announcer: Announcer): boolean {
  try {
    const kept = headOf((response) => announcer.keep(response, { timeout: 7_000, max: 9 }, 8))
    const last = headOf((response) => announcer.close(response))
    return /^keep-alive: timeout=7, max=8\r$/im.test(kept) && /^connection: close\r$/im.test(last)
  } catch {
    return false
  }
}

/** The head of a response that goes nowhere. */
function headOf(prepare: (response: ServerResponse) => void): string {
  const request = new IncomingMessage(new Socket())
  Object.assign(request, { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 })
  const response = new ServerResponse(request)
  prepare(response)
  response.writeHead(200)
  return (response as ServerResponse & { _header: string })._header
}
