// The command line of `npm run bench -- [options]`.

import { parseArgs } from 'node:util'
import { LEVELS } from './plan.js'

export const USAGE = `npm run bench -- [options]

  --quick               a look in under a minute: fewer runs and requests, ratios good to about 5 %
  --only <names>        only these contestants, with commas: undici-pool; keepwise,undici-pool; a/b compares any two
  --connections <list>  numbers of connections, with commas (default ${LEVELS.join(',')})
  --runs <n>            pairs of runs for each comparison
  --no-heap             leave out the memory of idle connections
  --check               exit with 1 when a budget is exceeded
  --write               write the result to docs/benchmarks.md (a full run only)
  --profile <name>      CPU profile of one contestant: the 25 functions with the most self time
  --help                this text
`

/** Throws with one sentence when the options make no sense. */
export function parseOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      connections: { type: 'string', default: '' },
      runs: { type: 'string' },
      'no-heap': { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const list = (text) => text.split(',').filter(Boolean)
  const options = {
    quick: values.quick,
    only: list(values.only),
    connections: list(values.connections).map((text) => positive('--connections', text)),
    runs: values.runs === undefined ? undefined : positive('--runs', values.runs),
    heap: !values['no-heap'],
    check: values.check,
    write: values.write,
    profile: values.profile,
    help: values.help,
  }
  const partial = options.quick || options.only.length > 0 || options.connections.length > 0 || !options.heap
  if (options.write && partial)
    throw new Error('--write needs a full run: drop --quick, --only, --connections, --no-heap')
  return options
}

function positive(option, text) {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`${option} takes whole numbers from 1, not "${text}"`)
  return number
}
