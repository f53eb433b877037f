/**
 * A link over a real socket (net or TLS): tuned when it is made, asked through its descriptor, watched for its end.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Clock } from '../clock.js'
import { askAtOnce } from '../liveness/ask.js'
import type { Native } from '../liveness/native.js'
import type { LivenessPlan } from '../liveness/presets.js'
import { type AppliedLiveness, applyLiveness, restoreLiveness } from '../liveness/settings.js'
import { hasFin, type KernelTally, type KernelView, type TcpInfoReader } from '../liveness/tcp-info.js'
import type { Signs } from '../liveness/vital-signs.js'
import type { Evidence } from '../replay/verdict.js'
import { descriptorOf, wireOf } from './handle.js'
import { destroyAfter, forgoLastLook, takeLastLook } from './last-look.js'
import type { Link, LinkEnding, LinkOwner } from './link.js'
import { type WireCount, Witness } from './witness.js'

/** How links of one pool are tuned and asked. */
export interface LinkTools {
  readonly plan: LivenessPlan
  readonly clock: Clock
  readonly native: Native | undefined
  readonly tcpInfo: TcpInfoReader | undefined
}

/** Leads from a socket to its link, so that all sockets can share their listeners: an idle connection is to be small. */
const LINK = Symbol('keepwise link')

type LinkedSocket = Socket & { [LINK]: SocketLink }

export class SocketLink implements Link {
  readonly localPort: number | undefined
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly liveness: AppliedLiveness
  readonly provable: boolean
  owner: LinkOwner | undefined = undefined
  readonly #tools: LinkTools
  /** Bytes on the wire before the request that is on it; not a number when there is none, or nothing counts them. */
  #writtenBefore = Number.NaN
  #finAge: number | undefined = undefined
  #silence: number | undefined = undefined
  #lastSigns: Signs | undefined = undefined
  /** What was counted when it was destroyed. */
  #counted: WireCount | undefined
  /** Of the end under a request. */
  #witness: Witness | undefined = undefined

  constructor(
    readonly socket: Socket,
    tools: LinkTools,
  ) {
    const { plan, native } = tools
    this.localPort = socket.localPort
    this.remoteAddress = socket.remoteAddress
    this.remotePort = socket.remotePort
    this.liveness = applyLiveness(socket, descriptorOf(socket), plan, native)
    this.#tools = tools
    this.provable = this.#tally() !== undefined && wireOf(socket) !== undefined
    forgetAddresses(socket)
    ;(socket as LinkedSocket)[LINK] = this
    takeLastLook(socket, destroyAfterLook)
    socket.on('error', leaveToClose).on('close', reportClose)
  }

  get #begun(): boolean {
    return !Number.isNaN(this.#writtenBefore)
  }

  get destroyed(): boolean {
    return this.socket.destroyed
  }

  get ending(): LinkEnding {
    const { errored, readableEnded } = this.socket
    return {
      error: errored ?? undefined,
      fin: readableEnded,
      finAge: this.#finAge,
      silence: this.#silence,
      signs: this.#lastSigns,
    }
  }

  park(): void {
    this.socket.on('readable', drainParked).unref()
  }

  unpark(): void {
    this.socket.off('readable', drainParked).ref()
  }

  inspect(): KernelView | undefined {
    const { socket } = this
    const isTls = socket instanceof TLSSocket
    // What TLS has decrypted says nothing of what was read from the wire.
    const view = this.#tools.tcpInfo?.read(descriptorOf(socket), isTls ? undefined : socket.bytesRead)
    // Unread bytes may be TLS's own: session tickets, an alert. They have to be decrypted to tell.
    return isTls && view?.established && view.unread > 0 ? undefined : view
  }

  signs(): Signs | undefined {
    return this.#tools.tcpInfo?.signs(descriptorOf(this.socket))
  }

  ask(): boolean {
    const { native } = this.#tools
    return native !== undefined && this.liveness.enabled && askAtOnce(descriptorOf(this.socket), native)
  }

  beginRequest(): void {
    this.#writtenBefore = this.#wire.bytesWritten
  }

  endRequest(): void {
    this.#writtenBefore = Number.NaN
  }

  inquire(patiently: boolean, done: (evidence: Evidence) => void): void {
    const witness = this.#witness ?? this.#callWitness(this.#tally(), patiently)
    if (witness === undefined) done(this.#unasked())
    else if (patiently) witness.whenClear(done)
    else {
      witness.dismiss()
      done(witness.evidence)
    }
  }

  /** Puts Ti, Td and Nm back, which somebody who had the socket has set, be it to ask the peer at once. */
  askAsUsual(): void {
    const { plan, native } = this.#tools
    restoreLiveness(this.socket, descriptorOf(this.socket), plan, native, this.liveness)
  }

  letGo(): void {
    this.owner = undefined
    this.socket.off('error', leaveToClose).off('close', reportClose)
    forgoLastLook(this.socket)
  }

  destroy(error?: Error): void {
    this.owner = undefined
    this.socket.destroy(error)
  }

  /**
   * The socket is being destroyed, by whomever: the last moment at which its descriptor is good.
   *
   * @internal
   */
  lastLook(): void {
    const { bytesRead, bytesWritten } = this.#wire
    this.#counted = { bytesRead, bytesWritten }
    const tally = this.#tally()
    const fin = tally !== undefined && hasFin(tally, bytesRead)
    if (fin) {
      this.#finAge = tally.sinceLastHeard
      this.#silence = tally.sinceLastData - tally.sinceLastHeard
    }
    const isOurDoing = this.owner === undefined
    const hasFailed = this.socket.errored != null
    if (hasFailed && !isOurDoing) this.#lastSigns = this.signs()
    // TLS says that it closes before TCP does: the FIN is about to come. To what the pool destroys by itself nothing will.
    const stays = !isOurDoing && (fin || this.socket.readableEnded)
    if (hasFailed || !isOurDoing) this.#witness = this.#callWitness(tally, stays)
  }

  #tally(): KernelTally | undefined {
    return this.#tools.tcpInfo?.tally(descriptorOf(this.socket))
  }

  get #wire(): WireCount {
    return wireOf(this.socket) ?? this.#counted ?? uncounted
  }

  /** What is left to say where the kernel cannot be asked: it proves nothing. */
  #unasked(): Evidence {
    const { error, fin } = this.ending
    const code = (error as NodeJS.ErrnoException | undefined)?.code
    const reset = code === 'ECONNRESET' || code === 'EPIPE'
    const written = this.#wire.bytesWritten - this.#writtenBefore
    const counted = Number.isNaN(written) ? undefined : written
    return { written: counted, sent: undefined, acknowledged: undefined, fin, reset, requestTimeout: false, watched: 0 }
  }

  /** @param tally what the kernel says now; undefined where it says nothing, and there is nothing to look at */
  #callWitness(tally: KernelTally | undefined, stays: boolean): Witness | undefined {
    const { clock, native, tcpInfo } = this.#tools
    if (tally === undefined || native === undefined || tcpInfo === undefined || !this.#begun) return undefined
    const request = { writtenBefore: this.#writtenBefore, count: () => this.#wire }
    return new Witness(descriptorOf(this.socket), tally, request, stays, { clock, native, tcpInfo })
  }
}

/** Where nothing counts them: a difference of two is no number, and proves nothing. */
const uncounted: WireCount = { bytesRead: Number.NaN, bytesWritten: Number.NaN }

const destroyAfterLook = destroyAfter<LinkedSocket>((socket) => socket[LINK].lastLook())

/** An error that nobody listens to would end the process; the owner is told of it when the socket has closed. */
function leaveToClose(): void {}

function reportClose(this: Socket): void {
  const link = (this as LinkedSocket)[LINK]
  link.owner?.linkEnded(link.ending)
}

/** Node keeps both addresses in objects once they were read, and would make them anew; a link has what is needed of them. */
function forgetAddresses(socket: Socket & { _peername?: unknown; _sockname?: unknown }): void {
  if (socket._peername) socket._peername = undefined
  if (socket._sockname) socket._sockname = undefined
}

/** Reading is what makes a FIN known; a byte read here is one too many. */
function drainParked(this: Socket): void {
  if (this.read() !== null) this.destroy(new Error('bytes arrived on an idle connection'))
}
