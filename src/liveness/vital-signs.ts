/**
 * Is the peer still there? From what TCP knows of one connection: a pure function, the same for connections that idle, that
 * wait for a response, and that are sending.
 *
 * The kernel asks the peer by itself: with keepalive probes while nothing is outstanding, by repeating what was not
 * acknowledged, and with window probes while the peer has no room. A living host answers all of these, whatever its process
 * does: it may be stopped, or slow, or not reading. So a peer is dead that was asked often enough, and has said nothing for
 * Ti + Td x Nm. (RFC 9293 3.8.4; the kernel itself applies that to keepalive probes alone, and repeats data for 15 minutes.)
 */
import type { LivenessTriple } from './presets.js'
import { retransmissionTime } from './retransmission.js'

/** How a peer stands, as far as this machine's TCP knows. Times in milliseconds. */
export interface Signs {
  /** Since anything was heard of the peer, be it a bare acknowledgement. */
  readonly silence: number
  /** Keepalive or window probes in a row that were not answered. */
  readonly probes: number
  /** Retransmissions in a row of the oldest segment that is not acknowledged. */
  readonly retransmits: number
  /** Segments that were sent and are not acknowledged. */
  readonly unacknowledged: number
  /** Bytes acknowledged in the connection's life. */
  readonly acknowledged: number
  /** Bytes for which the peer has said to have room; undefined where the kernel does not tell (before 5.4). */
  readonly window: number | undefined
  /** Smoothed round-trip time and its variance. */
  readonly rtt: number
  readonly rttVariance: number
}

/** How long to wait for a peer: Ti, Td, Nm. */
export type Patience = Pick<LivenessTriple, 'idle' | 'interval' | 'probes'>

/** What is remembered from one look to the next while something waits for an answer. */
export interface Watch {
  /** When it was first seen to owe an answer, and to have been asked often enough; Infinity while that is not so. */
  readonly askedAt: number
  readonly exhaustedAt: number
  /** Bytes it had acknowledged when it was found deaf, and since when it has been; undefined while it is not. */
  readonly deaf: { readonly acknowledged: number; readonly since: number } | undefined
}

export interface Finding {
  readonly state: 'well' | 'suspect' | 'dead'
  /** Milliseconds until the next look. */
  readonly again: number
  readonly watch: Watch
}

/** An answer takes a round trip; less time than this is not given to it, in milliseconds: clocks and kernels are coarse. */
const SHORTEST_ANSWER = 200

/** Kernels answer window probes no more often than that, in milliseconds (net.ipv4.tcp_invalid_ratelimit). */
const SHORTEST_WINDOW_ANSWER = 500

/** What was not acknowledged is asked for less and less often: repeated so often, it is more than a lost packet. */
const ENOUGH_RETRANSMITS = 2

/** How long a peer that lives takes to answer, at the most, in milliseconds. */
export function answerTime(
  { rtt, rttVariance, window }: Pick<Signs, 'rtt' | 'rttVariance' | 'window'>,
  { interval }: Patience,
): number {
  const shortest = window === 0 ? SHORTEST_WINDOW_ANSWER : SHORTEST_ANSWER
  return Math.min(interval, Math.max(shortest, 2 * rtt + 4 * rttVariance))
}

/** After how many milliseconds of silence a peer is dead. */
export function deadAfter({ idle, interval, probes }: Patience): number {
  return idle + interval * probes
}

/**
 * @param busyFor milliseconds since there was last anything new to answer, for silence before that is nobody's fault
 * @param before what the last look left; undefined for the first one
 */
export function judge(
  signs: Signs,
  patience: Patience,
  busyFor: number,
  now: number,
  before: Watch | undefined,
): Finding {
  const { unacknowledged, probes, retransmits } = signs
  const { idle, interval } = patience
  const answer = answerTime(signs, patience)
  const deaf = deafness(signs, interval, now, before)
  const questions = Math.max(probes, retransmits)
  const enough = unacknowledged > 0 ? Math.min(patience.probes, ENOUGH_RETRANSMITS) : patience.probes
  const exhaustedAt = questions >= enough ? Math.min(before?.exhaustedAt ?? Infinity, now) : Infinity
  const askedAt = questions === 0 ? Infinity : firstAsked(signs, now, before)
  const watch = { askedAt, exhaustedAt, deaf }
  const silence = unacknowledged === 0 ? signs.silence : Math.min(unansweredFor(signs, now, deaf), busyFor)
  // The kernel's own timers may be late by an eighth: it is looked at again until there was a question.
  const quiet = answer + (silence < idle ? idle - silence : Math.min(interval, silence - idle))
  if (questions === 0 || silence < idle + answer) return { state: 'well', again: quiet, watch }
  // One question may have been asked just now.
  if (questions === 1 && now - askedAt < answer) return { state: 'well', again: answer, watch }
  const limit = deadAfter(patience)
  // The last question has been out for long enough as well.
  if (silence >= limit && now - exhaustedAt >= answer) return { state: 'dead', again: 0, watch }
  const again = silence < limit ? Math.min(interval / 2, limit - silence) : answer / 2
  return { state: 'suspect', again, watch }
}

/** When the question that is out was first seen: a peer that was heard since has answered that, and owes another one. */
function firstAsked({ silence }: Signs, now: number, before: Watch | undefined): number {
  const askedAt = before?.askedAt ?? Infinity
  return silence >= now - askedAt ? Math.min(askedAt, now) : now
}

/** A peer that has room and acknowledges nothing may be heard all the same: what is sent to it does not get there. */
function deafness(signs: Signs, interval: number, now: number, before: Watch | undefined): Watch['deaf'] {
  const { unacknowledged, acknowledged, retransmits, window = 0 } = signs
  if (unacknowledged === 0 || retransmits === 0 || window === 0) return undefined
  if (before?.deaf?.acknowledged === acknowledged) return before.deaf
  // What was sent again so often was sent first at least so long ago: the pauses are never shorter, nor their cap.
  return { acknowledged, since: now - retransmissionTime(interval, retransmits - 1) }
}

/** For how many milliseconds it has acknowledged nothing of what was sent. */
function unansweredFor({ silence }: Signs, now: number, deaf: Watch['deaf']): number {
  return deaf === undefined ? silence : Math.max(silence, now - deaf.since)
}
