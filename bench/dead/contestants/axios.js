// axios, over an http.Agent that probes as soon as it can.

import http from 'node:http'
import axios from 'axios'

export const title = 'axios'
export const about = 'over that http.Agent'

export function open() {
  const httpAgent = new http.Agent({ keepAlive: true, keepAliveMsecs: 2000 })
  return async (url, { method, headers, body }) => {
    await axios.request({ url, method, headers, data: body, httpAgent, maxBodyLength: Number.POSITIVE_INFINITY })
  }
}
