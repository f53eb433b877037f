// Writes a run into docs/dead-peers.md: what stands between the two markers is replaced, the rest is written by hand and
// stays.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describeMachine, describeVersions } from '../race/machine.js'
import { sectionsOf } from './report.js'

const FILE = fileURLToPath(new URL('../../docs/dead-peers.md', import.meta.url))
const BEGIN = '<!-- measured: begin. Written by `npm run dead -- --write`; edit outside these two lines only. -->'
const END = '<!-- measured: end -->'

/** Returns the path it wrote to. */
export function writeDocument(result) {
  const text = readFileSync(FILE, 'utf8')
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`${FILE} lacks its two markers:\n${BEGIN}\n${END}`)
  writeFileSync(
    FILE,
    `${text.slice(0, begin + BEGIN.length)}\n\n${sections(result).join('\n\n')}\n\n${text.slice(end)}`,
  )
  return FILE
}

function sections({ options, day, machine, versions, verdicts }) {
  const { lanes, delay } = options
  return [
    `${day}, ${machine}. ${versions}.`,
    `${lanes} connections of each client in each column, a round trip of ${2 * delay} ms.`,
    ...sectionsOf(verdicts, options).flatMap(({ title, words, table }) => [`### ${title}`, words, table]),
  ]
}

/** What a result belongs to. */
export function circumstances() {
  return { day: new Date().toISOString().slice(0, 10), machine: describeMachine(), versions: describeVersions() }
}
