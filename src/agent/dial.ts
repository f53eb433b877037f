/**
 * Opens a connection through an agent's `createConnection`, in either of its forms: the socket is returned, or given to
 * the callback. What comes out is a tuned link, connected, and with TLS also through its handshake.
 */
import type { Socket } from 'node:net'
import { constants } from 'node:os'
import type { Clock, TimerHandle } from '../clock.js'
import type { Addresses } from '../wire/addresses.js'
import { DialWatch } from '../wire/dial-watch.js'
import type { Dialer, Link } from '../wire/link.js'
import { hangUp } from './hang-up.js'

type Created = (error: Error | null, socket?: Socket) => void

export interface Dial {
  readonly clock: Clock
  /** Longest time it may take, in milliseconds; 0: no limit. */
  readonly timeout: number
  /** May return the socket, call back with it, or throw. */
  create(created: Created): Socket | null | undefined
  /** There is a socket, which may not be connected yet; a second call says that it is no longer being opened. */
  opening(socket: Socket, isOpening: boolean): void
  linkTo(socket: Socket): Link
  /** Told which addresses answer, and which do not. */
  readonly addresses: Addresses
  /** For messages: `example.com:443`. */
  readonly address: string
}

/** Node sets it on a socket that leads to a proxy: the one that counts is given to the callback. */
const WAITS_FOR_TUNNEL = 'kWaitForProxyTunnel'

export function dialThrough(dial: Dial): Dialer {
  return (_target, done) => {
    let hasReturned = false
    const attempt = new Attempt(dial, (error, link) => {
      if (hasReturned) done(error, link)
      else queueMicrotask(() => done(error, link))
    })
    attempt.begin()
    hasReturned = true
    return { cancel: (error) => attempt.fail(error) }
  }
}

class Attempt {
  #socket: Socket | undefined
  #watch: DialWatch | undefined
  #ended = false
  #timer: TimerHandle | undefined

  constructor(
    private readonly dial: Dial,
    private readonly done: (error: Error | null, link?: Link) => void,
  ) {}

  begin(): void {
    if (this.#ended) return
    const { clock, timeout, create } = this.dial
    if (timeout > 0) this.#timer = clock.setTimer(() => this.fail(this.#timeoutError()), timeout, true)
    try {
      const socket = create.call(this.dial, (error, made) => (error ? this.fail(error) : made && this.#made(made)))
      if (socket && !waitsForTunnel(socket)) this.#made(socket)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  fail(error: Error): void {
    const socket = this.#socket
    if (!this.#end(error)) return
    socket?.on('error', ignore) // its error is told below
    socket?.destroy()
    this.done(error)
  }

  #made(socket: Socket): void {
    if (this.#socket !== undefined) return // returned and called back with
    if (this.#ended) {
      socket.on('error', ignore)
      socket.destroy()
      return
    }
    this.#socket = socket
    this.#watch = new DialWatch(socket, this.dial.addresses)
    this.dial.opening(socket, true)
    socket.once('error', this.#broke)
    socket.once('close', this.#broke)
    const { secureConnecting } = socket as { secureConnecting?: boolean }
    if (secureConnecting) socket.once('secureConnect', this.#connected)
    else if (socket.connecting) socket.once('connect', this.#connected)
    else if (!socket.destroyed) queueMicrotask(this.#connected)
  }

  readonly #connected = (): void => {
    const socket = this.#socket as Socket
    if (socket.destroyed || !this.#end(null)) return // it says why, or has said it
    this.done(null, this.dial.linkTo(socket))
  }

  readonly #broke = (error: unknown): void => {
    this.fail(error instanceof Error ? asNodeSaysIt(error) : (this.#socket?.errored ?? hangUp()))
  }

  /** Whether it had not ended before. */
  #end(error: Error | null): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#watch?.end(error)
    const { clock, opening } = this.dial
    const socket = this.#socket
    if (this.#timer !== undefined) clock.clearTimer(this.#timer)
    if (socket === undefined) return true
    opening.call(this.dial, socket, false)
    socket.off('secureConnect', this.#connected).off('connect', this.#connected)
    socket.off('error', this.#broke).off('close', this.#broke)
    return true
  }

  #timeoutError(): Error {
    const { address, timeout } = this.dial
    const message = `connect ETIMEDOUT ${address} (connect.timeout is ${timeout} ms)`
    return Object.assign(new Error(message), { code: 'ETIMEDOUT', syscall: 'connect' })
  }
}

/** node's requests are being written when a handshake fails, and so it comes to them as the failure of a write. */
function asNodeSaysIt(error: Error): Error {
  if (!(error as NodeJS.ErrnoException).code?.startsWith('ERR_SSL_')) return error
  const { EPROTO } = constants.errno
  return Object.assign(new Error(`write EPROTO ${error.message}`), {
    errno: -EPROTO,
    code: 'EPROTO',
    syscall: 'write',
  })
}

const ignore = (): void => {}

const waitsForTunnel = (socket: object): boolean =>
  Object.getOwnPropertySymbols(socket).some(({ description }) => description === WAITS_FOR_TUNNEL)
