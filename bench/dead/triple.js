// Ti, Td and Nm of all that is measured here, in milliseconds and a count; and what they promise.

export const TRIPLE = { idle: 2000, interval: 1000, probes: 3 }

/** When a peer is dead: Ti + Td x Nm. */
export const DEAD_AFTER = TRIPLE.idle + TRIPLE.interval * TRIPLE.probes

/** Longest time from the cut until keepwise may know of it: a second for the timers of kernels and the way of the news. */
export const PROMISED = DEAD_AFTER + 1000
