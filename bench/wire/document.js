// Writes a run into a page of the documentation: what stands between two markers is replaced, the rest is written by hand
// and stays.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const END = '<!-- measured: end -->'

/**
 * Returns the path it wrote to.
 *
 * @param name of a file in docs/
 * @param script of package.json, by which the run can be repeated
 */
export function writeMeasured(name, script, sections) {
  const file = fileURLToPath(new URL(`../../docs/${name}`, import.meta.url))
  const begin = `<!-- measured: begin. Written by \`npm run ${script} -- --write\`; edit outside these two lines only. -->`
  const text = readFileSync(file, 'utf8')
  const from = text.indexOf(begin)
  const to = text.indexOf(END)
  if (from < 0 || to < from) throw new Error(`${file} lacks its two markers:\n${begin}\n${END}`)
  writeFileSync(file, `${text.slice(0, from + begin.length)}\n\n${sections.join('\n\n')}\n\n${text.slice(to)}`)
  return file
}
