/**
 * TCP keepalive settings as they are written in options: Ti (`idle`), Td (`interval`), Nm (`probes`).
 *
 * Rule of the presets: Ti below the shortest timeout of the middleboxes on the way (an AWS NLB or NAT gateway forgets a
 * silent flow after 350 s, Azure's load balancer after 240 s, a home or mobile NAT often after 120 s), and Ti + Td x Nm
 * short enough that a dead peer is noticed while somebody still cares.
 */

/** A triple, in milliseconds (whole seconds) and a count. A dead idle peer is known after idle + interval x probes. */
export interface LivenessTriple {
  /** Ti: silence before the first probe. 1 000 to 32 767 000, whole seconds. */
  readonly idle: number
  /** Td: time between unanswered probes. 1 000 to 32 767 000, whole seconds. */
  readonly interval: number
  /** Nm: unanswered probes until the peer counts as dead. 1 to 127. */
  readonly probes: number
}

/** A triple as it can be asked for. */
export interface LivenessTuning extends LivenessTriple {
  /**
   * TCP_USER_TIMEOUT: milliseconds that sent data may go unacknowledged until the kernel ends the connection. 0: not set.
   * Linux with native access only. It needs nobody who watches, and it does harm: it ends connections to living peers that
   * have stopped reading for so long, and while it is set an idle peer is dead after this time, however many probes that
   * were. Where the kernel can be asked (`capabilities.deadPeers` is `'always'`) dead peers are found without it.
   * @default 0
   */
  readonly userTimeout?: number
}

/** Triples by name; `'system'` leaves the operating system's values. */
export type LivenessPreset = 'lan' | 'cloud' | 'mobile' | 'system'

/** `false`: no TCP keepalive. A preset, or a triple of one's own. */
export type LivenessOption = false | LivenessPreset | LivenessTuning

/** The presets that set something; `'system'` leaves the operating system's values. */
export const presets: Readonly<Record<Exclude<LivenessPreset, 'system'>, LivenessTriple>> = {
  /** One network, no middlebox: dead in 16 s. */
  lan: { idle: 10_000, interval: 2_000, probes: 3 },
  /** Through load balancers and NAT gateways of the clouds: dead in 45 s. */
  cloud: { idle: 30_000, interval: 5_000, probes: 3 },
  /** Through carrier NATs and radios that sleep: rarer and more patient, dead in 150 s. */
  mobile: { idle: 90_000, interval: 12_000, probes: 5 },
}

/** What is to be done to each socket. */
export type LivenessPlan = { readonly kind: 'off' } | { readonly kind: 'system' } | LivenessSetting

export interface LivenessSetting extends LivenessTuning {
  readonly kind: 'set'
}

export function planOf(option: LivenessOption): LivenessPlan {
  if (option === false) return { kind: 'off' }
  if (option === 'system') return { kind: 'system' }
  return { kind: 'set', ...(typeof option === 'string' ? presets[option] : option) }
}
