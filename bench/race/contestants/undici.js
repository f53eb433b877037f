// undici's Agent, through request().

import { Agent, request } from 'undici'
import { throughDispatcher } from '../../wire/senders.js'

export const title = 'undici Agent'
export const about = ''

export function open() {
  return throughDispatcher(request, new Agent())
}
