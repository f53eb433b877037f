// Built-in fetch. This process must never import undici, which would replace the dispatcher of fetch.

import { unexpected } from '../../wire/senders.js'

export const title = 'fetch'
export const about = 'built into Node'

export function open() {
  return async (url, options) => {
    const response = await fetch(url, options)
    await response.arrayBuffer()
    if (response.status !== 200) throw unexpected(response.status)
  }
}
