// The command line of `npm run dead -- [options]`.

import { parseArgs } from 'node:util'
import { names } from './contestants/index.js'
import { SCENES } from './scenes.js'

const DEFAULTS = { lanes: 3, patience: 30, delay: 20 }
/** Seconds: the living are slower than this. */
const LEAST_PATIENCE = 25

export const USAGE = `npm run dead -- [options]      (Linux, as root)

  --only <names>    only these contestants and scenes, with commas
  --lanes <n>       connections of each contestant in each scene (default ${DEFAULTS.lanes})
  --patience <s>    seconds after which nobody is waited for any more (default ${DEFAULTS.patience})
  --delay <ms>      length of the wire, one way (default ${DEFAULTS.delay}: a round trip of ${2 * DEFAULTS.delay} ms)
  --check           exit with 1 when keepwise did not know in time, took a living peer for dead, or did not recover
  --json <file>     write the numbers to a file
  --write           write docs/dead-peers.md (a full run only)
  --from <file>     cut no wire: write it from the numbers in a file that --json wrote
  --help            this text

  contestants: ${names.join(', ')}
  scenes:      ${SCENES.map(({ name }) => name).join(', ')}
`

/** Throws with one sentence when the options make no sense. */
export function parseOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', default: '' },
      lanes: { type: 'string' },
      patience: { type: 'string' },
      delay: { type: 'string' },
      check: { type: 'boolean', default: false },
      json: { type: 'string' },
      write: { type: 'boolean', default: false },
      from: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const { check, json, write, from, help } = values
  const only = values.only.split(',').filter(Boolean)
  const known = [...names, ...SCENES.map(({ name }) => name)]
  const unknown = only.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Error(`Neither contestant nor scene: "${unknown}". --help lists them`)
  if (write && only.length > 0) throw new Error('--write needs a full run: drop --only')
  const lanes = atLeast('--lanes', values.lanes, 1) ?? DEFAULTS.lanes
  const patience = atLeast('--patience', values.patience, LEAST_PATIENCE) ?? DEFAULTS.patience
  const delay = atLeast('--delay', values.delay, 1) ?? DEFAULTS.delay
  return { lanes, patience, delay, only, check, json, write, from, help }
}

function atLeast(option, text, least) {
  if (text === undefined) return undefined
  const number = Number(text)
  if (!Number.isInteger(number) || number < least)
    throw new Error(`${option} takes a whole number from ${least}, not "${text}"`)
  return number
}
