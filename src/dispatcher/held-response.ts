/**
 * A response that is kept from its caller until it is clear whether it is meant for the request. Let through, it reaches
 * the caller's handler as if nothing had been, pauses included.
 */
import type { LegacyHandler } from './legacy-handler.js'

/** The arguments of `onHeaders`. */
export type ResponseHead = Parameters<LegacyHandler['onHeaders']>

/** Bytes that are kept before the sender is asked to pause. */
const MOST_KEPT = 64 * 1024

export class HeldResponse {
  readonly #chunks: Buffer[] = []
  #kept = 0
  #trailers: Buffer[] | undefined
  /** Not to be passed on now: still being judged, or the handler is in no hurry. */
  #waits = true
  #senderPaused = false

  constructor(
    private readonly head: ResponseHead,
    private readonly handler: Pick<LegacyHandler, 'onHeaders' | 'onData' | 'onComplete'>,
  ) {}

  onData(chunk: Buffer): boolean {
    if (!this.#waits) {
      this.#waits = this.#senderPaused = this.handler.onData(chunk) === false
      return !this.#waits
    }
    this.#chunks.push(chunk)
    this.#kept += chunk.length
    this.#senderPaused = this.#kept >= MOST_KEPT
    return !this.#senderPaused
  }

  onComplete(trailers: Buffer[]): void {
    this.#trailers = trailers
    if (!this.#waits) this.#flush()
  }

  /** It is for the caller after all. */
  letThrough(): void {
    const [statusCode, rawHeaders, , statusText] = this.head
    this.#waits = this.handler.onHeaders(statusCode, rawHeaders, this.#resume, statusText) === false
    this.#flush()
  }

  readonly #resume = (): void => {
    this.#waits = false
    this.#flush()
  }

  #flush(): void {
    while (!this.#waits) {
      const chunk = this.#chunks.shift()
      if (chunk === undefined) break
      this.#waits = this.handler.onData(chunk) === false
    }
    if (this.#waits) return
    if (this.#trailers !== undefined) this.handler.onComplete(this.#trailers)
    else if (this.#senderPaused) {
      this.#senderPaused = false
      this.#kept = 0
      const [, , resume] = this.head
      resume()
    }
  }
}
