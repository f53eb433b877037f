/**
 * The one source of time. Everything above takes a `Clock`, so that tests can drive a whole pool by hand.
 */

/** A timer that was set; opaque to everyone but the clock that made it. */
export type TimerHandle = object

export interface Clock {
  /** Whole milliseconds on a monotonic clock: small integers, which V8 keeps in place where fractions cost an object. */
  now(): number
  /** Milliseconds of the world's time, which goes on while the machine sleeps, and may be set: good for differences alone. */
  wallTime(): number
  /**
   * Runs `callback` once, `delay` milliseconds from now.
   *
   * @param holds whether it keeps the process alive until then, because somebody waits for it; default: it does not
   */
  setTimer(callback: () => void, delay: number, holds?: boolean): TimerHandle
  clearTimer(timer: TimerHandle): void
  /**
   * Runs `callback` after two full turns of the event loop. One turn is not enough: from a poll-phase callback the next
   * check phase still belongs to the same turn, and a FIN that already waits in the kernel has not been read by then.
   */
  afterTwoTurns(callback: () => void): void
}

/** Longest delay Node's timers take (2^31 - 1 ms); a longer one would fire at once. */
const LONGEST_DELAY = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Math.trunc(performance.now()),
  wallTime: () => Date.now(),
  setTimer(callback, delay, holds = false) {
    const timer = setTimeout(callback, Math.min(Math.ceil(delay), LONGEST_DELAY))
    return holds ? timer : timer.unref()
  },
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
  afterTwoTurns: (callback) => void setImmediate(() => setImmediate(callback)),
}
