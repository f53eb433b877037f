/**
 * A link of the model: its kernel's answer follows the clock, and remembers since when something is wrong.
 */
import type { KernelView } from '../../../src/liveness/tcp-info.js'
import type { Connection } from '../../../src/pool/connection.js'
import { FakeLink, healthy } from '../fake-links.js'
import type { ManualClock } from '../manual-clock.js'

export class ModelLink extends FakeLink {
  /** When the last data arrived in the kernel. */
  lastDataAt: number
  /** In which step the kernel learned of a fault. */
  faultStep = 0

  constructor(
    private readonly clock: ManualClock,
    hasKernel: boolean,
  ) {
    super(hasKernel ? healthy({ rtt: 2, rttVariance: 1 }) : undefined)
    this.lastDataAt = clock.now()
  }

  override inspect(): KernelView | undefined {
    if (this.kernel !== undefined) this.kernel.sinceLastData = this.clock.now() - this.lastDataAt
    return super.inspect()
  }

  /** Something that the kernel has against it. */
  get faulty(): boolean {
    if (this.kernel === undefined) return false
    const { established, unread, probes, retransmits } = this.kernel
    return !established || unread + probes + retransmits > 0
  }
}

export const modelLinkOf = (connection: Connection): ModelLink => connection.link as ModelLink
