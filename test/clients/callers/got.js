/** got: an instance with both agents. */
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import gotModule from 'got'

/** @type {import('../support/caller.js').MakeCaller} */
export function got(origin, agents) {
  const instance = gotModule.extend({
    prefixUrl: origin,
    ...(agents && { agent: { http: agents.httpAgent, https: agents.httpsAgent } }),
    retry: { limit: 0 },
  })
  const own = ({ timeout, ...options } = {}) => ({ ...options, ...(timeout && { timeout: { response: timeout } }) })
  // It refuses a leading slash.
  const at = (path) => path.slice(1)
  const answer = ({ statusCode, body }) => ({ status: statusCode, body })

  return {
    get: async (path, options) => answer(await instance.get(at(path), own(options))),
    post: async (path, body, options) => answer(await instance.post(at(path), { ...own(options), body })),
    download: async (path, options) => {
      const stream = instance.stream(at(path), own(options))
      await new Promise((resolve, reject) => stream.once('response', resolve).once('error', reject))
      return stream
    },
    async upload(path, body, size, options) {
      const stream = instance.stream.put(at(path), { ...own(options), headers: { 'content-length': String(size) } })
      let status
      stream.once('response', ({ statusCode }) => (status = statusCode))
      const [, answered] = await Promise.all([pipeline(body, stream), text(stream)])
      return { status, body: answered }
    },
  }
}
