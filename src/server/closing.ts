/**
 * A server on its way out: no more connections, then no more idle ones, and at the limit none at all. What its responses
 * say meanwhile is the connections' business.
 */
import type { Socket } from 'node:net'
import type { Clock, TimerHandle } from '../clock.js'
import type { AcceptedConnection } from './connection.js'
import type { CloseOptions } from './options.js'
import type { Left } from './stats.js'
import { type AnyServer, stopListening } from './takeover.js'

/** What there is to be closed. */
export interface Closable {
  readonly server: AnyServer
  readonly connections: ReadonlySet<AcceptedConnection>
  /** TCP connections beneath TLS. */
  readonly raw: ReadonlySet<Socket>
  /** Connections that the kernel has made, and the server has not accepted yet; 0 where nobody knows. */
  backlog(): number
}

/** How often it is looked whether somebody still waits to be accepted. Where there is always somebody, there is an end. */
const MOST_LOOKS = 100

export class Closing {
  readonly left: Promise<Left>
  readonly #stopsAt: number
  readonly #timers: TimerHandle[] = []
  #resolve!: (left: Left) => void
  #left: Left = { connections: 0, requests: 0 }
  #isListening: boolean

  constructor(
    private readonly subject: Closable,
    private readonly clock: Clock,
    private readonly options: Required<CloseOptions>,
  ) {
    const { server } = subject
    const { accept, limit } = options
    this.left = new Promise((resolve) => (this.#resolve = resolve))
    this.#stopsAt = clock.now() + accept
    this.#isListening = server.listening
    if (this.#isListening)
      server.once('close', () => {
        this.#isListening = false
        this.look()
      })
    if (accept > 0) this.#timers.push(clock.setTimer(() => this.#stop(), accept, true))
    else this.#stop()
    if (limit !== Infinity) this.#timers.push(clock.setTimer(() => this.#end(), limit, true))
  }

  /** Until when a connection may idle that does so since then. */
  idleUntil(since: number): number {
    return Math.max(this.#stopsAt, since) + this.options.grace
  }

  /** Looks whether that was all. */
  look(): void {
    if (this.#isListening || this.subject.connections.size > 0) return
    for (const timer of this.#timers) this.clock.clearTimer(timer)
    this.#resolve(this.#left)
  }

  /** Those that wait to be accepted come first: the kernel resets them when nobody listens any more, requests and all. */
  #stop(looks = 1): void {
    const { server, backlog } = this.subject
    this.clock.afterTwoTurns(() => {
      if (!server.listening) this.look()
      else if (looks < MOST_LOOKS && backlog() > 0) this.#stop(looks + 1)
      else stopListening(server)
    })
  }

  #end(): void {
    const { server, connections, raw } = this.subject
    const requests = [...connections].filter(({ isActive }) => isActive).length
    this.#left = { connections: Math.max(connections.size, raw.size), requests }
    for (const { socket } of connections) socket.destroy()
    for (const socket of raw) socket.destroy()
    if (server.listening) stopListening(server)
    else this.look()
  }
}
