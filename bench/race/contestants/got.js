// got: node:http with node's global agents, and retries for methods that may be repeated.

import got from 'got'

export const title = 'got'
export const about = ''

export function open() {
  return async (url, { method, headers, body }) => {
    await got(url, { method, headers, body })
  }
}
