// The three clients, each with its defaults: nothing is configured.

import http from 'node:http'
import { text } from 'node:stream/consumers'
import { createPool } from 'keepwise'
import * as undici from 'undici'

/**
 * By name, a function that makes `{ send(url, { method, headers, body, signal }), close() }`; keepwise can explain, and says
 * what it sent again, too.
 */
export const clients = {
  'http.Agent': () => ({
    // No agent named: Node's default one, `http.globalAgent`, which keeps connections alive.
    send: (url, { body, ...options }) =>
      new Promise((resolve, reject) => {
        const request = http.request(url, options, (response) => {
          text(response).then(() => resolve(response.headers), reject)
        })
        request.on('error', reject)
        request.end(body)
      }),
    close: () => http.globalAgent.destroy(),
  }),

  'undici.Agent': () => {
    const dispatcher = new undici.Agent()
    return { send: (url, options) => sendWithUndici(url, { ...options, dispatcher }), close: () => dispatcher.close() }
  },

  keepwise: (onClose) => {
    const pool = createPool()
    pool.on('close', ({ connection, reason }) => onClose(connection.localPort, reason))
    return {
      send: (url, options) => sendWithUndici(url, { ...options, dispatcher: pool.dispatcher }),
      close: () => pool.close(),
      explain: (origin) => {
        const { value, because } = pool.explain(origin).idleTimeout
        return `${value > 0 ? `${Number((value / 1000).toFixed(2))} s` : 'not kept'}: ${because}`
      },
      replayed: (origin) => pool.stats().origins[origin]?.replayed ?? 0,
    }
  },
}

async function sendWithUndici(url, options) {
  const { headers, body } = await undici.request(url, options)
  await body.text()
  return headers
}
