/** axios: an instance with both agents. */
import axiosModule from 'axios'

/** @type {import('../support/caller.js').MakeCaller} */
export function axios(origin, agents) {
  const instance = axiosModule.create({
    baseURL: origin,
    httpAgent: agents?.httpAgent,
    httpsAgent: agents?.httpsAgent,
    // The test machine's proxies are not the tests'.
    proxy: false,
    // As it is, whatever it looks like: axios would parse JSON.
    transformResponse: (data) => data,
    responseType: 'text',
  })
  const answer = ({ status, data }) => ({ status, body: data })

  return {
    get: async (path, options) => answer(await instance.get(path, options)),
    post: async (path, body, options) => answer(await instance.post(path, body, options)),
    download: async (path, options) => (await instance.get(path, { ...options, responseType: 'stream' })).data,
    upload: async (path, body, size, options) =>
      answer(
        await instance.put(path, body, {
          ...options,
          headers: { 'content-length': size },
          // follow-redirects would keep all of the stream in memory, and ignore back pressure.
          maxRedirects: 0,
        }),
      ),
  }
}
