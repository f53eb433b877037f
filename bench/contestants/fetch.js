// Built-in fetch with a dispatcher of its own kind. This process must never import undici, which would replace it.

import { fetchDriver } from '../drivers.js'

export const title = 'fetch'
export const weight = 10

// It has no limit on connections, and one that has just finished a response counts as busy until the next turn of the
// loop: twice as many as there are requests outstanding are opened.
export const opens = (outstanding) => ({ min: outstanding, max: 2 * outstanding + 2 })

const DISPATCHER = Symbol.for('undici.globalDispatcher.1')

export function open(origin, { idleTimeout }) {
  // The first fetch makes node load its undici; only then is there a default dispatcher.
  fetch('data:,')
  const { constructor: BuiltInAgent } = globalThis[DISPATCHER]
  const agent = new BuiltInAgent({ keepAliveTimeout: idleTimeout })
  globalThis[DISPATCHER] = agent
  return { send: fetchDriver(origin) }
}
