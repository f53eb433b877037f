// The ways contestants send a request: `send(url, { method, headers, body? })`, a promise for the end of the response. What
// breaks off in the middle of a response has failed.

import { unexpected } from '../race/senders.js'

export { throughAgents, unexpected } from '../race/senders.js'

/** undici's request(), through a dispatcher. @param {typeof import('undici').request} request */
export function throughDispatcher(request, dispatcher) {
  return async (url, options) => {
    const { statusCode, body } = await request(url, { ...options, dispatcher })
    await body.arrayBuffer()
    if (statusCode !== 200) throw unexpected(statusCode)
  }
}
