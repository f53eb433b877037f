/**
 * A link of the model: its kernel's answer follows the clock, remembers since when something is wrong, and hears of the
 * server's FIN before anybody else does.
 */
import type { KernelView } from '../../../src/liveness/tcp-info.js'
import type { Connection } from '../../../src/pool/connection.js'
import type { LinkEnding } from '../../../src/wire/link.js'
import { FakeLink, healthy } from '../fake-links.js'
import type { ManualClock } from '../manual-clock.js'

export class ModelLink extends FakeLink {
  /** When the last data arrived in the kernel. */
  lastDataAt: number
  /** In which step the kernel learned of a fault. */
  faultStep = 0
  /** When the server's FIN arrives; Infinity while the server means to keep it. */
  closesAt = Infinity
  /** The request that is on it left when the server had closed: nobody will answer it. */
  crossed = false
  /** Called before the pool hears of its end. */
  whenEnding: ((connection: Connection, link: ModelLink) => void) | undefined

  constructor(
    private readonly clock: ManualClock,
    hasKernel: boolean,
    remoteAddress: string,
  ) {
    super(hasKernel ? healthy({ rtt: 2, rttVariance: 1 }) : undefined, remoteAddress)
    this.lastDataAt = clock.now()
  }

  override inspect(): KernelView | undefined {
    if (this.kernel !== undefined) {
      this.kernel.sinceLastData = this.clock.now() - this.lastDataAt
      if (this.hasFin) this.kernel.established = false
    }
    return super.inspect()
  }

  /** The server's FIN is here, whether anybody has read it or not. */
  get hasFin(): boolean {
    return this.clock.now() >= this.closesAt
  }

  /** What the kernel says of it, where there is one. */
  get fin(): Pick<LinkEnding, 'finAge' | 'silence'> {
    if (!this.hasFin || this.kernel === undefined) return { finAge: undefined, silence: undefined }
    return { finAge: this.clock.now() - this.closesAt, silence: this.closesAt - this.lastDataAt }
  }

  /** Something that the kernel has against it. */
  get faulty(): boolean {
    if (this.kernel === undefined) return false
    const { established, unread, probes, retransmits } = this.kernel
    return !established || this.hasFin || unread + probes + retransmits > 0
  }

  /** Its connection, until the pool knows of its end. */
  get connection(): Connection | undefined {
    return this.owner as Connection | undefined
  }

  /** The pool closes it: the last look at it says whether a FIN was there. */
  override destroy(error?: Error): void {
    if (!this.destroyed) this.ending = { error, fin: false, ...this.fin, signs: undefined }
    this.#tell()
    super.destroy(error)
  }

  override report(): void {
    this.#tell()
    super.report()
  }

  #tell(): void {
    if (this.connection !== undefined) this.whenEnding?.(this.connection, this)
  }
}

export const modelLinkOf = (connection: Connection): ModelLink => connection.link as ModelLink
