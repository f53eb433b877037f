/**
 * All who wait for a connection to one origin, in two lines: those whom any connection serves, and those who take nothing
 * but one that is opened from now on. Numbers them as they come, across both.
 */
import type { Agenda } from '../agenda.js'
import { Line, type LineOwner } from './line.js'
import type { Waiter } from './waiter.js'

export class Lines {
  /** Those whom any connection serves. */
  readonly any: Line
  /** Those who take nothing but a connection that is opened from now on. */
  readonly forNew: Line
  #lastTicket = 0

  /** @param timeout milliseconds that one may wait; 0: no limit */
  constructor(owner: LineOwner, agenda: Agenda, timeout: number) {
    this.any = new Line(owner, agenda, timeout)
    this.forNew = new Line(owner, agenda, timeout)
  }

  get size(): number {
    return this.any.size + this.forNew.size
  }

  /** Who is to have the next connection that is opened. */
  get first(): Waiter | undefined {
    return this.forNew.first ?? this.any.first
  }

  /** Gives a number to one who comes for the first time; whoever comes again keeps it, and the time it stands for. */
  number(waiter: Waiter, now: number): void {
    waiter.comesAgain = waiter.ticket > 0
    if (waiter.comesAgain) return
    waiter.ticket = ++this.#lastTicket
    waiter.waitingSince = now
  }

  /** Lets one with a number stand in the line that it belongs to. */
  enter(waiter: Waiter): void {
    this.#of(waiter).enter(waiter)
  }

  leave(waiter: Waiter): void {
    this.#of(waiter).leave(waiter)
  }

  /** Refuses all who stand in line now. */
  refuse(error: Error): void {
    for (const line of [this.any, this.forNew]) line.refuse(line.size, error)
  }

  /** Nobody will come any more. */
  close(): void {
    for (const line of [this.any, this.forNew]) line.close()
  }

  #of(waiter: Waiter): Line {
    return waiter.wantsNew ? this.forNew : this.any
  }
}
