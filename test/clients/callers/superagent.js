/** superagent: an agent for each request. */
import { PassThrough } from 'node:stream'
import superagentModule from 'superagent'

/** @type {import('../support/caller.js').MakeCaller} */
export function superagent(origin, agents) {
  const begin = (method, path, { signal, timeout } = {}) => {
    const request = superagentModule(method, `${origin}${path}`)
    if (agents) request.agent(origin.startsWith('https:') ? agents.httpsAgent : agents.httpAgent)
    if (timeout) request.timeout({ response: timeout })
    // It knows no signals; the requests of these tests end before the signal does.
    if (signal?.aborted) request.abort()
    else signal?.addEventListener('abort', () => request.abort(), { once: true })
    return request
  }
  const read = async (request) => {
    const { status, text } = await request.buffer(true)
    return { status, body: text }
  }

  return {
    get: (path, options) => read(begin('GET', path, options)),
    post: (path, body, options) => read(begin('POST', path, options).type('text/plain').send(body)),
    download: (path, options) =>
      new Promise((resolve, reject) => {
        const request = begin('GET', path, options).buffer(false)
        const body = new PassThrough()
        request.once('response', () => resolve(body))
        request.once('error', (error) => {
          reject(error)
          body.destroy(error)
        })
        request.once('abort', () => body.destroy(new Error('aborted')))
        request.pipe(body)
      }),
    upload: (path, body, size, options) =>
      new Promise((resolve, reject) => {
        const request = begin('PUT', path, options).set('content-length', String(size)).buffer(true)
        request.once('response', ({ status, text }) => resolve({ status, body: text }))
        request.once('error', reject)
        body.pipe(request)
      }),
  }
}
