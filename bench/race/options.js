// The command line of `npm run race -- [options]`.

import { parseArgs } from 'node:util'
import { names } from './contestants/index.js'
import { SCENARIOS } from './scenarios.js'

const DEFAULTS = { requests: 2000, lanes: 100, delay: 20, seed: 1 }
const QUICK = { requests: 400, lanes: 100 }

export const USAGE = `npm run race -- [options]      (Linux, as root)

  --quick           ${QUICK.requests} requests for each contestant and scenario instead of ${DEFAULTS.requests}
  --requests <n>    requests for each contestant and scenario
  --lanes <n>       connections in parallel, each to an origin of its own (default ${DEFAULTS.lanes})
  --only <names>    only these contestants and scenarios, with commas
  --delay <ms>      length of the wire, one way (default ${DEFAULTS.delay}: a round trip of ${2 * DEFAULTS.delay} ms)
  --aimed <percent> share of the requests aimed at the close, instead of what the scenario says
  --seed <n>        another schedule of idle times (default ${DEFAULTS.seed})
  --check           exit with 1 when keepwise failed a request, or one was processed twice
  --json <file>     write the numbers to a file
  --write           write docs/race.md and its charts (a full run only)
  --from <file>     race nobody: write them from the numbers in a file that --json wrote
  --help            this text

  contestants: ${names.join(', ')}
  scenarios:   ${SCENARIOS.map(({ name }) => name).join(', ')}
`

/** Throws with one sentence when the options make no sense. */
export function parseOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      requests: { type: 'string' },
      lanes: { type: 'string' },
      only: { type: 'string', default: '' },
      delay: { type: 'string' },
      aimed: { type: 'string' },
      seed: { type: 'string' },
      check: { type: 'boolean', default: false },
      json: { type: 'string' },
      write: { type: 'boolean', default: false },
      from: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const { quick, check, json, write, from, help } = values
  const only = values.only.split(',').filter(Boolean)
  const known = [...names, ...SCENARIOS.map(({ name }) => name)]
  const unknown = only.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Error(`Neither contestant nor scenario: "${unknown}". --help lists them`)
  const aimed = values.aimed === undefined ? undefined : percent('--aimed', values.aimed)
  if (write && (quick || only.length > 0 || aimed !== undefined))
    throw new Error('--write needs a full run: drop --quick, --only and --aimed')
  const defaults = { ...DEFAULTS, ...(quick && QUICK) }
  const numbers = Object.keys(DEFAULTS).map((name) => [name, positive(`--${name}`, values[name]) ?? defaults[name]])
  return { ...Object.fromEntries(numbers), aimed, only, check, json, write, from, help }
}

function positive(option, text) {
  if (text === undefined) return undefined
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`${option} takes a whole number from 1, not "${text}"`)
  return number
}

function percent(option, text) {
  const number = Number(text)
  if (text.trim() === '' || !(number >= 0 && number <= 100)) throw new Error(`${option} takes 0 to 100, not "${text}"`)
  return number / 100
}
