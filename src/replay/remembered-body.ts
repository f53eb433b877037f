/**
 * A request body that can be read again from its beginning: it remembers what it hands out, up to a limit. For bodies
 * that are iterables; the built-in fetch makes one of every body, so a string that was given to fetch is one, too.
 */

/** Bytes of one body that are remembered at the most. One that is longer cannot be read again. */
export const MOST_REMEMBERED = 1024 * 1024

export class RememberedBody implements AsyncIterable<unknown> {
  readonly #source: AsyncIterator<unknown> | Iterator<unknown>
  readonly #limit: number
  /** From the beginning on; once it is too long, only what was not read yet. */
  readonly #chunks: unknown[] = []
  #size = 0
  /** Its beginning was dropped. */
  #lost = false
  #ended = false
  #failure: { readonly error: unknown } | undefined
  /** Counts readers: each one ends those before it. */
  #reader = 0
  #pulling: Promise<boolean> | undefined

  constructor(source: AsyncIterable<unknown> | Iterable<unknown>, limit = MOST_REMEMBERED) {
    this.#source = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
    this.#limit = limit
  }

  /** Whether it can still be read from its beginning. */
  get repeatable(): boolean {
    return !this.#lost && this.#failure === undefined
  }

  /**
   * Reads it from its beginning. A reader that stops early leaves the source to the next one, with which its own reading
   * ends in an error: it has not come to the end.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
    if (this.#lost) throw new Error('the beginning of the body is gone')
    const reader = ++this.#reader
    for (let index = 0; reader === this.#reader; ) {
      if (index === this.#chunks.length) {
        if (!(await this.#pull())) return
      } else if (this.#size <= this.#limit) yield this.#chunks[index++]
      else {
        this.#lost = true
        this.#chunks.splice(0, index)
        index = 0
        yield this.#chunks.shift()
      }
    }
    throw new Error('the body is being read by somebody else, or not wanted any more')
  }

  /** Ends those who read it now, in an error: what they would take from the source is for the next one. */
  cutOff(): void {
    this.#reader++
  }

  /** Nobody will read it any more: the source is told, unless it has come to its end. */
  close(): void {
    this.cutOff()
    if (this.#ended) return
    this.#ended = true
    const closing = async (): Promise<unknown> => this.#source.return?.()
    closing().catch(() => {}) // its failure is nobody's business any more
  }

  /** Takes one more chunk from the source, for whoever reads then; false at its end. */
  #pull(): Promise<boolean> {
    this.#pulling ??= this.#advance().finally(() => {
      this.#pulling = undefined
    })
    return this.#pulling
  }

  async #advance(): Promise<boolean> {
    if (this.#failure !== undefined) throw this.#failure.error
    if (this.#ended) return false
    try {
      const { done, value } = await this.#source.next()
      if (done === true) this.#ended = true
      else this.#remember(value)
      return done !== true
    } catch (error) {
      this.#ended = true
      this.#failure = { error }
      throw error
    }
  }

  #remember(chunk: unknown): void {
    this.#size +=
      chunk instanceof Uint8Array ? chunk.byteLength : typeof chunk === 'string' ? Buffer.byteLength(chunk) : 0
    // A copy: once it was handed out, its owner may fill it with the next chunk.
    this.#chunks.push(chunk instanceof Uint8Array && this.#size <= this.#limit ? Buffer.from(chunk) : chunk)
  }
}
