/**
 * A request of the model, from its arrival to its end; it may need more than one connection.
 */
import type { Connection } from '../../../src/pool/connection.js'
import type { OriginPool } from '../../../src/pool/origin-pool.js'
import { Waiter } from '../../../src/pool/waiter.js'

/** What a request does within its grant or its refusal, and how often there is one that does. */
export const HABITS = { none: 80, 'gives back at once': 6, retries: 10, 'cancels another': 4 } as const

/** How often it is sent again. */
export const MOST_REPLAYS = 2

export interface RequestOwner {
  granted(request: ModelRequest, connection: Connection): void
  refused(request: ModelRequest, error: NodeJS.ErrnoException): void
}

export class ModelRequest extends Waiter {
  /** `dying`: its connection has ended under it, and what became of it is not known yet. */
  state: 'waiting' | 'granted' | 'dying' | 'over' = 'waiting'
  connection: Connection | undefined
  /** The connection it was granted last, though it may have left it. */
  latest: Connection | undefined
  written = false
  /** It has insisted on a second look at its connection. */
  insisted = false
  /** Nothing was wanted of it any more: the line was full, or the pool destroyed. */
  turnedAway = false
  /** It had to wait, at least once. */
  waited = false
  replays = 0

  constructor(
    private readonly owner: RequestOwner,
    /** Counts up in the order of arrival. */
    readonly number: number,
    readonly origin: OriginPool,
    readonly habit: keyof typeof HABITS,
    /** It must not be repeated. */
    readonly careful: boolean,
  ) {
    super()
  }

  override prefersNew(): boolean {
    return this.careful
  }

  granted(connection: Connection): void {
    this.owner.granted(this, connection)
  }

  refused(error: Error): void {
    this.owner.refused(this, error)
  }
}
