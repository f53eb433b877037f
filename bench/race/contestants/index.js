// Finds the contestants: every other file of this directory is one, named by its file name. It exports
//   title    what the tables call it
//   about    how it is set up, in a few words for the table; empty where nothing is set
//   open()   => send(url, { method, headers, body? }): a promise, resolved when a 200 was read to its end
// All are set up as their documentation does it, with their own defaults. Each is loaded in the process that races it and
// in no other: undici, for one, would take over built-in fetch.

import { readdirSync, readFileSync } from 'node:fs'

/** In the order of the tables: keepwise last, the others by age of the idea. */
const ORDER = ['http-agent', 'agentkeepalive', 'axios', 'got', 'fetch', 'undici', 'undici-retry']

const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.js') && file !== 'index.js')

export const names = files.map((file) => file.slice(0, -3)).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))

function rank(name) {
  const place = ORDER.indexOf(name)
  return place < 0 ? ORDER.length : place
}

export function load(name) {
  if (!names.includes(name)) throw new Error(`No contestant "${name}". There are: ${names.join(', ')}`)
  return import(`./${name}.js`)
}

/** `title` and `about` of a contestant without loading it: read from its text, as two lines of plain strings. */
export function describe(name) {
  const text = readFileSync(new URL(`./${name}.js`, import.meta.url), 'utf8')
  const read = (key) => new RegExp(`^export const ${key} = '(.*)'$`, 'm').exec(text)?.[1]
  return { title: read('title'), about: read('about') }
}
