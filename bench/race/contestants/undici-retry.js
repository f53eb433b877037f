// undici's RetryAgent, through request(): an Agent and retries for methods that may be repeated.

import { Agent, RetryAgent, request } from 'undici'
import { throughDispatcher } from '../../wire/senders.js'

export const title = 'undici RetryAgent'
export const about = ''

export function open() {
  return throughDispatcher(request, new RetryAgent(new Agent()))
}
