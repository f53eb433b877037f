/**
 * How long the kernel waits between two retransmissions, at the most: a cap on its back-off that suits Ti, Td and Nm. Pure,
 * but for one number that is read from the kernel once.
 *
 * What is not acknowledged is sent again after 0.2 s, 0.4 s, 0.8 s, … up to 120 s: a wire that is mended after ten seconds
 * may go unnoticed for ten more. TCP_RTO_MAX_MS (Linux 6.15) caps these pauses for one socket, so that data is asked about
 * every Td or so, as an idle peer is. But the kernel gives up after `tcp_retries2` retransmissions, however short the pauses
 * were; the cap must leave it enough patience for whoever watches the connection to decide first.
 */
import type { LivenessTriple } from './presets.js'
import { type SystemAccess, thisSystem } from './system.js'

/** Smallest pause that it backs off from (TCP_RTO_MIN): the model counts from it, whatever the round trips are. */
const SHORTEST_PAUSE = 200

/** What TCP_RTO_MAX_MS takes. */
const LOWEST_CAP = 1_000
const HIGHEST_CAP = 120_000

/** Caps are tried in whole seconds, as Ti and Td are. */
const STEP = 1_000

/** tcp_retries2 unless somebody has set it: tcp(7). */
const DEFAULT_RETRIES = 15

/** How much more patience than Ti + Td x Nm the kernel must have. */
const HEADROOM = 1.25

/**
 * After how many milliseconds of retransmissions the kernel gives up (net/ipv4/tcp_timer.c, tcp_model_timeout): `retries` + 1
 * pauses, each twice the one before until `cap` is reached.
 */
export function retransmissionTime(cap: number, retries: number): number {
  const doublings = Math.floor(Math.log2(Math.floor(cap / SHORTEST_PAUSE)))
  const doubled = Math.min(retries, doublings)
  return (2 ** (doubled + 1) - 1) * SHORTEST_PAUSE + (retries - doubled) * cap
}

/**
 * The cap for a triple, in milliseconds: the smallest one, from Td up, that leaves the kernel patience for clearly longer
 * than Ti + Td x Nm. Undefined where there is none.
 *
 * @param retries net.ipv4.tcp_retries2
 */
export function retransmitCap({ idle, interval, probes }: LivenessTriple, retries: number): number | undefined {
  const enough = HEADROOM * (idle + interval * probes)
  for (let cap = Math.max(LOWEST_CAP, interval); cap <= HIGHEST_CAP; cap += STEP)
    if (retransmissionTime(cap, retries) >= enough) return cap
  return undefined
}

let read: number | undefined

/** `tcp_retries2` of this process's network namespace. Decided once. */
export function systemRetries(): number {
  read ??= readRetries()
  return read
}

/** The default where it cannot be read. */
export function readRetries(system: SystemAccess = thisSystem): number {
  try {
    const retries = Number.parseInt(system.readFile('/proc/sys/net/ipv4/tcp_retries2'), 10)
    return retries >= 0 ? retries : DEFAULT_RETRIES
  } catch {
    return DEFAULT_RETRIES
  }
}
