// undici.Pool through request(): the promise, the body stream and its buffer included.

import { Pool } from 'undici'
import { requestDriver } from '../drivers.js'

export const title = 'undici.Pool, request()'
export const weight = 2

export function open(origin, { connections, idleTimeout }) {
  const pool = new Pool(origin, { connections, pipelining: 1, keepAliveTimeout: idleTimeout })
  return { send: requestDriver(pool, origin) }
}
