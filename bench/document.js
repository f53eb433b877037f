// Writes a full run into docs/benchmarks.md: what stands between the two markers is replaced, the rest is written by
// hand and stays.

import { readFileSync, writeFileSync } from 'node:fs'
import { describeMachine, describeVersions } from './machine.js'
import { BODY } from './nginx.js'
import { formatDelay, formatKilobytes, formatRatio, isOverBudget, mainRatio } from './report.js'

const FILE = new URL('../docs/benchmarks.md', import.meta.url)
const BEGIN = '<!-- measured: begin. Written by `npm run bench -- --write`; edit outside these two lines only. -->'
const END = '<!-- measured: end -->'

/** `notes`: what was missing on the machine, which a reader must know. Returns the path it wrote to. */
export function writeDocument({ loads, idles, notes }) {
  const text = readFileSync(FILE, 'utf8')
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`${FILE.pathname} lacks its two markers:\n${BEGIN}\n${END}`)
  const measured = sections({ loads, idles, notes }).join('\n\n')
  writeFileSync(FILE, `${text.slice(0, begin + BEGIN.length)}\n\n${measured}\n\n${text.slice(end)}`)
  return FILE.pathname
}

function sections({ loads, idles, notes }) {
  const over = [...loads, ...idles].filter(isOverBudget).length
  return [
    '## Results',
    `${new Date().toISOString().slice(0, 10)}, ${describeMachine()}. ${describeVersions()}. ` +
      `Responses of ${BODY.length} bytes.${notes.map((note) => ` ${note}`).join('')}`,
    over === 0 ? 'Every budget holds.' : `**Over budget: ${over}**, marked below.`,
    '### CPU per request',
    'Ratio of the first to the second, median of the pairs (smallest to largest); below 1 the first is cheaper.',
    table(
      ['connections', 'compared', 'ratio', 'budget', 'pairs'],
      loads.map((result) => [
        result.connections,
        names(result),
        formatRatio(mainRatio(result)),
        budget(result),
        result.runs,
      ]),
    ),
    '### Heap per idle connection',
    table(
      ['connections', 'compared', 'ratio', 'budget', 'heap', 'external', 'array buffers', 'resident'],
      idles.map((result) => [
        result.connections,
        names(result),
        formatRatio(mainRatio(result)),
        budget(result),
        ...['heap', 'external', 'arrayBuffers', 'rss'].map((name) =>
          both(result, (side) => formatKilobytes(side[name])),
        ),
      ]),
    ),
    'The last four columns are KiB for one connection.',
    '### In absolute numbers',
    'For orientation: they belong to this machine and this hour, only the ratios travel. Event-loop delay is the median of ' +
      'the p50 and of the p99 of all slices and pairs, and the median of the maxima.',
    table(
      ['connections', 'compared', 'CPU per request (us)', 'requests per second', 'loop delay p50 p99 max (ms)'],
      loads.map((result) => [
        result.connections,
        names(result),
        both(result, ({ cpu }) => cpu.toFixed(1)),
        both(result, ({ rate }) => Math.round(rate)),
        both(result, formatDelay),
      ]),
    ),
  ]
}

const names = ({ subject, peer }) => `${subject.title} : ${peer.title}`
const both = ({ subject, peer }, show) => `${show(subject)} : ${show(peer)}`

function budget(result) {
  if (result.budget === undefined) return ''
  return isOverBudget(result) ? `**over ${result.budget.toFixed(2)}**` : result.budget.toFixed(2)
}

function table(headings, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)].join('\n')
}
