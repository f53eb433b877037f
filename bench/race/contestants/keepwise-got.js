// got, over keepwise's agents.

import got from 'got'
import { createPool } from '../../../dist/index.js'

export const title = 'got on keepwise'
export const about = ''

export function open() {
  const { httpAgent, httpsAgent } = createPool()
  return async (url, { method, headers, body }) => {
    await got(url, { method, headers, body, agent: { http: httpAgent, https: httpsAgent } })
  }
}
