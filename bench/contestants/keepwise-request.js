// keepwise's dispatcher through undici's request().

import { requestDriver } from '../drivers.js'
import { openKeepwise } from '../keepwise-pool.js'

export const title = 'keepwise, request()'
export const weight = 2

export function open(origin, settings) {
  return openKeepwise(origin, settings, ({ dispatcher }) => requestDriver(dispatcher, origin))
}
