// What every keepwise contestant has in common: the pool, and how it gets to its number of connections.

import { createPool } from '../dist/index.js'

/** `driver(pool)` makes the face of the pool that is measured into a driver of drivers.js. */
export function openKeepwise(origin, { connections, idleTimeout }, driver) {
  const pool = createPool({ maxConnections: connections, keepAliveTimeout: idleTimeout })
  return {
    send: driver(pool),
    // Dials are limited to a few at a time, so that under full load thousands of connections would come slowly: they
    // are opened ahead of it, as the warm-up of the others does.
    warm: (count) => pool.warm(origin, count),
    state: () => brief(pool.stats()),
  }
}

function brief({ opened, active, idle, dialing, waiting, dialFailures, closed }) {
  const reasons = Object.fromEntries(Object.entries(closed).filter(([, count]) => count > 0))
  return { opened, active, idle, dialing, waiting, dialFailures, closed: reasons }
}
