/** Waiting on a clock, which an abort ends. */
import type { Clock } from '../clock.js'

/** Resolves after `delay` milliseconds, or when the signal is aborted: whoever waits looks which. */
export function wait(clock: Clock, delay: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      clock.clearTimer(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.setTimer(done, Math.max(0, delay), true)
    signal.addEventListener('abort', done)
  })
}

/** The same, but what it waits for besides comes first, if it does: its result, or undefined. */
export async function waitFor<T>(
  promise: Promise<T>,
  clock: Clock,
  delay: number,
  signal: AbortSignal,
): Promise<T | undefined> {
  const enough = new AbortController()
  const stop = (): void => enough.abort()
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  try {
    return await Promise.race([promise, wait(clock, delay, enough.signal).then(() => undefined)])
  } finally {
    stop()
    signal.removeEventListener('abort', stop)
  }
}

/** The promise's result; rejects when the signal is aborted before, for what cannot be ended itself. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle]
  return sorted.length === 0 ? undefined : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}
