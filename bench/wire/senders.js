// The ways contestants send a request: `send(url, { method, headers, body? })`, a promise for the end of the response. What
// breaks off in the middle of a response has failed.

import http from 'node:http'
import https from 'node:https'

/** node:http and node:https, each with an agent. */
export function throughAgents(httpAgent, httpsAgent) {
  return (url, { method, headers, body }) =>
    new Promise((resolve, reject) => {
      const isSecure = url.startsWith('https:')
      const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
      const options = { method, headers: { ...headers, ...length }, agent: isSecure ? httpsAgent : httpAgent }
      const request = (isSecure ? https : http).request(url, options, (response) => {
        response.on('error', reject)
        response.on('end', () => (response.statusCode === 200 ? resolve() : reject(unexpected(response.statusCode))))
        response.resume()
      })
      request.on('error', reject)
      request.end(body)
    })
}

/** undici's request(), through a dispatcher. @param {typeof import('undici').request} request */
export function throughDispatcher(request, dispatcher) {
  return async (url, options) => {
    const { statusCode, body } = await request(url, { ...options, dispatcher })
    await body.arrayBuffer() // dump() is content with a response that breaks off
    if (statusCode !== 200) throw unexpected(statusCode)
  }
}

export const unexpected = (status) => new Error(`status ${status} instead of 200`)
