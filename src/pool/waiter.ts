/**
 * Someone who wants a connection: the pool's side of a request. Settled exactly once for each `acquire`, by `granted`
 * or by `refused`, or never when it is cancelled. `refused` must not throw.
 */
import type { AcquireMessage } from '../channels.js'
import type { Dialer } from '../wire/link.js'
import type { Connection } from './connection.js'
import { ListNode } from './list.js'
import type { Trace } from './trace.js'

export abstract class Waiter {
  /** Its place in an origin's line; made when it first has to stand in one. */
  #node: ListNode<Waiter> | undefined
  /**
   * Since when it waits, on the pool's clock, and its number; both kept when it has to wait a second time. One that was served
   * in between may set the time anew.
   */
  waitingSince = -1
  /** When it asked last. */
  askedAt = -1
  ticket = 0
  comesAgain = false
  hasWaited = false
  /** Only a connection that is opened from now on will do. */
  wantsNew = false
  /** Those that are in use may come free within this turn of the event loop: none is opened for it before it is over. */
  readonly patient: boolean = false
  /** Tells how it gets its connection; undefined where nobody wants to know. */
  #trace: Trace<AcquireMessage> | undefined = undefined

  get node(): ListNode<Waiter> {
    this.#node ??= new ListNode<Waiter>(this)
    return this.#node
  }

  /**
   * Whether a new connection would suit it better than one that the server may be about to close. Asked only where that is
   * the choice.
   */
  prefersNew(): boolean {
    return false
  }

  /** How a connection is to be opened for it, where it has a way of its own. */
  get dialer(): Dialer | undefined {
    return undefined
  }

  /** Asks for a connection, and has it told how it gets one. */
  traced<Result>(trace: Trace<AcquireMessage>, acquire: () => Result): Result {
    this.#trace = trace
    return trace.run(acquire)
  }

  /** Gives it a connection. */
  grant(connection: Connection, now: number): void {
    if (this.#trace === undefined) this.granted(connection)
    else {
      const { reused } = connection
      const outcome = { connection: connection.snapshot(now), reused, waited: now - this.askedAt }
      this.#untraced()?.end(outcome, () => this.granted(connection))
    }
  }

  /** Gives it an error in place of one. */
  refuse(error: Error): void {
    if (this.#trace === undefined) this.refused(error)
    else this.#untraced()?.end({ error }, () => this.refused(error))
  }

  /** It has left the line. */
  gone(): void {
    this.#untraced()?.giveUp()
  }

  #untraced(): Trace<AcquireMessage> | undefined {
    const trace = this.#trace
    this.#trace = undefined
    return trace
  }

  /** It has a connection, active and its own until it releases or discards it. */
  protected abstract granted(connection: Connection): void

  /** It gets none. */
  protected abstract refused(error: Error): void
}
