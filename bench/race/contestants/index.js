// The contestants (see bench/wire/roster.js): every other file of this directory is one, named by its file name. All are set
// up as their documentation does it, with their own defaults.

import { readdirSync } from 'node:fs'
import { rosterOf } from '../../wire/roster.js'

/** In the order of the tables: keepwise last, the others by age of the idea. */
const ORDER = ['http-agent', 'agentkeepalive', 'axios', 'got', 'fetch', 'undici', 'undici-retry']

const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.js') && file !== 'index.js')

export const names = files.map((file) => file.slice(0, -3)).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))

function rank(name) {
  const place = ORDER.indexOf(name)
  return place < 0 ? ORDER.length : place
}

export const { load, describe } = rosterOf(import.meta.url, names)
