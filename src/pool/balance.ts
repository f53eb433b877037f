/**
 * What is wanted of one origin, and what is there or on its way: the counting behind each decision to dial, to hold back,
 * or to close one connection for another. Reads only.
 */
import type { ResolvedOptions } from '../options/pool-options.js'
import type { Dials } from './dials.js'
import type { Lines } from './lines.js'
import type { Stock } from './stock.js'

/** An origin, as far as others have to do with it that share the cap on the whole pool. */
export interface Claimant {
  readonly size: number
  /** Since when somebody waits; undefined where nobody does. */
  readonly waitingSince: number | undefined
}

export interface Caps {
  readonly options: Pick<ResolvedOptions, 'maxConnections'>
  readonly slots: {
    /** The origin that gets the next slot of the pool's. */
    readonly next: Claimant | undefined
    readonly isOver: boolean
  }
}

export class Balance {
  constructor(
    private readonly origin: Claimant,
    private readonly lines: Lines,
    private readonly stock: Stock,
    private readonly dials: Dials,
    private readonly caps: Caps,
  ) {}

  /** Connections open or being opened. */
  get size(): number {
    return this.stock.open.size + this.dials.count
  }

  /** Whether the origin's own cap leaves room for one more connection. */
  get hasRoom(): boolean {
    return this.size < this.caps.options.maxConnections
  }

  /** Whether the caps leave room for one more connection, as far as this origin knows. */
  get canGrow(): boolean {
    return this.hasRoom && this.caps.slots.next !== this.origin
  }

  /** Whether there are more than a cap allows: it was lowered. */
  get isOver(): boolean {
    return this.size > this.caps.options.maxConnections || this.caps.slots.isOver
  }

  /**
   * Whether a connection that comes free is one too many here: for a cap, for another origin, or for one who insists on a new
   * connection.
   *
   * @param handing whether another one is just being handed over, which may be followed by a dial
   */
  isSurplus(handing: boolean): boolean {
    return this.isOver || this.#owesSlot || (this.isShortOfNew && !handing && !this.canGrow)
  }

  /** Whether a slot is to go elsewhere: to any that needs it if nobody waits here, else to one that has none at all. */
  get #owesSlot(): boolean {
    const { next } = this.caps.slots
    if (next === undefined || next === this.origin) return false
    // One that insists on a new connection has no use for this one.
    const own = this.lines.any.first
    if (own === undefined) return true
    return next.size === 0 && next.waitingSince !== undefined && next.waitingSince < own.waitingSince
  }

  /** Connections that will be free without anybody's doing: dials, and idle ones that are being looked at. */
  get supply(): number {
    return this.dials.count + this.stock.settling
  }

  /** Whether more are in line than connections are under way. */
  get isShort(): boolean {
    return this.supply < this.lines.size
  }

  /** Whether more insist on a new connection than are being opened. */
  get isShortOfNew(): boolean {
    return this.dials.count < this.lines.forNew.size
  }

  /** Whether one more dial would be of use. */
  get wantsDial(): boolean {
    return this.isShort || this.isShortOfNew
  }

  /** Whether each of the dials is still of use, those that were asked for ahead of need apart. */
  get wantsAllDials(): boolean {
    const { count, warming } = this.dials
    return this.supply <= this.lines.size + warming || count <= this.lines.forNew.size + warming
  }

  /** Whether somebody in line could be served by what is idle. */
  get idleServes(): boolean {
    return this.stock.idle.size > 0 && this.lines.any.size > 0 && !this.isShortOfNew
  }
}
