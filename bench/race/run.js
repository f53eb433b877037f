// `npm run race`: keepwise and its peers in the race between a request and a server's idle timer, over a wire with a
// length. `--help` lists the options.

import { readFileSync, writeFileSync } from 'node:fs'
import { draw } from './chart.js'
import { names } from './contestants/index.js'
import { writeDocument } from './document.js'
import { parseOptions, USAGE } from './options.js'
import { formatHeading, formatTrial } from './report.js'
import { SCENARIOS } from './scenarios.js'
import { runTrial } from './trial.js'

try {
  process.exitCode = await main(parseOptions(process.argv.slice(2)))
} catch (error) {
  console.error(`race failed: ${error.message}`)
  process.exitCode = 2
}

async function main(options) {
  if (options.help) {
    console.log(USAGE)
    return 0
  }
  if (options.from) {
    publish(JSON.parse(readFileSync(options.from, 'utf8')))
    return 0
  }
  const lack = whatIsMissing()
  if (lack) throw new Error(lack)

  const { delay, requests, lanes, seed } = options
  const selected = names.filter((name) => options.only.includes(name))
  const contestants = selected.length > 0 ? selected : names
  const scenarios = SCENARIOS.filter(({ name }) => options.only.includes(name))
  const started = Date.now()
  const trials = []
  for (const each of scenarios.length > 0 ? scenarios : SCENARIOS) {
    const scenario = { ...each, aimed: options.aimed ?? each.aimed }
    console.log(formatHeading(scenario, options))
    for (const contestant of contestants) {
      trials.push(await runTrial({ contestant, scenario, delay, requests, lanes, seed }))
      console.log(formatTrial(trials.at(-1)))
    }
  }
  console.log(`\n${Math.round((Date.now() - started) / 1000)} s`)
  const result = { options: { delay, requests, lanes, seed }, trials }
  if (options.json) writeFileSync(options.json, JSON.stringify(result, null, 2))
  if (options.write) publish(result)
  return options.check && trials.some(isLost) ? 1 : 0
}

/** keepwise heals every race, or is not what it says. */
function isLost({ contestant, failed, twice }) {
  return contestant.startsWith('keepwise') && failed + twice > 0
}

function publish(result) {
  for (const path of [writeDocument(result), ...draw(result)]) console.log(`written: ${path}`)
}

/** One sentence, or undefined. */
function whatIsMissing() {
  if (process.platform !== 'linux') return 'The wire is made of Linux network namespaces: run this on Linux, as root.'
  if (process.getuid() !== 0)
    return 'The wire is made of network namespaces of its own, which takes root: sudo npm run race'
}
