/**
 * The time in which a connection has no request on it: since when, until when, and its end, which must not meet a request
 * that came in time.
 */
import type { Socket } from 'node:net'
import type { Clock } from '../clock.js'
import type { Native } from '../liveness/native.js'
import { descriptorOf, wireOf } from '../wire/handle.js'

export interface IdlingHost {
  readonly clock: Clock
  readonly native: Native | undefined
  readonly buffer: number
}

export interface IdlingOwner {
  readonly socket: Socket
  /** No request is on it, nor will be told of. */
  readonly isIdle: boolean
  /** Until when it may idle. */
  idleUntil(): number
  /** Whether part of what was sent has not reached the client yet; false where nobody knows. */
  isArriving(): boolean
  /** Has `look` called, then. */
  lookAt(time: number): void
  /** It has idled for long enough. */
  idledOut(): void
}

/** A response of more bytes may take a while to reach the client after it was sent: it is more than fits in a first flight. */
const FIRST_FLIGHT = 14_600

export class Idling {
  /** When the last response was sent, or the last part of a request came in that is not complete. */
  since: number
  /** Bytes read when the last response was sent, and when it was looked at last. */
  #readBefore = 0
  #readLately = 0
  #writtenBefore = 0
  /** Much of the last response may still be on its way: the client's time has not begun. */
  #isArriving = false
  /** A timeout of the socket was taken off meanwhile. */
  #hasMutedTimeout = false
  /** Its end was put off, because something had arrived that nobody had read. */
  #isPutOff = false

  constructor(
    private readonly owner: IdlingOwner,
    private readonly host: IdlingHost,
  ) {
    this.since = host.clock.now()
  }

  /** Nothing has come since the last response. */
  get isUndisturbed(): boolean {
    return this.owner.socket.bytesRead === this.#readBefore
  }

  /** A response was sent. Returns when to look. */
  begin(): number {
    const { socket } = this.owner
    this.since = this.host.clock.now()
    this.#readLately = this.#readBefore = socket.bytesRead
    const written = wireOf(socket)?.bytesWritten ?? 0
    this.#isArriving = written - this.#writtenBefore > FIRST_FLIGHT
    this.#writtenBefore = written
    this.#isPutOff = false
    if (socket.timeout) {
      // It would close sooner than was promised.
      socket.setTimeout(0)
      this.#hasMutedTimeout = true
    }
    return this.#isArriving ? this.since + this.host.buffer : this.owner.idleUntil()
  }

  /** A request has arrived. */
  end(): void {
    if (!this.#hasMutedTimeout) return
    this.#hasMutedTimeout = false
    const { socket } = this.owner
    // As Node does after its own keep-alive timer.
    socket.setTimeout((socket as Socket & { server?: { timeout?: number } }).server?.timeout ?? 0)
  }

  /** Returns when to look again. */
  look(now: number): number {
    const { socket } = this.owner
    if (socket.bytesRead !== this.#readLately) {
      // Part of a request: that it takes its time is Node's affair (headersTimeout), as long as it comes.
      this.#readLately = socket.bytesRead
      this.since = now
    } else if (this.#isArriving) {
      this.#isArriving = this.owner.isArriving()
      this.since = now
      if (this.#isArriving) return now + this.host.buffer
    }
    const until = this.owner.idleUntil()
    if (now < until) return until
    // A request may wait in the kernel: had the event loop been blocked, the timer would come before it.
    this.host.clock.afterTwoTurns(() => this.#close())
    return Infinity
  }

  #close(): void {
    const { owner, host } = this
    const { socket } = owner
    if (!owner.isIdle || socket.destroyed) return
    const now = host.clock.now()
    const hasUnread = () => (host.native?.unread(descriptorOf(socket)) ?? 0) > 0
    if (socket.bytesRead !== this.#readLately || now < owner.idleUntil() || (!this.#isPutOff && hasUnread())) {
      this.#isPutOff = true
      owner.lookAt(now)
      return
    }
    owner.idledOut()
    // At once: of what comes now nothing is acknowledged, so that a client can tell that it was not processed.
    socket.destroy()
  }
}
