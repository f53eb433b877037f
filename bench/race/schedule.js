// When requests are sent: the same times for every contestant, from a seed.

/** Idle times aimed at the close, in milliseconds from it: within 35 ms of the middle of the race on a 40 ms wire. */
export const AIMED = { from: -60, to: 10 }
/** The shortest of the other idle times. */
const EARLIEST = 100

/**
 * For each lane when it starts, and how long it idles before each of its requests.
 * @returns {{ start: number, idles: number[] }[]}
 */
export function schedule({ seed, lanes, requests, closeAfter, aimed }) {
  return Array.from({ length: lanes }, (_, lane) => {
    const random = generator(seed * 1_000_003 + lane)
    const between = (from, to) => from + random() * (to - from)
    // Spread over one idle time, so that the lanes do not move in step.
    const start = between(0, closeAfter)
    const count = Math.floor(requests / lanes) + (lane < requests % lanes ? 1 : 0)
    const idles = Array.from({ length: count }, () =>
      random() < aimed
        ? between(closeAfter + AIMED.from, closeAfter + AIMED.to)
        : between(EARLIEST, closeAfter + AIMED.from),
    )
    return { start, idles }
  })
}

/** mulberry32: numbers from 0 to 1, the same for the same seed. */
function generator(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
