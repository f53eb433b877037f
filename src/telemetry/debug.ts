/**
 * `NODE_DEBUG=keepwise`: what happens to the connections of all pools, one line an event, on the standard error stream. The
 * lines are those of `keepwise watch`.
 */
import { debuglog } from 'node:util'
import { describe } from '../timeline/describe.js'
import { Recorder } from '../timeline/recorder.js'

const KEY = Symbol.for('keepwise.debug')

/** Of the whole process: the other copies of this package that it may have loaded print nothing. */
const holder = globalThis as { [KEY]?: true }

/** Prints from now on, if the process was started with that; to call it again does nothing. */
export function printIfAsked(): void {
  const print = debuglog('keepwise')
  if (!print.enabled || holder[KEY]) return
  holder[KEY] = true
  new Recorder((record) => print(describe(record))).start()
}
