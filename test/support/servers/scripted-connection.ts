/** One accepted connection of a scripted server: what it received, parsed on demand, and what it does to the client. */
import type { Socket } from 'node:net'
import { parseRequest, type ReceivedRequest } from './request-parser.js'
import type { ScriptedEvent } from './scripted.js'

/** The client closed, or the connection was destroyed, while a step waited for more. */
export class ConnectionGone extends Error {}

type Record = (what: ScriptedEvent['what'], data?: string) => void

export class ScriptedConnection {
  /** The requests that steps have taken from the connection, in order. */
  readonly requests: ReceivedRequest[] = []
  readonly openedAt = performance.now()
  /** All bytes received, read by a step or not. */
  bytesReceived = 0
  /** Whether the client has sent its FIN. */
  clientEnded = false
  /** When nothing of the connection is left, seen from here. */
  closedAt: number | undefined

  /** Received and not yet taken; many chunks are joined only when somebody looks. */
  #chunks: Buffer[] = []
  #scriptFinished = false
  #wake: (() => void) | undefined

  constructor(
    /** 1 for the first connection of the server. */
    readonly nth: number,
    /** What steps read from and write to: the TLS socket where TLS is spoken. */
    readonly socket: Socket,
    /** The TCP socket. */
    readonly raw: Socket,
    private readonly record: Record,
  ) {
    record('open')
    socket.on('data', (chunk: Buffer) => {
      this.bytesReceived += chunk.length
      this.#chunks.push(chunk)
      record('received', chunk.toString('latin1'))
      this.#wake?.()
    })
    socket.on('end', () => {
      this.clientEnded = true
      record('client-end')
      if (this.#scriptFinished) this.socket.end()
      this.#wake?.()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      record(error.code === 'ECONNRESET' ? 'reset' : 'error', error.message)
    })
    socket.on('close', () => {
      this.closedAt = performance.now()
      record('close')
      this.#wake?.()
    })
  }

  /** Takes the next request, with its whole body; waits for it. */
  async takeRequest(): Promise<ReceivedRequest> {
    for (;;) {
      const unread = this.#unread()
      const parsed = parseRequest(unread)
      if (parsed) {
        this.#chunks = [unread.subarray(parsed.length)]
        this.requests.push(parsed.request)
        return parsed.request
      }
      await this.#more(`a request (has ${unread.length} bytes of one)`)
    }
  }

  /** Waits until the bytes received and not yet taken hold `text`; leaves them where they are. */
  async untilUnreadHolds(text: string): Promise<void> {
    while (!this.#unread().includes(text)) await this.#more(JSON.stringify(text))
  }

  /** Waits until `count` bytes have been received in all. */
  async untilReceived(count: number): Promise<void> {
    while (this.bytesReceived < count) await this.#more(`${count} bytes (has ${this.bytesReceived})`)
  }

  /** Resolves when the bytes have been handed to the kernel. */
  send(bytes: string | Buffer): Promise<void> {
    if (this.socket.writableEnded) return Promise.reject(new Error('The script sends after its own FIN'))
    if (!this.socket.writable) return Promise.reject(this.#gone('send'))
    const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    this.record('sent', buffer.toString('latin1'))
    return new Promise((resolve, reject) => {
      this.socket.write(buffer, (error) => (error ? reject(this.#gone('send')) : resolve()))
    })
  }

  /** Sends FIN and goes on reading. */
  halfClose(): Promise<void> {
    this.record('server-end')
    return new Promise((resolve) => this.socket.end(resolve))
  }

  /** Closes the descriptor: FIN now, and RST in answer to whatever the client still sends. */
  destroy(): void {
    this.record('server-end')
    this.socket.destroy()
    this.raw.destroy()
  }

  /** Sends RST. */
  reset(): void {
    this.record('reset')
    // Of the TCP socket: a TLS socket has no reset of its own.
    this.raw.resetAndDestroy()
    this.socket.destroy()
  }

  /** Resolves when the client has sent its FIN, or the connection is gone. */
  async clientEnd(): Promise<void> {
    while (!this.clientEnded && this.closedAt === undefined) await this.#event()
  }

  /** Resolves when the connection is gone. */
  async closed(): Promise<void> {
    while (this.closedAt === undefined) await this.#event()
  }

  /** The script has no more to say: from now on a FIN of the client is answered with ours. */
  finishScript(): void {
    this.#scriptFinished = true
    if (this.clientEnded) this.socket.end()
  }

  #unread(): Buffer {
    const joined = Buffer.concat(this.#chunks)
    this.#chunks = [joined]
    return joined
  }

  async #more(what: string): Promise<void> {
    if (this.clientEnded || this.closedAt !== undefined) throw this.#gone(what)
    await this.#event()
  }

  #event(): Promise<void> {
    const earlier = this.#wake
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined
        earlier?.()
        resolve()
      }
    })
  }

  #gone(what: string): ConnectionGone {
    return new ConnectionGone(`Connection ${this.nth} was closed by the client; the script wanted: ${what}`)
  }
}
