// got, over an http.Agent that probes as soon as it can. It retries methods that may be repeated.

import http from 'node:http'
import got from 'got'

export const title = 'got'
export const about = 'over that http.Agent'

export function open() {
  const agent = { http: new http.Agent({ keepAlive: true, keepAliveMsecs: 2000 }) }
  return async (url, { method, headers, body }) => {
    await got(url, { method, headers, body, agent })
  }
}
