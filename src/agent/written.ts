/**
 * What node:http has written of one request, piece by piece, so that it can be written again on another socket; up to
 * a bound. It also stands between the socket and the callbacks of those writes: each is called once, and not with the
 * failure of a socket from which the request has moved on.
 */
import { MOST_REMEMBERED } from '../replay/remembered-body.js'
import type { Piece, WriteCallback } from './node-request.js'

export class Written {
  #pieces: Piece[] | undefined = []
  #size = 0
  /** It is on trial. */
  #suspended = false
  /** How writes ended of which nobody has been told yet: those that failed, for their socket is dying; on trial, all. */
  #outcomes: (() => void)[] = []

  constructor(private readonly limit = MOST_REMEMBERED) {}

  /** Whether all of it is still known. */
  get whole(): boolean {
    return this.#pieces !== undefined
  }

  /** The pieces, to be written again. */
  get pieces(): readonly Piece[] {
    return this.#pieces ?? []
  }

  /** Remembers a piece; gives back the callback to write it with. */
  add(data: Piece['data'], encoding: Piece['encoding'], callback: Piece['callback']): Piece['callback'] {
    if (this.#pieces === undefined) return callback
    this.#size += data.length
    if (this.#size > this.limit) {
      this.forget()
      return callback
    }
    // A copy: once it was written, its owner may fill it with the next piece.
    const piece: Piece = { data: typeof data === 'string' ? data : Buffer.from(data), encoding, callback }
    this.#pieces.push(piece)
    return typeof callback === 'function' ? (error) => this.#wrote(piece, error) : callback
  }

  /** None of it will be needed again. */
  forget(): void {
    this.#pieces = undefined
  }

  /** Its socket has died: how its writes end from now on means nothing until it is clear what became of the request. */
  suspend(): void {
    this.#suspended = true
  }

  /** The request was lost: those who waited for their writes are told. */
  fail(): void {
    const outcomes = this.#outcomes
    this.#outcomes = []
    this.#suspended = false
    this.forget()
    for (const tell of outcomes) tell()
  }

  #wrote(piece: Piece, error: Error | null | undefined): void {
    // It may be written again: a socket's writes fail before the socket says that it is dead.
    const isInDoubt = this.#pieces !== undefined && (this.#suspended || error)
    if (!isInDoubt) tell(piece, error)
    else this.#outcomes.push(() => tell(piece, error))
  }
}

/** Once: a piece that was written is not told again when it is written a second time. */
function tell(piece: Piece, error: Error | null | undefined): void {
  const callback = piece.callback as WriteCallback | null | undefined
  piece.callback = null
  callback?.(error)
}
