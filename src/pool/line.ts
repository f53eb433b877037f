/**
 * One line of those who wait for a connection to an origin, first come first served. Nobody waits for longer than the
 * limit.
 */
import type { Agenda } from '../agenda.js'
import { AgendaItem } from '../agenda.js'
import { List } from './list.js'
import type { Waiter } from './waiter.js'

export interface LineOwner {
  /** What to refuse one with who has waited for `waited` milliseconds, which is too long. */
  timeoutError(waited: number): Error
  /** Somebody has left the line: served, refused, or gone. */
  lineShrank(): void
}

const cameEarlier = (first: Waiter, second: Waiter): boolean => first.ticket < second.ticket

export class Line extends AgendaItem {
  readonly #list = new List<Waiter>()

  /** @param timeout milliseconds that one may wait; 0: no limit */
  constructor(
    private readonly owner: LineOwner,
    private readonly agenda: Agenda,
    private readonly timeout: number,
  ) {
    super()
  }

  get size(): number {
    return this.#list.size
  }

  get first(): Waiter | undefined {
    return this.#list.first
  }

  /** Lets one with a number stand in line. One who comes again stands before all later ones. */
  enter(waiter: Waiter): void {
    // From the end: also a newcomer may have been overtaken, by one who came from within its own `acquire`.
    if (waiter.comesAgain) this.#list.insertFromStart(waiter.node, cameEarlier)
    else this.#list.insertFromEnd(waiter.node, cameEarlier)
    const deadline = waiter.waitingSince + this.timeout
    if (this.timeout > 0 && deadline < this.wakeAt) this.agenda.schedule(this, deadline)
  }

  [Symbol.iterator](): Iterator<Waiter> {
    return this.#list[Symbol.iterator]()
  }

  /** Takes the first out. The owner is not told: it is about to serve, or refuse, more than one. */
  shift(): Waiter | undefined {
    return this.#list.shift()
  }

  leave(waiter: Waiter): void {
    this.#list.remove(waiter.node)
    this.owner.lineShrank()
  }

  /** Refuses the first ones; those who come while this goes on are not among them. */
  refuse(count: number, error: Error): void {
    for (let left = count; left > 0; left--) this.shift()?.refuse(error)
    this.owner.lineShrank()
  }

  /** Nobody will come any more: there is nobody to be looked after. */
  close(): void {
    this.agenda.cancel(this)
  }

  wake(now: number): number {
    for (let due = this.#due(now); due !== undefined; due = this.#due(now)) {
      const error = this.owner.timeoutError(now - due.waitingSince)
      this.#list.remove(due.node)
      due.refuse(error)
    }
    this.owner.lineShrank()
    let next = Infinity
    for (const waiter of this.#early()) next = Math.min(next, waiter.waitingSince + this.timeout)
    return next
  }

  #due(now: number): Waiter | undefined {
    for (const waiter of this.#early()) if (now - waiter.waitingSince >= this.timeout) return waiter
    return undefined
  }

  /** Those among whom the one is that has waited for longest: the first, and while they have come again, those behind. */
  *#early(): Iterable<Waiter> {
    for (const waiter of this.#list) {
      yield waiter
      if (!waiter.comesAgain) return
    }
  }
}
