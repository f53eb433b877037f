// axios, over keepwise's agents.

import axios from 'axios'
import { createPool } from '../../../dist/index.js'

export const title = 'axios on keepwise'
export const about = ''

export function open() {
  const { httpAgent, httpsAgent } = createPool()
  return async (url, { method, headers, body }) => {
    await axios.request({ url, method, headers, data: body, httpAgent, httpsAgent })
  }
}
