/**
 * What is wanted of one origin, and what is there or on its way: the counting behind each decision to dial, to hold back,
 * or to close one connection for another. Reads only.
 */
import type { ResolvedOptions } from '../options/pool-options.js'
import type { Dials } from './dials.js'
import type { Lines } from './lines.js'
import type { Stock } from './stock.js'

export class Balance {
  constructor(
    private readonly lines: Lines,
    private readonly stock: Stock,
    private readonly dials: Dials,
    private readonly caps: { readonly options: Pick<ResolvedOptions, 'maxConnections'> },
  ) {}

  /** Connections open or being opened. */
  get size(): number {
    return this.stock.open.size + this.dials.count
  }

  /** Whether the origin's own cap leaves room for one more connection. */
  get hasRoom(): boolean {
    return this.size < this.caps.options.maxConnections
  }

  /** Whether there are more than its own cap allows: it was lowered. */
  get isOver(): boolean {
    return this.size > this.caps.options.maxConnections
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
