// keepwise, through undici's request().

import { request } from 'undici'
import { createPool } from '../../../dist/index.js'
import { throughDispatcher } from '../../wire/senders.js'

export const title = 'keepwise'
export const about = ''

export function open() {
  return throughDispatcher(request, createPool().dispatcher)
}
