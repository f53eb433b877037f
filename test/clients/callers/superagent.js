/** superagent: the agent chosen for each URL by a plugin, redirects included. */
import { PassThrough } from 'node:stream'
import superagentModule from 'superagent'

/** To be given to `use()`. @param {import('../support/caller.js').Agents} agents */
export const through =
  ({ httpAgent, httpsAgent }) =>
  (request) => {
    const choose = () => request.agent(request.url.startsWith('https:') ? httpsAgent : httpAgent)
    choose()
    request.on('redirect', choose)
  }

/** @type {import('../support/caller.js').MakeCaller} */
export function superagent(origin, agents) {
  const begin = (method, path, { signal, timeout } = {}) => {
    // It knows no signals; the requests of these tests end before the signal does.
    signal?.throwIfAborted()
    const request = superagentModule(method, `${origin}${path}`)
    if (agents) request.use(through(agents))
    if (timeout) request.timeout({ response: timeout })
    signal?.addEventListener('abort', () => void request.abort(), { once: true })
    return request
  }
  const read = async (request) => {
    const { status, text } = await request.buffer(true)
    return { status, body: text }
  }

  return {
    get: async (path, options) => read(begin('GET', path, options)),
    post: async (path, body, options) => read(begin('POST', path, options).type('text/plain').send(body)),
    download: (path, options) =>
      new Promise((resolve, reject) => {
        const request = begin('GET', path, options).buffer(false)
        const body = new PassThrough()
        request.once('response', (response) => {
          // Without a listener, an error of a response that it pipes would be uncaught.
          response.on('error', (error) => body.destroy(error))
          resolve(body)
        })
        request.once('error', (error) => {
          reject(error)
          body.destroy(error)
        })
        request.once('abort', () => body.destroy(new Error('aborted')))
        // Nobody reads any more: what is not read is not wanted.
        body.once('close', () => void request.abort())
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
