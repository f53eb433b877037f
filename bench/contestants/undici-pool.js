// undici.Pool, the engine of most Node HTTP clients: the peer the budgets are set against.

import { Pool } from 'undici'
import { dispatchDriver } from '../drivers.js'

export const title = 'undici.Pool'
export const weight = 1

export function open(origin, { connections, idleTimeout }) {
  const pool = new Pool(origin, { connections, pipelining: 1, keepAliveTimeout: idleTimeout })
  return { send: dispatchDriver(pool, origin) }
}
