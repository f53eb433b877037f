/**
 * One direction of the wire: packets enter, wait for their delay, and leave in the order in which they came; cut, it
 * loses all that is in it and all that enters, or what concerns some ports or addresses. Pure: it is told the time, and the relay does the reading and writing.
 */
import { concerns, KINDS, summarize } from './packets.js'

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
  /** @type {import('./packets.js').Place[]} */
  #cuts = []
  #isHeld = false
  /** @type {{ packet: Buffer, traced: object, due: number }[]} */
  #queue = []
  /** @type {{ kind: string, left: number }[]} */
  #drops = []
  /** @type {(import('./packets.js').PacketSummary & { at: number, lost: boolean })[]} */
  #trace = []
  /** How many packets were traced; the newest took the place of the oldest. */
  #traced = 0

  enter(packet, now) {
    const summary = summarize(packet)
    const traced = { at: now, ...summary, lost: this.#loses(summary) }
    this.#trace[this.#traced++ % TRACED] = traced
    if (traced.lost) this.dropped++
    else this.#queue.push({ packet, traced, due: now + this.delay })
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

  /** @param {import('./packets.js').Place} [place] what is lost: everything, unless it says less */
  cut(place = {}) {
    this.#cuts.push(place)
    for (const { traced } of this.#queue) traced.lost = concerns(place, traced)
    const left = this.#queue.filter(({ traced }) => !traced.lost)
    this.dropped += this.#queue.length - left.length
    this.#queue = left
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

  /** @param {import('./packets.js').Place} [place] ends the cuts of this place, and nothing else; without it, ends all */
  mend(place) {
    if (place === undefined) {
      this.#cuts = []
      this.#isHeld = false
      this.#drops = []
      return
    }
    const mended = JSON.stringify(place)
    const left = this.#cuts.filter((cut) => JSON.stringify(cut) !== mended)
    if (left.length === this.#cuts.length) throw new Error(`Nothing is cut at ${mended}`)
    this.#cuts = left
  }

  /** @param {number} since only what entered then or later */
  trace(since) {
    const oldest = this.#traced % TRACED
    const inOrder =
      this.#traced <= TRACED ? this.#trace : [...this.#trace.slice(oldest), ...this.#trace.slice(0, oldest)]
    return inOrder.filter(({ at }) => at >= since)
  }

  #loses(summary) {
    if (this.#cuts.some((place) => concerns(place, summary))) return true
    const drop = this.#drops.find(({ kind, left }) => left > 0 && KINDS[kind](summary))
    if (drop) drop.left--
    return drop !== undefined
  }
}
