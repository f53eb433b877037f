/**
 * The dials of one origin: a queue that opens only so many connections at once, each dial with a slot of its own from
 * before it is queued until it has become a connection or failed.
 *
 * Binding is late: a dial belongs to no request. One whose turn comes when nobody needs it any more is dropped.
 */
import PQueue from 'p-queue'
import type { Clock } from '../clock.js'
import type { Dialer, Dialing, Link, Target } from '../wire/link.js'
import type { Attempt } from './journal.js'

export interface DialOwner {
  readonly target: Target
  /** A dial is about to start. */
  dialBegins(): Attempt
  /** Whether a dial that is about to start is still of use. */
  dialWanted(): boolean
  /** How the first one in line would have it dialed; undefined for as usual. */
  readonly dialer: Dialer | undefined
  /** A dial has ended, and is no longer counted: with a link, with an error, or dropped or cancelled (neither). */
  dialEnded(outcome: DialOutcome): void
}

interface DialResult {
  readonly link?: Link
  readonly error?: Error
}

export interface DialOutcome extends DialResult {
  /** Undefined for one that was dropped. */
  readonly attempt: Attempt | undefined
  /** What all were cancelled with while it was under way. */
  readonly cancelled: Error | undefined
  /** Milliseconds it took. */
  readonly elapsed: number
}

/** Told how a dial ended that was asked for ahead of need. */
export type WarmCallback = (error: Error | undefined) => void

export class Dials {
  /** Under way or queued. */
  count = 0
  /** Of these, asked for ahead of need. */
  warming = 0
  readonly #owner: DialOwner
  readonly #dial: Dialer
  readonly #clock: Clock
  readonly #concurrency: number
  readonly #running = new Set<Dialing>()
  #queue: PQueue | undefined
  /** Counts cancellations: a queued dial of an earlier generation does not start. */
  #generation = 0
  #cancelled: Error | undefined

  constructor(owner: DialOwner, dial: Dialer, clock: Clock, concurrency: number) {
    this.#owner = owner
    this.#dial = dial
    this.#clock = clock
    this.#concurrency = concurrency
  }

  /** Opens a connection when its turn comes. */
  start(warm?: WarmCallback): void {
    this.count++
    if (warm !== undefined) this.warming++
    this.#queue ??= new PQueue({ concurrency: this.#concurrency })
    const generation = this.#generation
    void this.#queue.add(() => this.#run(generation, warm))
  }

  /** Gives up all of them, queued ones included: each ends with the error. */
  cancel(error: Error): void {
    this.#generation++
    this.#cancelled = error
    for (const dialing of this.#running) dialing.cancel(error)
  }

  async #run(generation: number, warm: WarmCallback | undefined): Promise<void> {
    const startedAt = this.#clock.now()
    const wanted = generation === this.#generation && (warm !== undefined || this.#owner.dialWanted())
    const attempt = wanted ? this.#owner.dialBegins() : undefined
    const result = attempt === undefined ? {} : await this.#dialed(attempt)
    const cancelled = generation === this.#generation || result.link !== undefined ? undefined : this.#cancelled
    this.count--
    if (warm !== undefined) this.warming--
    const elapsed = this.#clock.now() - startedAt
    this.#owner.dialEnded({ ...(cancelled === undefined && result), attempt, cancelled, elapsed })
    warm?.(cancelled ?? result.error)
  }

  #dialed({ trace }: Attempt): Promise<DialResult> {
    return new Promise<DialResult>((resolve) => {
      const dial = this.#owner.dialer ?? this.#dial
      const begin = (): Dialing =>
        dial(this.#owner.target, (error, link) => {
          this.#running.delete(dialing)
          resolve(error === null ? { link: link as Link } : { error })
        })
      const dialing = trace === undefined ? begin() : trace.run(begin)
      this.#running.add(dialing)
    }).catch((error: Error) => ({ error })) // what net.connect refuses outright: a local address that is none
  }
}
