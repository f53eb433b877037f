// Built-in fetch with keepwise as its dispatcher.

import { fetchDriver } from '../drivers.js'
import { openKeepwise } from '../keepwise-pool.js'

export const title = 'fetch with keepwise'
export const weight = 10

export function open(origin, settings) {
  return openKeepwise(origin, settings, ({ dispatcher }) => fetchDriver(origin, dispatcher))
}
