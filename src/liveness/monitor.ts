/**
 * Watches peers, and says which of them are suspected to be dead, have recovered, or are dead. Knows of no pools, sockets or
 * timers: whoever keeps the peers has `look` called when it says so, listens, and acts.
 *
 * A peer costs nothing as long as it is not silent for Ti: the kernel is asked about it then, and no sooner.
 */
import type { AppliedLiveness } from './settings.js'
import { answerTime, judge, type Patience, type Signs, type Watch } from './vital-signs.js'

export interface Peer {
  /** Written by the monitor alone; undefined while there is nothing to remember. */
  vigil: Vigil | undefined
  /** When it was last known to be alive, or was given something to answer. */
  readonly busySince: number
  /** Undefined for one that is not to be watched. */
  readonly patience: Patience | undefined
  /** What TCP knows of it now; undefined where nobody can be asked. */
  signs(): Signs | undefined
  /** Has the kernel ask it at once whether it is there. Returns false where that cannot be done. */
  ask(): boolean
  /** Has the kernel ask it as usual again. */
  askAsUsual(): void
}

/** What is known of a peer that owes an answer. */
export interface Vigil {
  readonly watch: Watch
  /** `suspected` was called for it. */
  readonly suspected: boolean
  /** Somebody wants to know when it has answered. */
  readonly awaited: boolean
  /** When it was asked out of turn; undefined if it was not, or has been given up. */
  readonly askedAt: number | undefined
}

export interface MonitorListener<P extends Peer> {
  /** It has been silent for Ti, and has not answered since. */
  suspected(peer: P, signs: Signs): void
  /** It has answered: one that was suspected, or is awaited. */
  recovered(peer: P): void
  /** It was asked out of turn whether it is there, and has not answered in time. */
  unanswered(peer: P, signs: Signs): void
  /** It has not answered for Ti + Td x Nm. */
  died(peer: P, signs: Signs): void
}

/** Looks in the time that an answer may take. */
const LOOKS_FOR_AN_ANSWER = 4

/** The kernel asks no peer out of turn that was heard within this time, in milliseconds. */
const SHORTEST_SILENCE = 1000

/** Ti, Td and Nm as they stand on a socket; undefined where there is no probing. */
export function patienceOf(applied: AppliedLiveness): Patience | undefined {
  const { enabled, idle, interval, probes } = applied
  const isKnown = enabled && idle !== undefined && interval !== undefined && probes !== undefined
  return isKnown ? (applied as Patience) : undefined
}

export class Monitor<P extends Peer> {
  constructor(private readonly listener: MonitorListener<P>) {}

  /**
   * Looks at a peer, if it is time.
   *
   * @returns when to look at it again; Infinity for never
   */
  look(peer: P, now: number): number {
    const { patience, vigil, busySince } = peer
    if (patience === undefined) return Infinity
    const silentFrom = busySince + patience.idle
    if (vigil === undefined && now < silentFrom) return silentFrom
    const signs = peer.signs()
    if (signs === undefined) return Infinity // it has ended, or nobody can ever be asked
    return vigil?.askedAt === undefined
      ? this.#lookAtSilent(peer, signs, patience, now)
      : this.#lookAtAsked(peer, signs, patience, { ...vigil, askedAt: vigil.askedAt }, now)
  }

  /**
   * Waits for an answer of a peer: asks it out of turn, unless it owes one already. `recovered` is called when it has
   * answered, `unanswered` when it has not, and both if it does so too late.
   *
   * @returns when to look at it; undefined where it cannot be asked
   */
  ask(peer: P, now: number): number | undefined {
    const { patience, vigil } = peer
    const signs = patience && peer.signs()
    if (patience === undefined || signs === undefined) return undefined
    // One more probe might be the one too many, after which the kernel gives up.
    if (!owes(signs) && !peer.ask()) return undefined
    const watch = vigil?.watch ?? judge(signs, patience, now - peer.busySince, now, undefined).watch
    peer.vigil = { watch, suspected: vigil?.suspected ?? false, awaited: true, askedAt: now }
    return now + answerTime(signs, patience) / LOOKS_FOR_AN_ANSWER
  }

  #lookAtSilent(peer: P, signs: Signs, patience: Patience, now: number): number {
    const { vigil } = peer
    const { state, again, watch } = judge(signs, patience, now - peer.busySince, now, vigil?.watch)
    if (state === 'dead') {
      this.listener.died(peer, signs)
      return Infinity
    }
    const { suspected = false, awaited = false } = vigil ?? {}
    if (!owes(signs)) {
      peer.vigil = undefined
      if (suspected || awaited) this.listener.recovered(peer)
      return now + again
    }
    const isSuspect = suspected || state === 'suspect'
    peer.vigil = { watch, suspected: isSuspect, awaited, askedAt: undefined }
    if (isSuspect && !suspected) this.listener.suspected(peer, signs)
    return now + (awaited ? Math.min(again, answerTime(signs, patience)) : again)
  }

  #lookAtAsked(peer: P, signs: Signs, patience: Patience, vigil: Vigil & { askedAt: number }, now: number): number {
    const answer = answerTime(signs, patience)
    const waited = now - vigil.askedAt
    if (signs.silence < waited && owes(signs)) {
      // It was heard, and has been asked again meanwhile: that answer is to come as well.
      peer.vigil = { ...vigil, askedAt: now }
      return now + answer / LOOKS_FOR_AN_ANSWER
    }
    if (signs.silence < waited) {
      peer.vigil = undefined
      peer.askAsUsual()
      this.listener.recovered(peer)
      return now + patience.idle
    }
    const delay = Math.max(0, SHORTEST_SILENCE - (signs.silence - waited))
    if (waited < delay + answer) return now + answer / LOOKS_FOR_AN_ANSWER
    peer.vigil = { ...vigil, askedAt: undefined }
    peer.askAsUsual()
    this.listener.unanswered(peer, signs)
    return now + answer
  }
}

/** Whether it was asked something, be it to acknowledge what was sent, and has not answered. */
const owes = ({ probes, retransmits }: Signs): boolean => probes > 0 || retransmits > 0
