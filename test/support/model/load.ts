/**
 * What happens to the pool of the model, and how often.
 */

/** How often each step is taken. */
export const CALM = {
  acquire: 10,
  burst: 0.3,
  write: 30,
  respond: 34,
  giveBack: 2,
  fail: 2,
  abort: 1,
  abortWaiting: 2,
  detach: 0.5,
  open: 30,
  refuseDial: 1,
  advance: 24,
  block: 1,
  turn: 30,
  warm: 0.6,
  peerCloses: 2,
  kernelKnows: 2,
  report: 10,
  verdict: 20,
  abortDying: 0.5,
  restart: 0.1,
  reconfigure: 0.05,
  sleep: 0.1,
  stall: 0.1,
  drain: 0.1,
  fallSilent: 0,
  cut: 0,
  mend: 0,
  forget: 0,
}

export type Step = keyof typeof CALM

/** More comes than can be served. */
export const BUSY: Readonly<Record<Step, number>> = { ...CALM, acquire: 36, burst: 3, abortWaiting: 6, refuseDial: 4 }

/** Where peers may fall silent, and answer again, or know nothing of their connections any more. */
export const MORTALITY = { fallSilent: 3, cut: 0.6, mend: 5, forget: 0.5, sleep: 0.4, stall: 0.4, drain: 0.4 }

/** Milliseconds that a machine sleeps, or its process stands still. */
export const SLEEPS = [1_000, 4_000, 6_000, 3_600_000]
export const STALLS = [2_000, 5_500, 7_000]

/** Round-trip times in milliseconds, and by what part of their time a kernel's timers are late. */
export const ROUND_TRIPS = [1, 2, 20, 150]
export const LATENESS = [0, 0, 0.05, 0.125]

/** Milliseconds that pass. */
export const TIMES = [0, 1, 1, 2, 5, 10, 20, 50, 120, 400]

/** Milliseconds that a request is on its way: what is written so shortly before the server closes comes too late. */
export const WAY = 15

/** Of a hundred requests, those that must not be repeated, and those that insist on a new connection. */
export const CAREFUL = 20
export const INSISTING = 4

/** How likely it is that the load changes with a step, in percent: calm times are longer. */
export const TO_BUSY = 1.5
export const TO_CALM = 4
