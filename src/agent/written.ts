/**
 * What node:http has written of one request, piece by piece, so that it can be written again on another socket; up to
 * a bound. It also stands between the socket and the callbacks of those writes: each is called once, and not with the
 * failure of a socket from which the request has moved on.
 */
import { MOST_REMEMBERED } from '../replay/remembered-body.js'
import type { Piece, WriteCallback } from './node-request.js'

interface RememberedPiece extends Piece {
  /** With what its write failed, while it is not clear whether that matters. */
  failure?: Error
}

export class Written {
  #pieces: RememberedPiece[] | undefined = []
  #size = 0
  /** Failures are to be kept for the time being. */
  #onTrial = false

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
  add(data: string | Uint8Array, encoding: Piece['encoding'], callback: Piece['callback']): Piece['callback'] {
    if (this.#pieces === undefined) return callback
    this.#size += data.length
    if (this.#size > this.limit) {
      this.forget()
      return callback
    }
    // A copy: once it was written, its owner may fill it with the next piece.
    const kept = typeof data === 'string' ? data : Buffer.from(data)
    const piece: RememberedPiece = { data: kept, encoding, callback }
    this.#pieces.push(piece)
    return typeof callback === 'function' ? (error) => this.#wrote(piece, error) : callback
  }

  /** None of it will be needed again. */
  forget(): void {
    this.#pieces = undefined
  }

  /** Its socket has died: whether that is a failure is still to be found out. */
  suspend(): void {
    this.#onTrial = true
  }

  /** It was one: those are told that were kept waiting. */
  fail(): void {
    this.#onTrial = false
    for (const piece of this.#pieces ?? []) if (piece.failure !== undefined) settle(piece, piece.failure)
    this.forget()
  }

  #wrote(piece: RememberedPiece, error: Error | null | undefined): void {
    if (error && this.#onTrial) piece.failure = error
    else settle(piece, error)
  }
}

function settle(piece: RememberedPiece, error: Error | null | undefined): void {
  const callback = piece.callback as WriteCallback | null | undefined
  piece.callback = null
  callback?.(error)
}
