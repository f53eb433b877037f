// What the scripts that measure on a wire have in common: help, the numbers of an earlier run, and what a wire takes.

import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Runs a script to its exit code, also where it fails.
 *
 * @param script of package.json
 * @param parse makes options of arguments, with `help`, `from`, `json` and `write` among them; throws with one sentence
 * @param measure makes a result of options: `{ result, ok }`
 * @param publish writes a result into the documentation
 */
export async function main({ script, usage, parse, measure, publish }) {
  try {
    const options = parse(process.argv.slice(2))
    if (options.help) console.log(usage)
    else if (options.from) publish(JSON.parse(readFileSync(options.from, 'utf8')))
    else process.exitCode = await run(script, options, measure, publish)
  } catch (error) {
    console.error(`${script} failed: ${error.message}`)
    process.exitCode = 2
  }
}

async function run(script, options, measure, publish) {
  const lack = whatIsMissing(script)
  if (lack) throw new Error(lack)
  const started = Date.now()
  const { result, ok } = await measure(options)
  console.log(`\n${Math.round((Date.now() - started) / 1000)} s`)
  if (options.json) writeFileSync(options.json, JSON.stringify(result, null, 2))
  if (options.write) publish(result)
  return options.check && !ok ? 1 : 0
}

/** Those that are asked for; all, where none of them is. */
export function chosen(all, only, nameOf) {
  const selected = all.filter((each) => only.includes(nameOf(each)))
  return selected.length > 0 ? selected : all
}

/** One sentence, or undefined. */
function whatIsMissing(script) {
  if (process.platform !== 'linux') return 'The wire is made of Linux network namespaces: run this on Linux, as root.'
  if (process.getuid() !== 0)
    return `The wire is made of network namespaces of its own, which takes root: sudo npm run ${script}`
}
