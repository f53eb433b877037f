/**
 * One connection of the doctor's own: opened with its times, asked, and left alone. It sends what it is told to and nothing
 * else, closes nothing by itself, and knows when and how the peer has ended it.
 */
import type { Socket } from 'node:net'
import type { KernelTally, TcpInfoReader } from '../liveness/tcp-info.js'
import { descriptorOf } from '../wire/handle.js'
import { LARGEST_BODY } from './limits.js'
import type { Method } from './options.js'
import { type Response, type ResponseError, ResponseReader } from './response.js'

/** How a connection ended: the peer's FIN, its RST (or that of what is between), or because it was closed here. */
export interface Ending {
  readonly how: 'fin' | 'reset' | 'closed'
  /** As from `performance.now()`. */
  readonly at: number
}

/** A request, as it is sent again and again. */
export interface Question {
  readonly method: Method
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** What came of a question. */
export type Asked =
  /** `took`: milliseconds until the response began. */
  | { readonly kind: 'answer'; readonly response: Response; readonly took: number }
  | { readonly kind: 'silence' }
  | { readonly kind: 'ended'; readonly how: Ending['how'] }
  | { readonly kind: 'unreadable'; readonly error: ResponseError }

export class MeasuredConnection {
  readonly socket: Socket
  /** Milliseconds for TCP's handshake, and for that of TLS; undefined without TLS. */
  readonly times: { readonly connect: number; readonly tls: number | undefined }
  ending: Ending | undefined
  readonly ended: Promise<Ending>
  /**
   * When the last response was complete, or the connection made; as from `performance.now()`. By the kernel where it can be
   * asked: it does not come to it late.
   */
  idleSince = performance.now()
  /** Whether the last response lets it be used again. */
  persists = true
  /** The beginning of what the peer has said without being asked; undefined for nothing. */
  unsolicited: string | undefined
  #reader: { push(bytes: Buffer): void; end(): void } | undefined
  readonly #tcpInfo: TcpInfoReader | undefined

  constructor(socket: Socket, times: MeasuredConnection['times'], tcpInfo: TcpInfoReader | undefined) {
    this.socket = socket
    this.times = times
    this.#tcpInfo = tcpInfo
    this.ended = new Promise((resolve) => {
      const end = (how: Ending['how']): void => {
        // The FIN is what was heard last.
        const late = how === 'fin' && this.ending === undefined ? this.#tally?.sinceLastHeard : 0
        this.ending ??= { how, at: performance.now() - (late ?? 0) }
        this.#reader?.end()
        resolve(this.ending)
      }
      socket.on('end', () => end('fin'))
      socket.on('error', () => end('reset'))
      socket.on('close', () => end('closed'))
    })
    socket.on('data', (bytes: Buffer) => {
      if (this.#reader === undefined) this.unsolicited ??= bytes.toString('latin1', 0, 40)
      else this.#reader.push(bytes)
    })
  }

  /** The descriptor; -1 for none. */
  get fd(): number {
    return descriptorOf(this.socket)
  }

  get #tally(): KernelTally | undefined {
    return this.#tcpInfo?.tally(this.fd)
  }

  /** Sends a request and waits for the whole response, for `timeout` milliseconds. One at a time. Never rejects. */
  ask({ method, path, headers }: Question, timeout: number): Promise<Asked> {
    if (this.ending !== undefined) return Promise.resolve({ kind: 'ended', how: this.ending.how })
    return new Promise((resolve) => {
      const response = new ResponseReader(method, LARGEST_BODY)
      const askedAt = performance.now()
      let took = 0
      const done = (asked: Asked): void => {
        clearTimeout(timer)
        this.#reader = undefined
        if (asked.kind === 'answer') {
          this.idleSince = Math.max(askedAt, performance.now() - (this.#tally?.sinceLastData ?? 0))
          this.persists = asked.response.persists
        }
        resolve(asked)
      }
      const timer = setTimeout(done, timeout, { kind: 'silence' } satisfies Asked)
      const answered = (read: () => Response | undefined): boolean => {
        try {
          const complete = read()
          if (took === 0 && response.head !== undefined) took = performance.now() - askedAt
          if (complete !== undefined) done({ kind: 'answer', response: complete, took })
          return complete !== undefined
        } catch (error) {
          done({ kind: 'unreadable', error: error as ResponseError })
          return true
        }
      }
      this.#reader = {
        push: (bytes) => void answered(() => response.push(bytes)),
        end: () => {
          const { how } = this.ending as Ending
          if (how !== 'fin' || !answered(() => response.end())) done({ kind: 'ended', how })
        },
      }
      const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
      this.socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
    })
  }

  /** Closes it, at once. */
  close(): void {
    this.socket.destroy()
  }
}
