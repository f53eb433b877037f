// Writes a run into docs/dead-peers.md.

import { writeMeasured } from '../wire/document.js'
import { describeMachine, describeVersions } from '../wire/machine.js'
import { sectionsOf } from './report.js'

/** Returns the path it wrote to. */
export const writeDocument = (result) => writeMeasured('dead-peers.md', 'dead', sections(result))

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
