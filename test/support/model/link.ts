/**
 * A link of the model: its kernel's answer follows the clock, remembers since when something is wrong, and hears of the
 * server's FIN before anybody else does. Its peer may fall silent, where there is one that the kernel asks.
 */
import type { AppliedLiveness } from '../../../src/liveness/settings.js'
import type { KernelView } from '../../../src/liveness/tcp-info.js'
import type { Signs } from '../../../src/liveness/vital-signs.js'
import type { Connection } from '../../../src/pool/connection.js'
import type { LinkEnding } from '../../../src/wire/link.js'
import { FakeLink, healthy } from '../fake-links.js'
import type { ManualClock } from '../manual-clock.js'
import type { ModelPeer } from './peer.js'

export class ModelLink extends FakeLink {
  /** When the last data arrived in the kernel. */
  lastDataAt: number
  /** In which step the kernel learned of a fault. */
  faultStep = 0
  /** In this millisecond somebody had looked at it, and then came the fault: nobody needs to look again. */
  excusedAt = -1
  #inspectedAt = -1
  /** When the server's FIN arrives; Infinity while the server means to keep it. */
  closesAt = Infinity
  /** The request that is on it left when the server had closed: nobody will answer it. */
  crossed = false
  /** It has ended by itself. */
  isBroken = false
  /** Called before the pool hears of its end. */
  whenEnding: ((connection: Connection, link: ModelLink) => void) | undefined
  /** Called when its peer is asked out of turn. */
  whenAsked: ((connection: Connection) => void) | undefined

  constructor(
    private readonly clock: ManualClock,
    hasKernel: boolean,
    remoteAddress: string,
    /** Undefined where nobody asks it anything. */
    readonly mortal: ModelPeer | undefined = undefined,
  ) {
    super(hasKernel ? healthy({ rtt: 2, rttVariance: 1 }) : undefined, remoteAddress)
    this.lastDataAt = clock.now()
    if (mortal !== undefined) this.liveness = tunedTo(mortal)
  }

  override inspect(): KernelView | undefined {
    this.#inspectedAt = this.clock.now()
    this.#look()
    return super.inspect()
  }

  override signs(): Signs | undefined {
    return this.destroyed ? undefined : this.mortal?.signs()
  }

  override ask(): boolean {
    const { mortal, connection } = this
    if (mortal === undefined) return false
    mortal.ask()
    if (connection !== undefined) this.whenAsked?.(connection)
    return true
  }

  override askAsUsual(): void {
    this.mortal?.askAsUsual()
  }

  /** Nothing gets through. */
  get silent(): boolean {
    return this.mortal?.silent === true
  }

  /** Things get through again, the server's FIN at once. */
  mend(step: number): void {
    const { mortal, clock } = this
    if (mortal === undefined) return
    mortal.mend()
    if (this.closesAt > clock.now()) return
    this.closesAt = clock.now()
    this.hasFault(step)
    mortal.received(clock.now())
  }

  /** The kernel has learned of a fault. */
  hasFault(step: number): void {
    this.faultStep = step
    if (this.#inspectedAt === this.clock.now()) this.excusedAt = this.clock.now()
  }

  #look(): void {
    const { kernel, mortal } = this
    if (kernel === undefined) return
    kernel.sinceLastData = this.clock.now() - this.lastDataAt
    if (mortal !== undefined) Object.assign(kernel, asSeen(mortal.signs()))
    if (this.hasFin || mortal?.isGivenUp) kernel.established = false
  }

  /** The server's FIN is here, whether anybody has read it or not. */
  get hasFin(): boolean {
    return this.clock.now() >= this.closesAt && !this.silent
  }

  /** What the kernel says of it, where there is one. */
  get fin(): Pick<LinkEnding, 'finAge' | 'silence'> {
    if (!this.hasFin || this.kernel === undefined) return { finAge: undefined, silence: undefined }
    return { finAge: this.clock.now() - this.closesAt, silence: this.closesAt - this.lastDataAt }
  }

  /** Something that the kernel has against it. */
  get faulty(): boolean {
    if (this.kernel === undefined) return false
    this.#look()
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

  override breaks(ending?: Partial<LinkEnding>): void {
    this.isBroken = true
    super.breaks(ending)
  }

  override report(): void {
    this.#tell()
    super.report()
  }

  #tell(): void {
    if (this.connection !== undefined) this.whenEnding?.(this.connection, this)
  }
}

const asSeen = ({ probes, retransmits, rtt, rttVariance }: Signs): Partial<KernelView> => ({
  ...{ probes, retransmits, rtt, rttVariance },
})

function tunedTo({ patience }: ModelPeer): AppliedLiveness {
  return { enabled: true, ...patience, retransmitInterval: undefined, userTimeout: 0, source: 'kernel' }
}

export const modelLinkOf = (connection: Connection): ModelLink => connection.link as ModelLink
