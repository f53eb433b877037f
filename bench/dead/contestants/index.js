// The contestants (see bench/wire/roster.js). TCP keepalive is set as near to Ti 2 s, Td 1 s, Nm 3 as each lets itself be set.

import { rosterOf } from '../../wire/roster.js'

/** In the order of the tables: keepwise last, the others by age of the idea. */
export const names = [
  'http-agent',
  'agentkeepalive',
  'agentkeepalive-timers',
  'axios',
  'got',
  'fetch',
  'undici',
  'keepwise-http',
  'keepwise',
]

export const { load, describe } = rosterOf(import.meta.url, names)
