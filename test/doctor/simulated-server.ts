/**
 * A server with a known idle timeout, as the search sees it: connections, requests, ends. It counts what is asked of it.
 */
import type { IdleEnd } from '../../src/doctor/idle-evidence.js'
import type { IdleProbe } from '../../src/doctor/idle-search.js'
import type { RunningClock } from './running-clock.js'

/** Times in milliseconds. */
export interface Nature {
  /** After which an idle connection ends; Infinity: never. */
  readonly timeout: number
  readonly end: IdleEnd
  /** It looks for idle connections so often: they may end that much later. 0: they end to the millisecond. */
  readonly sweep?: number
  /** Requests on a connection. */
  readonly max?: number
  /** How long a request that meets silence is waited for. */
  readonly patience?: number
  /** From the start, when all connections are ended. */
  readonly restarts?: readonly number[]
  /** Requests, counted from the first, that are lost though their connection lives. */
  readonly lost?: readonly number[]
}

interface Held {
  idleSince: number
  requests: number
  open: boolean
  end(end: 'fin' | 'reset'): void
  /** Told when it is closed by its client. */
  closed: () => void
}

export class SimulatedServer {
  readonly #clock: RunningClock
  readonly #nature: Nature
  readonly #held = new Set<Held>()
  readonly startedAt: number
  opened = 0
  mostOpen = 0
  requests = 0

  constructor(clock: RunningClock, nature: Nature) {
    this.#clock = clock
    this.#nature = nature
    this.startedAt = clock.now()
    for (const at of nature.restarts ?? [])
      clock.setTimer(() => {
        for (const held of this.#held) held.end('fin')
      }, at)
  }

  get open(): number {
    return this.#held.size
  }

  connect = async (): Promise<IdleProbe> => {
    const clock = this.#clock
    const { max = Infinity } = this.#nature
    let told: (ended: { end: 'fin' | 'reset'; at: number }) => void
    const ended = new Promise<{ end: 'fin' | 'reset'; at: number }>((resolve) => {
      told = resolve
    })
    const held: Held = {
      idleSince: clock.now(),
      requests: 1,
      open: true,
      end: (end) => {
        held.open = false
        this.#held.delete(held)
        told({ end, at: clock.now() })
      },
      closed: () => {},
    }
    this.opened++
    this.#held.add(held)
    this.mostOpen = Math.max(this.mostOpen, this.#held.size)
    this.#watch(held)
    return {
      get idleSince() {
        return held.idleSince
      },
      get persists() {
        return held.requests < max
      },
      ended,
      ask: () => this.#ask(held),
      close: () => {
        held.open = false
        this.#held.delete(held)
        held.closed()
      },
    }
  }

  /** Closes a connection that has idled for too long, if that is what this server does. */
  #watch(held: Held): void {
    const { timeout, end, sweep = 0 } = this.#nature
    if (timeout === Infinity || (end !== 'fin' && end !== 'reset')) return
    const idleSince = held.idleSince
    const dueAt = idleSince + timeout
    const at = sweep === 0 ? dueAt : Math.ceil((dueAt - this.startedAt) / sweep) * sweep + this.startedAt
    this.#clock.setTimer(() => {
      if (held.open && held.idleSince === idleSince) held.end(end)
    }, at - this.#clock.now())
  }

  async #ask(held: Held): ReturnType<IdleProbe['ask']> {
    const { timeout, end, patience = 2_000, lost = [] } = this.#nature
    this.requests++
    if (!held.open) return { answered: false, end: 'fin' }
    const isGone = this.#clock.now() - held.idleSince > timeout
    if (isGone && end === 'reset-on-request') return { answered: false, end }
    if (isGone || lost.includes(this.requests)) {
      await new Promise<void>((resolve) => {
        held.closed = resolve
        this.#clock.setTimer(resolve, patience)
      })
      return { answered: false, end: 'silence', acknowledged: true }
    }
    held.requests++
    held.idleSince = this.#clock.now()
    this.#watch(held)
    return { answered: true }
  }
}
