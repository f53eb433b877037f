// Finds the contestants: every other file of this directory is one, named by its file name. It exports
//   title            what the tables call it
//   weight           how many times the CPU of a bare dispatch a request costs, roughly: only to keep runs equally long
//   opens            optional: (outstanding) => { min, max }, the connections it may open; nearly `outstanding` if absent
//   open(origin, { connections, idleTimeout }) => { send, warm?(connections), state?() }
//                    send is one of ../drivers.js; warm opens connections ahead of the load, where a pool can do that;
//                    state is what the pool believes of itself, for the message of a failed check
// A contestant is loaded in the process that measures it and in no other, so that none pays for another's modules.

import { readdirSync } from 'node:fs'

export const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.js') && file !== 'index.js')
  .map((file) => file.slice(0, -3))
  .sort()

// A pool that gives a waiting request the next free connection may not need the last few it was allowed.
const nearly = (outstanding) => ({ min: Math.ceil(0.97 * outstanding), max: outstanding })

export async function load(name) {
  if (!names.includes(name)) throw new Error(`No contestant "${name}". There are: ${names.join(', ')}`)
  const { title, weight, open, opens = nearly } = await import(`./${name}.js`)
  return { name, title, weight, open, opens }
}
