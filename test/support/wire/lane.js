/**
 * One direction of the wire: packets enter, wait for their delay, and leave in the order in which they came; cut, it
 * loses all that is in it and all that enters. Pure: it is told the time, and the relay does the reading and writing.
 */
import { KINDS, summarize } from './packets.js'

/** How many packets the trace remembers. */
const TRACED = 20_000

export class Lane {
  /** Milliseconds that a packet takes. Changed, it holds for the packets that enter from then on. */
  delay = 0
  passed = 0
  dropped = 0
  /** By how much packets left later than they were due, the most and in all. */
  latest = 0
  #lateness = 0
  #isCut = false
  #isHeld = false
  /** @type {{ packet: Buffer, due: number }[]} */
  #queue = []
  /** @type {{ kind: string, left: number }[]} */
  #drops = []
  /** @type {object[]} */
  #trace = []

  enter(packet, now) {
    const summary = summarize(packet)
    const isLost = this.#loses(summary)
    if (this.#trace.length === TRACED) this.#trace.shift()
    this.#trace.push({ at: now, ...summary, lost: isLost })
    if (isLost) this.dropped++
    else this.#queue.push({ packet, due: now + this.delay })
  }

  /** When the next packet leaves; Infinity if none waits. */
  get nextDue() {
    return this.#isHeld || this.#queue.length === 0 ? Number.POSITIVE_INFINITY : this.#queue[0].due
  }

  /** The next packet that is due, or undefined. */
  leave(now) {
    if (this.nextDue > now) return undefined
    const { packet, due } = this.#queue.shift()
    this.passed++
    this.#lateness += now - due
    this.latest = Math.max(this.latest, now - due)
    return packet
  }

  counts() {
    const late = this.passed === 0 ? 0 : this.#lateness / this.passed
    return { passed: this.passed, dropped: this.dropped, late, latest: this.latest }
  }

  cut() {
    this.#isCut = true
    this.dropped += this.#queue.length
    this.#queue = []
  }

  /** Nothing leaves until `mend`, and nothing is lost: what is held then leaves at once, in order. */
  hold() {
    this.#isHeld = true
  }

  /** @param {string} kind one of KINDS  @param {number | null} count how many; null = all of them, until `mend` */
  drop(kind, count) {
    if (!(kind in KINDS)) throw new Error(`No kind of packets "${kind}". There are: ${Object.keys(KINDS).join(', ')}`)
    this.#drops.push({ kind, left: count ?? Number.POSITIVE_INFINITY })
  }

  mend() {
    this.#isCut = this.#isHeld = false
    this.#drops = []
  }

  /** @param {number} since only what entered then or later */
  trace(since) {
    return this.#trace.filter(({ at }) => at >= since)
  }

  #loses(summary) {
    if (this.#isCut) return true
    const drop = this.#drops.find(({ kind, left }) => left > 0 && KINDS[kind](summary))
    if (drop) drop.left--
    return drop !== undefined
  }
}
