/**
 * A server that closes idle connections by a timer, and says nothing of it: one backend or several behind one address.
 */
import type { TimerHandle } from '../../../src/clock.js'
import type { ManualClock } from '../manual-clock.js'
import type { Random } from '../random.js'

export interface ServerSettings {
  /** The idle timer of each backend, in milliseconds; a connection goes to any of them. Infinity: it has none. */
  readonly timeouts: readonly number[]
  /** Timers are up to so much late. */
  readonly jitter?: number
  /** It looks through its connections once in so many milliseconds. */
  readonly tick?: number
  /** It closes a connection at a random age of up to twice this. */
  readonly lifetime?: number
  /** It closes a connection after so many responses. */
  readonly requests?: number
}

export class ModelServer {
  readonly #open = new Set<ServerEnd>()

  constructor(
    readonly clock: ManualClock,
    readonly random: Random,
    /** May be replaced on the way: holds for timers that start from then on. */
    public settings: ServerSettings,
  ) {}

  /** @param closed called when the server closes the connection */
  accept(closed: () => void): ServerEnd {
    const backend = this.random.below(this.settings.timeouts.length)
    const end: ServerEnd = new ServerEnd(this, backend, () => {
      this.#open.delete(end)
      closed()
    })
    this.#open.add(end)
    return end
  }

  /** The client has closed its end. */
  left(end: ServerEnd): void {
    end.stop()
    this.#open.delete(end)
  }

  /** Closes everything, or a part of it. */
  restart(percent = 100): void {
    for (const end of [...this.#open]) if (this.random.percent(percent)) end.close()
  }
}

/** The server's end of a connection. */
export class ServerEnd {
  closed = false
  #answered = 0
  #idle: TimerHandle | undefined
  readonly #life: TimerHandle | undefined

  constructor(
    readonly server: ModelServer,
    private readonly backend: number,
    private readonly onClose: () => void,
  ) {
    const { clock, random, settings } = server
    const { lifetime } = settings
    if (lifetime !== undefined) this.#life = clock.setTimer(() => this.close(), 2 * lifetime * random.next())
  }

  /** A request has come. */
  asked(): void {
    this.#stopIdle()
  }

  /** Its response has left: the timer starts. */
  answered(): void {
    const { clock, random, settings } = this.server
    const { timeouts, jitter = 0, tick = 1, requests = Infinity } = settings
    const due = clock.now() + (timeouts[this.backend] ?? Infinity) + Math.floor((jitter + 1) * random.next())
    if (this.closed) return
    if (++this.#answered >= requests) this.close()
    else if (due < Infinity) this.#idle = clock.setTimer(() => this.close(), Math.ceil(due / tick) * tick - clock.now())
  }

  close(): void {
    if (this.closed) return
    this.stop()
    this.onClose()
  }

  stop(): void {
    this.closed = true
    this.#stopIdle()
    if (this.#life !== undefined) this.server.clock.clearTimer(this.#life)
  }

  #stopIdle(): void {
    if (this.#idle !== undefined) this.server.clock.clearTimer(this.#idle)
    this.#idle = undefined
  }
}
