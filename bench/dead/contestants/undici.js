// undici's Agent, through request(). Ti can be set; Td and Nm are node's own, 1 s and 10.

import { Agent, request } from 'undici'
import { throughDispatcher } from '../../wire/senders.js'

export const title = 'undici Agent'
export const about = '`keepAliveInitialDelay: 2000`'

export function open() {
  return throughDispatcher(request, new Agent({ connect: { keepAlive: true, keepAliveInitialDelay: 2000 } }))
}
