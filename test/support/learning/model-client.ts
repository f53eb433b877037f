/**
 * A client with a few connections to a model server, which obeys what it learns and watches as it is told. Counts the
 * requests that met a close on the way.
 */
import type { TimerHandle } from '../../../src/clock.js'
import {
  type Learned,
  nothingLearned,
  outlived,
  serverClosed,
  settle,
  watchTime,
  worthWatching,
} from '../../../src/keepalive/learning.js'
import { automaticMargin } from '../../../src/keepalive/margin.js'
import type { ManualClock } from '../manual-clock.js'
import type { Random } from '../random.js'
import type { ModelServer, ServerEnd } from './model-server.js'

export interface ClientSettings {
  /** One way, in milliseconds. */
  readonly way: number
  /** Idle time it allows by itself. */
  readonly keepAliveTimeout: number
  /** Whether it does as it has learned. */
  readonly obeys: boolean
}

type State = 'active' | 'idle' | 'watched' | 'closed'

class Connection {
  state: State = 'active'
  idleSince = 0
  /** The longest time it idled before it was answered again. */
  survived: number | undefined
  /** Whether there is a request on the way that the server has not seen. */
  underway = false
  /** Until its time is over; only while it is idle or watched. */
  timer: TimerHandle | undefined
  end!: ServerEnd
}

export class ModelClient {
  known: Learned = nothingLearned
  /** What was learned, and when. */
  readonly changes: { readonly at: number; readonly timeout: number | undefined }[] = []
  readonly counted = { requests: 0, reused: 0, met: 0, closes: 0, watched: 0 }
  /** The one used last is at the end, and used first. */
  readonly #idle: Connection[] = []
  #watched: Connection | undefined

  constructor(
    readonly clock: ManualClock,
    readonly random: Random,
    readonly server: ModelServer,
    readonly settings: ClientSettings,
  ) {}

  /** Sends a request; the server takes a few milliseconds to answer. */
  request(): void {
    const { clock, settings } = this
    const connection = this.#take() ?? this.#open()
    const sentAt = clock.now()
    const reused = connection.idleSince > 0
    this.counted.requests++
    connection.underway = true
    clock.setTimer(() => {
      connection.underway = false
      if (connection.end.closed) return
      if (reused) {
        this.counted.reused++
        connection.survived = Math.max(connection.survived ?? 0, sentAt - connection.idleSince)
      }
      connection.end.asked()
      clock.setTimer(() => this.#answer(connection), this.random.below(10))
    }, settings.way)
  }

  #answer(connection: Connection): void {
    const { clock, settings } = this
    if (connection.end.closed) return
    clock.setTimer(() => {
      if (connection.state === 'closed') return
      connection.idleSince = clock.now()
      connection.state = 'idle'
      this.#idle.push(connection)
      this.#wait(connection)
    }, settings.way)
    connection.end.answered()
  }

  #open(): Connection {
    const { clock, settings } = this
    const connection = new Connection()
    connection.end = this.server.accept(() => {
      const { underway } = connection
      clock.setTimer(() => this.#closedByServer(connection, underway), settings.way)
    })
    return connection
  }

  #take(): Connection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      this.#stop(connection)
      if (this.clock.now() - connection.idleSince < this.#allowance) {
        connection.state = 'active'
        return connection
      }
      this.#retire(connection)
    }
    return undefined
  }

  get #allowance(): number {
    const { obeys, keepAliveTimeout, way } = this.settings
    const { timeout } = this.known
    const untaught = keepAliveTimeout
    return obeys && timeout !== undefined ? Math.min(timeout - automaticMargin(2 * way, 0, 0), untaught) : untaught
  }

  /** Until its time is over, if nobody takes it. */
  #wait(connection: Connection): void {
    this.#at(connection, connection.idleSince + this.#allowance, () => {
      if (this.clock.now() - connection.idleSince < this.#allowance) return this.#wait(connection)
      this.#idle.splice(this.#idle.indexOf(connection), 1)
      this.#retire(connection)
    })
  }

  /** Its time is over: closed, or watched. */
  #retire(connection: Connection): void {
    const { clock, settings } = this
    if (!settings.obeys || this.#watched !== undefined || !worthWatching(this.known, clock.now())) {
      this.#close(connection)
      return
    }
    connection.state = 'watched'
    this.#watched = connection
    this.counted.watched++
    this.#at(connection, connection.idleSince + watchTime(this.known), () => {
      this.#watched = undefined
      this.#close(connection)
    })
  }

  #close(connection: Connection): void {
    const now = this.clock.now()
    connection.state = 'closed'
    this.server.left(connection.end)
    this.#learn(outlived(this.known, now - connection.idleSince, now))
  }

  #at(connection: Connection, time: number, callback: () => void): void {
    connection.timer = this.clock.setTimer(callback, Math.max(0, time - this.clock.now()))
  }

  #stop(connection: Connection): void {
    if (connection.timer !== undefined) this.clock.clearTimer(connection.timer)
    connection.timer = undefined
  }

  #closedByServer(connection: Connection, underway: boolean): void {
    const { state, idleSince, survived } = connection
    const now = this.clock.now()
    if (state === 'closed') return
    this.#stop(connection)
    if (this.#watched === connection) this.#watched = undefined
    if (state === 'idle') this.#idle.splice(this.#idle.indexOf(connection), 1)
    connection.state = 'closed'
    // Sent before its end was seen, and lost; or it ended while the server was at work on it, which is another matter.
    const met = state === 'active' && idleSince > 0 && (underway || connection.underway)
    if (met) this.counted.met++
    if (state === 'active' && !met) return
    this.counted.closes++
    this.#learn(serverClosed(this.known, now - idleSince, now, survived))
    const { settlesAt } = this.known
    this.clock.setTimer(() => this.#learn(settle(this.known, this.clock.now())), settlesAt - now)
  }

  #learn(known: Learned): void {
    const { timeout } = this.known
    this.known = known
    if (known.timeout !== timeout) this.changes.push({ at: this.clock.now(), timeout: known.timeout })
  }
}
