/** node-fetch: the agent chosen for each URL, redirects included. */
import fetch from 'node-fetch'

/** @type {import('../support/caller.js').MakeCaller} */
export function nodeFetch(origin, agents) {
  const agent = agents && ((url) => (url.protocol === 'https:' ? agents.httpsAgent : agents.httpAgent))
  const send = (path, init, { signal, timeout } = {}) => {
    // It has no time limits, but signals.
    const limits = [signal, timeout && AbortSignal.timeout(timeout)].filter(Boolean)
    return fetch(`${origin}${path}`, {
      agent,
      ...init,
      signal: limits.length > 1 ? AbortSignal.any(limits) : limits[0],
    })
  }
  const read = async (response) => ({ status: response.status, body: await response.text() })

  return {
    get: async (path, options) => read(await send(path, {}, options)),
    post: async (path, body, options) => read(await send(path, { method: 'POST', body }, options)),
    download: async (path, options) => (await send(path, {}, options)).body,
    upload: async (path, body, size, options) =>
      read(await send(path, { method: 'PUT', body, headers: { 'content-length': String(size) } }, options)),
  }
}
