/**
 * Keeps the connections of one origin that nobody has: decides how long each may stay, and when that is over has it closed,
 * or watched. Closes nothing itself.
 */

import type { Agenda } from '../agenda.js'
import { expired, idleAllowance, idleDeadline } from '../keepalive/expiry.js'
import type { ResolvedOptions } from '../options/pool-options.js'
import type { CloseReason } from '../reasons.js'
import type { Connection } from './connection.js'
import type { Journal } from './journal.js'
import type { Lesson } from './lesson.js'
import { type Lessons, watchUntil } from './lessons.js'
import type { Stock } from './stock.js'

export interface KeeperOwner {
  /** Whether a connection may stay that nobody is to use: not where its place is needed, or nobody would see the answer. */
  readonly mayWatch: boolean
  close(connection: Connection, reason: CloseReason): void
}

export interface KeeperTools {
  readonly agenda: Agenda
  readonly options: Pick<ResolvedOptions, 'maxIdleConnections'>
}

export class Keeper {
  constructor(
    private readonly owner: KeeperOwner,
    private readonly tools: KeeperTools,
    private readonly journal: Journal,
    private readonly stock: Stock,
    private readonly lessons: Lessons | undefined,
  ) {}

  /**
   * Keeps a connection that may be lent, until its idle time is over.
   *
   * @param capped whether it counts among those that may idle: not if it is about to be handed over
   */
  keep(connection: Connection, now: number, capped: boolean): void {
    const { agenda } = this.tools
    connection.reused = true
    this.stock.keep(connection)
    if (capped) this.trim()
    if (connection.state !== 'idle') return
    const deadline = idleDeadline(connection)
    if (deadline < connection.wakeAt) agenda.schedule(connection, deadline)
    this.journal.idle(connection, now)
  }

  /** Ends the use of a connection that is whole: has it closed, or keeps it only to see when the server does. */
  expel(connection: Connection, reason: CloseReason, now: number): void {
    const { closeReason, link } = connection
    const mayStay = closeReason === undefined && !link.destroyed && this.owner.mayWatch
    const until = mayStay ? this.lessons?.watch(connection, reason, now) : undefined
    if (until === undefined) this.owner.close(connection, closeReason ?? reason)
    else {
      const wasActive = connection.state === 'active'
      this.stock.watch(connection)
      if (wasActive) this.journal.idle(connection, now)
      if (until < connection.wakeAt) this.tools.agenda.schedule(connection, until)
    }
  }

  /** Ends the use of a connection that has idled for long enough, or its watch; or says when to look again. */
  wake(connection: Connection, now: number): number {
    switch (connection.state) {
      case 'idle':
        return this.#wakeIdle(connection, now)
      case 'suspect':
        return this.#wakeSuspect(connection, now)
      case 'watched':
        return this.#wakeWatched(connection, now)
      default:
        // It cannot expire before it was idle, and then it may idle from a moment that is still to come.
        return now + Math.max(1, idleAllowance(connection))
    }
  }

  /** An idle time has changed: those that idle already are looked at again when it is over. */
  learned(lesson: Lesson): void {
    const { agenda } = this.tools
    for (const connection of this.stock.idle)
      if (connection.lesson === lesson && idleDeadline(connection) < connection.wakeAt)
        agenda.schedule(connection, idleDeadline(connection))
    this.journal.learned(lesson)
  }

  #wakeIdle(connection: Connection, now: number): number {
    const reason = expired(connection, now)
    if (reason === undefined) return idleDeadline(connection)
    this.expel(connection, reason, now)
    return connection.wakeAt
  }

  #wakeSuspect(connection: Connection, now: number): number {
    const reason = expired(connection, now)
    if (reason === undefined) return idleDeadline(connection)
    this.owner.close(connection, reason)
    return Infinity
  }

  #wakeWatched(connection: Connection, now: number): number {
    const until = watchUntil(connection)
    if (now < until) return until
    // What was learned may have been unlearned meanwhile: then it is only not worth its place any more.
    this.owner.close(connection, expired(connection, now) ?? 'idle-timeout')
    return connection.wakeAt
  }

  /** Has closed what is idle beyond the cap. */
  trim(): void {
    const { idle } = this.stock
    while (idle.size > this.tools.options.maxIdleConnections) this.owner.close(idle.oldest as Connection, 'surplus')
  }
}
