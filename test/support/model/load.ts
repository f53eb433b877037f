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
}

export type Step = keyof typeof CALM

/** More comes than can be served. */
export const BUSY: Readonly<Record<Step, number>> = { ...CALM, acquire: 36, burst: 3, abortWaiting: 6, refuseDial: 4 }

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
