/** http.request and https.request. */
import http from 'node:http'
import https from 'node:https'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'

/** @type {import('../support/caller.js').MakeCaller} */
export function nodeHttp(origin, agents) {
  const isTls = origin.startsWith('https:')
  const { request } = isTls ? https : http
  const agent = isTls ? agents?.httpsAgent : agents?.httpAgent

  const begin = (method, path, { signal, timeout }, headers = {}) => {
    const sent = request(`${origin}${path}`, { agent, method, headers, signal, timeout })
    sent.on('timeout', () => sent.destroy(Object.assign(new Error('No answer'), { code: 'ETIMEDOUT' })))
    return sent
  }
  const responseTo = (sent) => new Promise((resolve, reject) => sent.on('response', resolve).on('error', reject))
  const read = async (response) => ({ status: response.statusCode, body: await text(response) })

  return {
    get: async (path, options = {}) => read(await responseTo(begin('GET', path, options).end())),
    post: async (path, body, options = {}) => read(await responseTo(begin('POST', path, options).end(body))),
    download: (path, options = {}) => responseTo(begin('GET', path, options).end()),
    async upload(path, body, size, options = {}) {
      const sent = begin('PUT', path, options, { 'content-length': size })
      const [response] = await Promise.all([responseTo(sent), pipeline(body, sent)])
      return read(response)
    },
  }
}
