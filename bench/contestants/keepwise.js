// keepwise's dispatcher.

import { dispatchDriver } from '../drivers.js'
import { openKeepwise } from '../keepwise-pool.js'

export const title = 'keepwise'
export const weight = 1

export function open(origin, settings) {
  return openKeepwise(origin, settings, ({ dispatcher }) => dispatchDriver(dispatcher, origin))
}
