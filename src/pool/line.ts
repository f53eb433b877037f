/**
 * Those who wait for a connection to one origin, first come first served. Nobody waits for longer than the limit.
 */
import type { Agenda } from './agenda.js'
import { AgendaItem } from './agenda.js'
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
  #lastTicket = 0

  /**
   * @param limit how many may wait
   * @param timeout milliseconds that one may wait; 0: no limit
   */
  constructor(
    private readonly owner: LineOwner,
    private readonly agenda: Agenda,
    private readonly limit: number,
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

  /** Gives a number to one who comes for the first time; whoever comes again keeps it, and the time it stands for. */
  number(waiter: Waiter, now: number): void {
    waiter.comesAgain = waiter.ticket > 0
    if (waiter.comesAgain) return
    waiter.ticket = ++this.#lastTicket
    waiter.waitingSince = now
  }

  /** Lets one with a number stand in line; false if the line is full. One who comes again stands before all later ones. */
  enter(waiter: Waiter): boolean {
    // From the end: also a newcomer may have been overtaken, by one who came from within its own `acquire`.
    if (waiter.comesAgain) this.#list.insertFromStart(waiter.node, cameEarlier)
    else if (this.size < this.limit) this.#list.insertFromEnd(waiter.node, cameEarlier)
    else return false
    const deadline = waiter.waitingSince + this.timeout
    if (this.timeout > 0 && deadline < this.wakeAt) this.agenda.schedule(this, deadline)
    return true
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
    for (let left = count; left > 0; left--) this.shift()?.refused(error)
    this.owner.lineShrank()
  }

  wake(now: number): number {
    for (let waiter = this.first; waiter !== undefined; waiter = this.first) {
      const waited = now - waiter.waitingSince
      if (waited < this.timeout) return waiter.waitingSince + this.timeout
      const error = this.owner.timeoutError(waited)
      this.shift()
      waiter.refused(error)
    }
    this.owner.lineShrank()
    return Infinity
  }
}
