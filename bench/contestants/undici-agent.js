// undici.Agent: one undici.Pool (at one connection: one Client) for each origin, found by a map.

import { Agent } from 'undici'
import { dispatchDriver } from '../drivers.js'

export const title = 'undici.Agent'
export const weight = 1

export function open(origin, { connections, idleTimeout }) {
  const agent = new Agent({ connections, pipelining: 1, keepAliveTimeout: idleTimeout })
  return { send: dispatchDriver(agent, origin) }
}
