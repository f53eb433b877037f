// keepwise, which must heal every race because it may not learn to avoid them.

import { request } from 'undici'
import { createPool } from '../../../dist/index.js'
import { throughDispatcher } from '../../wire/senders.js'

export const title = 'keepwise'
export const about = '`learn: false`'

export function open() {
  return throughDispatcher(request, createPool({ learn: false }).dispatcher)
}
