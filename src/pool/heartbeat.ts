/**
 * An appointment with nobody, kept while connections are open: how late it is kept is the event loop's lag, and where it is
 * missed by far, the process has slept. So has it where the world's time went on without the process's own: Linux stops the
 * monotonic clock while the machine is suspended, and a virtual machine may be stopped with all of its clocks but the one that
 * is set anew afterwards.
 */
import { AgendaItem } from '../agenda.js'
import type { Clock } from '../clock.js'

/** Milliseconds between two beats. */
const HEARTBEAT = 1000

/** Milliseconds of which the process knows nothing, after which it does not trust what it knew before. */
const LONG_SLEEP = 5000

export class Heartbeat extends AgendaItem {
  #beatAt = 0
  #wallTime = 0

  /** @param slept is called after a long sleep */
  constructor(
    private readonly clock: Clock,
    private readonly slept: (now: number) => void,
  ) {
    super()
  }

  /** Starts anew. Returns when to be woken. */
  begin(): number {
    return this.#beat(this.clock.now(), this.clock.wallTime())
  }

  wake(now: number): number {
    const wallTime = this.clock.wallTime()
    const passed = Math.max(now - this.#beatAt, wallTime - this.#wallTime)
    const next = this.#beat(now, wallTime)
    if (passed >= HEARTBEAT + LONG_SLEEP) this.slept(now)
    return next
  }

  #beat(now: number, wallTime: number): number {
    this.#beatAt = now
    this.#wallTime = wallTime
    return now + HEARTBEAT
  }
}
