// Writes a run into docs/race.md.

import { writeMeasured } from '../wire/document.js'
import { describeMachine, describeVersions } from '../wire/machine.js'
import { describe } from './contestants/index.js'
import { SCENARIOS } from './scenarios.js'

/** Returns the path it wrote to. */
export const writeDocument = (result) => writeMeasured('race.md', 'race', sections(result))

function sections({ options, trials }) {
  const { requests, lanes, delay, seed } = options
  return [
    '## Results',
    `${new Date().toISOString().slice(0, 10)}, ${describeMachine()}. ${describeVersions()}.`,
    `${requests} requests for each line, ${lanes} connections in parallel, a round trip of ${2 * delay} ms (packets left the ` +
      `wire ${Math.max(...trials.map(({ wireLate }) => wireLate)).toFixed(1)} ms late on the average at the most), seed ${seed}.`,
    ...SCENARIOS.flatMap((scenario) => {
      const rows = trials.filter((trial) => trial.scenario === scenario.name)
      return rows.length === 0 ? [] : [`### ${scenario.title}`, words(scenario), table(rows)]
    }),
  ]
}

function words({ closeAfter, advertise, aimed }) {
  const server =
    advertise === undefined
      ? `The server closes idle connections after ${closeAfter} ms and has told nobody.`
      : `The server says \`Keep-Alive: timeout=${advertise}\` and closes idle connections after ${closeAfter} ms.`
  return aimed === 1 ? server : `${server} Of the requests, ${100 * (1 - aimed)} % come earlier than the race.`
}

function table(rows) {
  const headings = [
    'client',
    'failed',
    'processed twice',
    'healed',
    'reuse',
    'answered p50, p99',
    'healed p50, p99, max',
  ]
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [
    line(headings),
    line(['---', ...headings.slice(1).map(() => '---:')]),
    ...rows.map((row) => {
      const { title, about } = describe(row.contestant)
      return line([
        about ? `${title} (${about})` : title,
        row.failed === 0 ? '**0**' : `${row.failed}${shareOf(row.failed, row.aimed)}`,
        row.twice,
        row.healed,
        `${Math.round(100 * row.reuse)} %`,
        times(row.latency, ['p50', 'p99']),
        times(row.healing, ['p50', 'p99', 'max']),
      ])
    }),
  ].join('\n')
}

const shareOf = (count, all) => ` (${((100 * count) / all).toFixed(1)} %)`

const times = (values, which) => (values ? `${which.map((name) => values[name].toFixed(0)).join(', ')} ms` : '')
