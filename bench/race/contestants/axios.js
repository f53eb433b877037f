// axios: node:http with node's global agents.

import axios from 'axios'

export const title = 'axios'
export const about = ''

export function open() {
  return async (url, { method, headers, body }) => {
    await axios.request({ url, method, headers, data: body })
  }
}
