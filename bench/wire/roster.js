// Finds the contestants of a directory: each is a file of it, and exports
//   title    what the tables call it
//   about    how it is set up, in a few words for the table; empty where nothing is set
//   open()   => send(url, { method, headers, body? }): a promise, resolved when a 200 was read to its end
// Each is loaded in the process that measures it and in no other: undici, for one, would take over built-in fetch.

import { readFileSync } from 'node:fs'

/** @param directory URL of a file in it */
export function rosterOf(directory, names) {
  return {
    load(name) {
      if (!names.includes(name)) throw new Error(`No contestant "${name}". There are: ${names.join(', ')}`)
      return import(new URL(`./${name}.js`, directory))
    },
    /** `title` and `about` of a contestant without loading it: read from its text, as two lines of plain strings. */
    describe(name) {
      const text = readFileSync(new URL(`./${name}.js`, directory), 'utf8')
      const read = (key) => new RegExp(`^export const ${key} = '(.*)'$`, 'm').exec(text)?.[1]
      return { title: read('title'), about: read('about') }
    },
  }
}
