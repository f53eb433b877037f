/**
 * Looks on while a socket is being opened, and tells which addresses did not answer, and which one did.
 *
 * Not answering is silence, or a router's word that there is no way there. A refusal (ECONNREFUSED) is none: the host
 * lives, it says so within one round trip, and what it serves on other ports has nothing to do with it. Silence counts
 * during the TLS handshake as well: nobody can use that address now.
 */
import type { Socket } from 'node:net'
import type { Addresses } from './addresses.js'

const UNANSWERED: ReadonlySet<string | undefined> = new Set([
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

type Failure = NodeJS.ErrnoException & { readonly address?: string }

export class DialWatch {
  readonly #socket: Socket
  readonly #addresses: Addresses
  /** The address that is being tried; undefined while its name is looked up. */
  #attempt: string | undefined

  constructor(socket: Socket, addresses: Addresses) {
    this.#socket = socket
    this.#addresses = addresses
    socket.on('connectionAttempt', this.#began)
    socket.on('connectionAttemptTimeout', this.#timedOut)
    socket.on('connectionAttemptFailed', this.#failed)
  }

  /** The socket is open, or has failed. */
  end(error: Error | null): void {
    const socket = this.#socket
    socket.off('connectionAttempt', this.#began)
    socket.off('connectionAttemptTimeout', this.#timedOut)
    socket.off('connectionAttemptFailed', this.#failed)
    if (error === null) this.#addresses.lives(this.#attempt)
    // Of several failures in one, each has been told by itself, and the code is that of the first.
    else if (!('errors' in error)) this.#note(error, this.#attempt)
  }

  readonly #began = (address: string): void => {
    this.#attempt = address
  }

  /** Another address is tried: this one took too long. Perhaps it is only slow; then it is tried last, not never. */
  readonly #timedOut = (address: string): void => this.#addresses.died(address)

  readonly #failed = (address: string, _port: number, _family: number, error: Error): void => this.#note(error, address)

  #note({ code, address }: Failure, attempt: string | undefined): void {
    if (UNANSWERED.has(code)) this.#addresses.died(address ?? attempt)
  }
}
