/**
 * What the kernel knows of a peer that may fall silent: it asks it after Ti and every Td, repeats what was not acknowledged,
 * asks out of turn when told to, and gives it up. Runs up to the present whenever somebody looks.
 */
import type { Patience, Signs } from '../../../src/liveness/vital-signs.js'

/** How soon the kernel repeats what was not acknowledged, in milliseconds, and how rarely at the most. */
const FIRST_REPETITION = 200
const LAST_REPETITION = 1_000

/** It asks nobody out of turn that was heard within this time, in milliseconds. */
const SHORTEST_SILENCE = 1_000

export class ModelPeer {
  heardAt: number
  /** What is sent to it is lost, and what it says. */
  silent = false
  /** It was asked since it was heard, and the question was lost. */
  missed = false
  /** When it was asked first since it was heard; Infinity if it was not. */
  owesSince = Infinity
  /** The kernel has given it up. */
  isGivenUp = false
  /** When it was asked out of turn last, and when things got through again last. */
  askedAt = -Infinity
  mendedAt = -Infinity
  #probes = 0
  #retransmits = 0
  #acknowledged = 100
  #hasUnacknowledged = false
  #repetition = FIRST_REPETITION
  #isAsking = false
  /** When the kernel asks it next, and when its answer is here. */
  #questionAt: number
  #answerAt = Infinity

  /**
   * @param rtt the time an answer takes, in milliseconds
   * @param lateness by what part of its time the kernel's timers are late
   */
  constructor(
    private readonly clock: { now(): number },
    readonly patience: Patience,
    readonly rtt: number,
    private readonly lateness: number,
  ) {
    this.heardAt = clock.now()
    this.#questionAt = this.heardAt + this.#late(patience.idle)
  }

  signs(): Signs {
    this.#run()
    return {
      silence: this.clock.now() - this.heardAt,
      probes: this.#probes,
      retransmits: this.#retransmits,
      unacknowledged: this.#hasUnacknowledged ? 1 : 0,
      acknowledged: this.#acknowledged,
      window: 65_536,
      rtt: this.rtt,
      rttVariance: this.rtt / 10,
    }
  }

  /** Something was sent to it. */
  send(): void {
    this.#run()
    if (this.#hasUnacknowledged) return
    this.#hasUnacknowledged = true
    this.#repetition = FIRST_REPETITION + this.rtt
    this.#questionAt = this.clock.now() + this.#repetition
    if (!this.silent) this.#answerAt = Math.min(this.#answerAt, this.clock.now() + this.rtt)
  }

  /** It has sent something. */
  received(at: number): void {
    this.#run()
    this.#heard(Math.max(at, this.heardAt))
  }

  fallSilent(): void {
    this.#run()
    this.silent = true
    // An answer that is on its way is lost as well.
    if (this.#answerAt !== Infinity) this.missed = true
    this.#answerAt = Infinity
  }

  /** It answers from the next question on. */
  mend(): void {
    this.#run()
    this.silent = false
    this.mendedAt = this.clock.now()
  }

  ask(): void {
    this.#run()
    this.askedAt = this.clock.now()
    this.#isAsking = true
    if (this.#probes > 0 || this.#hasUnacknowledged) return
    this.#questionAt = Math.max(this.askedAt, this.heardAt + SHORTEST_SILENCE)
  }

  askAsUsual(): void {
    this.#run()
    this.#isAsking = false
    const at = this.heardAt + this.#late(this.patience.idle)
    if (!this.#hasUnacknowledged && this.clock.now() < at) this.#questionAt = at
  }

  #run(): void {
    const now = this.clock.now()
    for (;;) {
      if (this.#answerAt <= Math.min(now, this.#questionAt)) this.#heard(this.#answerAt)
      else if (this.#questionAt <= now) this.#question(this.#questionAt)
      else return
    }
  }

  #heard(at: number): void {
    if (this.#hasUnacknowledged) this.#acknowledged++
    this.heardAt = at
    this.missed = this.#hasUnacknowledged = false
    this.#probes = this.#retransmits = 0
    this.#answerAt = this.owesSince = Infinity
    this.#questionAt = at + (this.#isAsking ? SHORTEST_SILENCE : this.#late(this.patience.idle))
  }

  #question(at: number): void {
    if (this.#hasUnacknowledged) {
      this.#retransmits++
      this.#repetition = Math.min(2 * this.#repetition, LAST_REPETITION)
      this.#questionAt = at + this.#repetition
    } else if (this.#probes >= this.patience.probes) {
      this.isGivenUp = true
      this.#questionAt = Infinity
      return
    } else {
      this.#probes++
      this.#questionAt = at + this.#late(this.patience.interval)
    }
    this.owesSince = Math.min(this.owesSince, at)
    if (this.silent) this.missed = true
    else this.#answerAt = Math.min(this.#answerAt, at + this.rtt)
  }

  #late(ms: number): number {
    return Math.round(ms * (1 + this.lateness))
  }
}

/** Whether it owes an answer, be it one that is on its way. */
export const owes = ({ probes, retransmits }: Pick<Signs, 'probes' | 'retransmits'>): boolean =>
  probes + retransmits > 0
