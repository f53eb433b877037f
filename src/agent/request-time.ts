/**
 * The time that a caller has given its request: after so many milliseconds of silence it wants to hear 'timeout'. node keeps
 * it on the socket; this keeps it where the request has none, and takes it along from one socket to the next.
 */
import type { Clock, TimerHandle } from '../clock.js'
import { type Listener, type NodeRequest, type NodeSocket, tellTimeout, timeoutListener } from './node-request.js'

type TimedSocket = NodeSocket & { readonly timeout?: number | undefined; setTimeout?(timeout: number): unknown }

export class RequestTime {
  readonly #request: NodeRequest
  readonly #clock: Clock
  readonly #ofAgent: number | undefined
  /** As it was on the socket that it has lost, or was set since. */
  #time: number | undefined = undefined
  /** How node tells the request. */
  #listener: Listener | undefined = undefined
  #timer: TimerHandle | undefined = undefined
  /** 'timeout' was emitted while there was no socket. node says it once for a request. */
  isOver = false

  /** @param ofAgent what holds where the request says nothing */
  constructor(request: NodeRequest, clock: Clock, ofAgent: number | undefined) {
    this.#request = request
    this.#clock = clock
    this.#ofAgent = ofAgent
  }

  /** In milliseconds; 0 or undefined for none. */
  get value(): number | undefined {
    return this.#time ?? this.#request.timeout ?? this.#ofAgent
  }

  /** The caller has set another one while there was no socket. */
  set(time: number): void {
    this.#time = time
  }

  /** The request loses its socket. */
  leave(socket: TimedSocket): void {
    const listener = timeoutListener(this.#request, socket)
    if (listener === undefined) return
    this.#listener = listener
    this.#time ??= socket.timeout
  }

  /** The request has a socket, of which node will tell it in the next tick. */
  arrive(socket: TimedSocket): void {
    const { value } = this
    if (value !== undefined && socket.timeout !== value) socket.setTimeout?.(value)
    if (this.#time === undefined && !this.isOver) return
    const time = this.#time
    const listener = this.isOver ? undefined : this.#listener
    this.#time = undefined
    process.nextTick(() => {
      if (this.isOver || listener !== undefined) tellTimeout(this.#request, socket, listener)
      if (time !== undefined && this.#request.socket === (socket as unknown)) socket.setTimeout?.(time)
    })
  }

  /** Runs from now on, without a socket. */
  run(time = this.value): void {
    this.stop()
    if (!time) return
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined
      this.isOver = true
      this.#request.emit('timeout')
    }, time)
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer)
    this.#timer = undefined
  }
}
