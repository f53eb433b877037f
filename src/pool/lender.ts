/**
 * Lends the connections of one origin: to one who asks, if there is one to lend, and else to those in line, in their order, as
 * they come free. Sees to it that something is under way for everybody who waits, as far as the caps allow.
 *
 * Decides who is served by what; whether a connection is fit is the `Picker`'s, how many there may be the `Balance`'s business.
 */
import type { Clock } from '../clock.js'
import { type OriginState, QueueFullError } from '../errors.js'
import { isDoubtful, mustAsk } from '../keepalive/reuse.js'
import type { ResolvedOptions } from '../options/pool-options.js'
import type { CloseReason } from '../reasons.js'
import type { Balance } from './balance.js'
import type { Connection } from './connection.js'
import type { Dials } from './dials.js'
import type { Journal } from './journal.js'
import type { Keeper } from './keeper.js'
import type { Lessons } from './lessons.js'
import type { Lines } from './lines.js'
import type { Picker } from './picker.js'
import type { Stock } from './stock.js'
import type { Waiter } from './waiter.js'

export interface LenderOwner {
  /** As it stands, for the error of one who cannot even wait. */
  readonly state: OriginState
  close(connection: Connection, reason: CloseReason, error?: Error): void
  /** Takes one of the pool's slots for a dial, if there is one. */
  takeSlot(): boolean
  /** Somebody has come to stand in line. */
  lineGrew(): void
  /** Somebody has left the line. */
  lineShrank(): void
}

export interface LenderTools {
  readonly clock: Pick<Clock, 'now'>
  readonly options: Pick<ResolvedOptions, 'maxRequests' | 'maxWaiting'>
  /** New requests are refused: what comes free is closed. */
  readonly closing: boolean
  readonly slots: { readonly hasRoom: boolean; free(): void }
}

/** What it works with. */
export interface LenderParts {
  readonly journal: Journal
  readonly stock: Stock
  readonly keeper: Keeper
  readonly picker: Picker
  readonly lines: Lines
  readonly dials: Dials
  readonly balance: Balance
  readonly lessons: Lessons | undefined
}

export class Lender {
  readonly #owner: LenderOwner
  readonly #tools: LenderTools
  readonly #parts: LenderParts
  /** Those in line are served at the end of this turn. */
  #servesLater = false
  /** A connection is being handed over: one that comes back meanwhile is picked up by that loop. */
  #handing = false
  /** Those that came back meanwhile: offered anew when it is over. */
  readonly #keptMeanwhile: Connection[] = []

  constructor(owner: LenderOwner, tools: LenderTools, parts: LenderParts) {
    this.#owner = owner
    this.#tools = tools
    this.#parts = parts
  }

  /** Whether a connection that comes free now would be one too many. */
  get hasSurplus(): boolean {
    return this.#parts.balance.isSurplus(this.#handing)
  }

  /** Whether one more dial would be of use, and may be. */
  get needsSlot(): boolean {
    const { balance } = this.#parts
    return balance.wantsDial && balance.hasRoom
  }

  /** Lends a connection to one who asks, at once (then the answer is true), or has it stand in line; or refuses it. */
  lend(waiter: Waiter, now: number): boolean {
    const { lines, stock, picker } = this.#parts
    lines.number(waiter, now)
    if (lines.any.size > 0 || waiter.wantsNew) {
      this.#enqueue(waiter, false)
      return false
    }
    const spurned = this.#isDoubtfulFor(waiter, stock.idle.next, now)
    const connection = spurned ? undefined : picker.take(now)
    if (connection === undefined) {
      this.#enqueue(waiter, spurned)
      return false
    }
    this.#grant(connection, waiter, now)
    return true
  }

  /** A connection is free: for another origin that is owed its slot, for those in line, or to be kept. */
  offer(connection: Connection, now: number): void {
    const { lines, keeper, picker } = this.#parts
    if (this.hasSurplus) this.#owner.close(connection, 'surplus')
    else if (this.#handing) {
      keeper.keep(connection, now, false)
      this.#keptMeanwhile.push(connection)
    } else if (lines.any.size > 0) {
      if (mustAsk(connection, now)) picker.settle(connection)
      else this.#handOver(connection, now)
    } else if (this.#tools.closing) this.#owner.close(connection, 'pool-closed')
    else keeper.keep(connection, now, true)
  }

  /** A connection was opened: for the first who takes no other, else it is as free as any. */
  offerNew(connection: Connection, now: number): void {
    const waiter = this.#parts.lines.forNew.shift()
    if (waiter === undefined) this.offer(connection, now)
    else {
      this.#serve(connection, waiter, now)
      this.serveLine()
      this.#owner.lineShrank()
    }
  }

  /** Sees to it that something comes for everybody in line, as far as the caps allow. */
  serveLine(): void {
    const { balance, stock, dials, picker } = this.#parts
    while (balance.wantsDial && !this.#handing) {
      const { spare } = stock
      if (balance.idleServes) {
        // Only where the kernel cannot be asked: each request has one more connection looked at.
        const now = this.#tools.clock.now()
        const connection = picker.take(now)
        if (connection !== undefined) this.#handOver(connection, now)
      } else if (this.needsSlot && this.#owner.takeSlot()) {
        // Asked again: taking it may have closed another connection, and a listener of that have come here before us.
        if (this.needsSlot) dials.start()
        else this.#tools.slots.free()
      } else if (spare !== undefined && !balance.canGrow) {
        this.#owner.close(spare, 'surplus')
      } else return
    }
  }

  // --- inside --------------------------------------------------------------------------------------------------------

  /** Grants a connection to one who stood in line. */
  #serve(connection: Connection, waiter: Waiter, now: number): void {
    this.#parts.journal.served(waiter, now)
    this.#grant(connection, waiter, now)
  }

  #grant(connection: Connection, waiter: Waiter, now: number): void {
    this.#parts.stock.lend(connection)
    connection.grantedAt = connection.trustedAt = now
    connection.requests++
    this.#parts.journal.granted(connection)
    // The last one that is permitted: nothing may wait behind it.
    if (connection.remaining <= 1) connection.retire('advertised-max')
    if (connection.requests >= this.#tools.options.maxRequests) connection.retire('max-requests')
    try {
      waiter.grant(connection, now)
    } catch (error) {
      this.#owner.close(connection, 'error', error as Error)
      waiter.refuse(error as Error)
    }
  }

  /** Whether a waiter is better served by a connection that is opened for it, and one can be. */
  #isDoubtfulFor(waiter: Waiter, connection: Connection | undefined, now: number): boolean {
    const { balance, lessons, stock } = this.#parts
    return (
      connection !== undefined &&
      isDoubtful(connection, connection.link.provable, now) &&
      balance.hasRoom &&
      this.#tools.slots.hasRoom &&
      waiter.prefersNew() &&
      !lessons?.clears(connection, stock.idle.oldest, now)
    )
  }

  /** @param dials whether to open a connection for it though others are idle */
  #enqueue(waiter: Waiter, dials: boolean): void {
    const { lines, stock, journal } = this.#parts
    const { maxWaiting } = this.#tools.options
    if (!waiter.comesAgain && lines.size >= maxWaiting) {
      waiter.refuse(new QueueFullError(this.#owner.state, maxWaiting))
      return
    }
    lines.enter(waiter)
    if (dials && this.#owner.takeSlot()) this.#parts.dials.start()
    this.#owner.lineGrew()
    journal.waits(waiter, lines.size)
    if (waiter.patient && stock.open.size > stock.unused) this.#serveLater()
    else this.serveLine()
  }

  /**
   * Hands a connection to the first in line. A request that fails at once gives it back while this runs, and the next in
   * line gets it then: a loop, where recursion would be as deep as the line is long.
   */
  #handOver(connection: Connection, now: number): void {
    const { lines, stock, picker } = this.#parts
    this.#handing = true
    for (let free: Connection | undefined = connection; free !== undefined; ) {
      const waiter = lines.any.shift()
      if (waiter === undefined) {
        this.offer(free, now) // the last one left the line while it was looked for
        break
      }
      this.#serve(free, waiter, now)
      free = lines.any.size === 0 ? undefined : picker.take(now)
    }
    this.#handing = false
    if (this.#keptMeanwhile.length > 0)
      for (const kept of this.#keptMeanwhile.splice(0))
        if (kept.state === 'idle') {
          stock.idle.remove(kept)
          this.offer(kept, now)
        }
    this.serveLine()
    this.#owner.lineShrank()
  }

  #serveLater(): void {
    if (this.#servesLater) return
    this.#servesLater = true
    queueMicrotask(() => {
      this.#servesLater = false
      this.serveLine()
    })
  }
}
