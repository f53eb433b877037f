/** The steps that scripts of a scripted server are made of. A step of a test's own is any function of the connection. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReceivedRequest } from './request-parser.js'
import type { Step } from './scripted.js'

/** Waits for a whole request, body included, and takes it. `check` may throw what is wrong with it. */
export function request(check?: (request: ReceivedRequest) => void): Step {
  return async (connection) => {
    const taken = await connection.takeRequest()
    check?.(taken)
  }
}

/** Waits for the head of a request and leaves it, for answers that come before the body. */
export function requestHead(): Step {
  return (connection) => connection.untilUnreadHolds('\r\n\r\n')
}

/** Waits until the connection has received `count` bytes in all, and takes none of them. */
export function bytes(count: number): Step {
  return (connection) => connection.untilReceived(count)
}

/** Sends bytes: solicited or not, whole or in part. Strings are latin1. */
export function send(data: string | Buffer): Step {
  return (connection) => connection.send(data)
}

/** Sends bytes in pieces of `size`, `pause` milliseconds apart, so that the client meets them in several reads. */
export function sendInPieces(data: string | Buffer, size: number, pause: number): Step {
  return async (connection) => {
    const whole = typeof data === 'string' ? Buffer.from(data, 'latin1') : data
    for (let at = 0; at < whole.length; at += size) {
      if (at > 0) await sleep(pause)
      await connection.send(whole.subarray(at, at + size))
    }
  }
}

/** Sends a response; see `response`. */
export function respond(options?: ResponseOptions): Step {
  return send(response(options))
}

/** Sends a 1xx response. */
export function interim(status: number, reason: string, headers: Headers = {}): Step {
  return send(`HTTP/1.1 ${status} ${reason}\r\n${headerLines(headers)}\r\n`)
}

/** Waits, in milliseconds. */
export function wait(delay: number): Step {
  return () => sleep(delay)
}

/** Waits for something outside: a promise, or what a function returns when the step is reached. */
export function until(what: Promise<unknown> | (() => Promise<unknown>)): Step {
  return async () => {
    await (typeof what === 'function' ? what() : what)
  }
}

/** Sends FIN and goes on reading what the client sends. */
export function halfClose(): Step {
  return (connection) => connection.halfClose()
}

/** Closes as a server does: FIN now, RST in answer to whatever still comes. */
export function close(): Step {
  return (connection) => connection.destroy()
}

/** Sends RST. */
export function reset(): Step {
  return (connection) => connection.reset()
}

/** Stops reading: the kernel's buffers fill, and the window closes. The peer lives all the same. */
export function stopReading(): Step {
  return (connection) => void connection.socket.pause()
}

export function resumeReading(): Step {
  return (connection) => void connection.socket.resume()
}

/** Waits for the client's FIN (or the end of the connection by other means). */
export function clientEnd(): Step {
  return (connection) => connection.clientEnd()
}

/** Does nothing until the connection is gone: the server that never answers. */
export function silence(): Step {
  return (connection) => connection.closed()
}

export function repeat(times: number, ...steps: Step[]): Step {
  return async (connection) => {
    for (let round = 0; round < times; round++) for (const step of steps) await step(connection)
  }
}

/** Runs the steps again and again until the client closes. */
export function forever(...steps: Step[]): Step {
  return repeat(Number.POSITIVE_INFINITY, ...steps)
}

type Headers = Record<string, string | readonly string[]>

export interface ResponseOptions {
  /** @default 200 */
  status?: number
  /** @default 'OK' */
  reason?: string
  /** @default '1.1' */
  version?: '1.0' | '1.1'
  /** Sent as given, after the framing header; an array is several lines. */
  headers?: Headers
  /** @default 'ok' */
  body?: string
  /**
   * How the end of the body is told: `content-length`, `chunked`, or not at all (`none`: for bodies that the end of the
   * connection delimits, and for responses that have no body). @default 'length'
   */
  framing?: 'length' | 'chunked' | 'none'
  /** Of a chunked body. */
  trailers?: Headers
}

/** The bytes of a response, as a latin1 string. */
export function response(options: ResponseOptions = {}): string {
  const { status = 200, reason = 'OK', version = '1.1', headers = {}, body = 'ok', framing = 'length' } = options
  const head = `HTTP/${version} ${status} ${reason}\r\n`
  const fields = headerLines(headers)
  switch (framing) {
    case 'length':
      return `${head}content-length: ${Buffer.byteLength(body, 'latin1')}\r\n${fields}\r\n${body}`
    case 'chunked':
      return `${head}transfer-encoding: chunked\r\n${fields}\r\n${chunk(body)}0\r\n${headerLines(options.trailers ?? {})}\r\n`
    case 'none':
      return `${head}${fields}\r\n${body}`
  }
}

function chunk(body: string): string {
  return body === '' ? '' : `${Buffer.byteLength(body, 'latin1').toString(16)}\r\n${body}\r\n`
}

function headerLines(headers: Headers): string {
  return Object.entries(headers)
    .flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`))
    .join('')
}
