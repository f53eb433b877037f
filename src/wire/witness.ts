/**
 * Looks on at a connection that is ending, or has ended, until it is clear what became of the last thing written to it.
 *
 * Whoever closes a socket gives up its descriptor at once, but the RST that would prove a request refused is still on its
 * way then. So the witness keeps a descriptor of its own, for as long as an answer from the peer's kernel can take. Two
 * round trips are enough: the request is on its way for half of one at the most when the FIN is read, and the RST that
 * answers it comes back in another half.
 */
import type { Clock, TimerHandle } from '../clock.js'
import type { Native } from '../liveness/native.js'
import { hasFin, type KernelTally, type TcpInfoReader } from '../liveness/tcp-info.js'
import { type Evidence, isFinal } from '../replay/verdict.js'

/** Limits of the time that a peer's kernel is given, in milliseconds. */
const SHORTEST_WATCH = 10
const LONGEST_WATCH = 1000
/** Looks in one round trip, and the limits of the time between two, in milliseconds. */
const LOOKS_PER_ROUND_TRIP = 8
const SHORTEST_PAUSE = 1
const LONGEST_PAUSE = 25

/** Bytes on the wire in the connection's life, as the socket's owner counts them. */
export interface WireBytes {
  /** Before the request in question. */
  readonly writtenBefore: number
  /** Until now, or until the socket was closed. */
  readonly written: number
  readonly read: number
}

export interface WitnessTools {
  readonly clock: Clock
  readonly native: Native
  readonly tcpInfo: TcpInfoReader
}

export class Witness {
  readonly #tools: WitnessTools
  readonly #fd: number
  readonly #bytes: WireBytes
  readonly #startedAt: number
  readonly #until: number
  readonly #pause: number
  #evidence: Evidence
  #timer: TimerHandle | undefined
  #told: ((evidence: Evidence) => void) | undefined

  /**
   * Begins to look on.
   *
   * @param fd is duplicated, and may be closed any time afterwards
   * @param stays whether to look more than once
   * @returns undefined where nothing can be looked at
   */
  static call(fd: number, bytes: WireBytes, stays: boolean, tools: WitnessTools): Witness | undefined {
    const tally = tools.tcpInfo.tally(fd)
    if (tally === undefined) return undefined
    const evidence = evidenceOf(tally, bytes, 0)
    const own = stays && !isFinal(evidence) ? tools.native.duplicate(fd) : -1
    return new Witness(own, tally, evidence, bytes, tools)
  }

  private constructor(fd: number, tally: KernelTally, evidence: Evidence, bytes: WireBytes, tools: WitnessTools) {
    const now = tools.clock.now()
    const { rtt, rttVariance } = tally
    this.#fd = fd
    this.#bytes = bytes
    this.#tools = tools
    this.#evidence = evidence
    this.#startedAt = now
    this.#until = now + Math.min(LONGEST_WATCH, Math.max(SHORTEST_WATCH, 2 * rtt + 4 * rttVariance))
    this.#pause = Math.min(LONGEST_PAUSE, Math.max(SHORTEST_PAUSE, rtt / LOOKS_PER_ROUND_TRIP))
    if (fd >= 0) this.#wait()
  }

  /** What has been seen so far. */
  get evidence(): Evidence {
    return this.#evidence
  }

  /** Calls back once, when nothing more is to be expected: at once if that is so already. */
  whenClear(callback: (evidence: Evidence) => void): void {
    if (this.#timer === undefined) callback(this.#evidence)
    else this.#told = callback
  }

  /** Stops looking, unless somebody waits for what comes of it. */
  dismiss(): void {
    if (this.#timer === undefined || this.#told !== undefined) return
    this.#tools.clock.clearTimer(this.#timer)
    this.#leave()
  }

  #wait(): void {
    this.#timer = this.#tools.clock.setTimer(this.#look, this.#pause, true)
  }

  readonly #look = (): void => {
    const { clock, tcpInfo } = this.#tools
    const now = clock.now()
    const tally = tcpInfo.tally(this.#fd)
    if (tally !== undefined) this.#evidence = evidenceOf(tally, this.#bytes, now - this.#startedAt)
    if (tally !== undefined && !isFinal(this.#evidence) && now < this.#until) this.#wait()
    else this.#leave()
  }

  #leave(): void {
    this.#timer = undefined
    this.#tools.native.close(this.#fd)
    this.#told?.(this.#evidence)
  }
}

function evidenceOf(tally: KernelTally, bytes: WireBytes, watched: number): Evidence {
  const { writtenBefore, written, read } = bytes
  const { closed, bytesSent, bytesAcknowledged } = tally
  return {
    written: written - writtenBefore,
    // What was sent twice would be counted twice: at the most it is all that was written.
    sent: Math.min(written - writtenBefore, Math.max(0, bytesSent - writtenBefore)),
    acknowledged: Math.max(0, bytesAcknowledged - writtenBefore),
    fin: hasFin(tally, read),
    reset: closed,
    requestTimeout: false,
    watched,
  }
}
