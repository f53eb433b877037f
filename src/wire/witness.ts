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

/** Bytes on the wire in a connection's life: of a TLS connection, those that are encrypted. */
export interface WireCount {
  readonly bytesRead: number
  readonly bytesWritten: number
}

/** The request in question, in bytes on the wire. */
export interface WireRequest {
  /** Written before it in the connection's life. */
  readonly writtenBefore: number
  /** Read and written until now, or until the socket was closed. */
  readonly count: () => WireCount
}

export interface WitnessTools {
  readonly clock: Clock
  readonly native: Native
  readonly tcpInfo: TcpInfoReader
}

export class Witness {
  readonly #tools: WitnessTools
  readonly #fd: number
  readonly #request: WireRequest
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
   * @param tally what the kernel says of it now: the first look
   * @param stays whether to look more than once
   */
  constructor(fd: number, tally: KernelTally, request: WireRequest, stays: boolean, tools: WitnessTools) {
    const now = tools.clock.now()
    const { rtt, rttVariance } = tally
    this.#request = request
    this.#tools = tools
    this.#evidence = evidenceOf(tally, request, 0)
    this.#fd = stays && !isFinal(this.#evidence) ? tools.native.duplicate(fd) : -1
    this.#startedAt = now
    this.#until = now + Math.min(LONGEST_WATCH, Math.max(SHORTEST_WATCH, 2 * rtt + 4 * rttVariance))
    this.#pause = Math.min(LONGEST_PAUSE, Math.max(SHORTEST_PAUSE, rtt / LOOKS_PER_ROUND_TRIP))
    if (this.#fd >= 0) this.#wait()
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
    if (tally !== undefined) this.#evidence = evidenceOf(tally, this.#request, now - this.#startedAt)
    if (tally !== undefined && !isFinal(this.#evidence) && now < this.#until) this.#wait()
    else this.#leave()
  }

  #leave(): void {
    this.#timer = undefined
    this.#tools.native.close(this.#fd)
    this.#told?.(this.#evidence)
  }
}

function evidenceOf(tally: KernelTally, { writtenBefore, count }: WireRequest, watched: number): Evidence {
  const { closed, bytesSent, bytesAcknowledged } = tally
  const { bytesRead, bytesWritten } = count()
  const written = bytesWritten - writtenBefore
  return {
    written,
    // What was sent twice would be counted twice: at the most it is all that was written.
    sent: Math.min(written, Math.max(0, bytesSent - writtenBefore)),
    acknowledged: Math.max(0, bytesAcknowledged - writtenBefore),
    fin: hasFin(tally, bytesRead),
    reset: closed,
    requestTimeout: false,
    watched,
  }
}
