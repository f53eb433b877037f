// Finds the contestants: each is a file of this directory and exports, as those of bench/race do,
//   title    what the tables call it
//   about    how it is set up, in a few words for the table; empty where nothing is set
//   open()   => send(url, { method, headers, body? }): a promise, resolved when a 200 was read to its end
// TCP keepalive is set as near to Ti 2 s, Td 1 s, Nm 3 as each lets itself be set. Each is loaded in a process of its own:
// undici, for one, would take over built-in fetch.

import { readFileSync } from 'node:fs'

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
