// `npm run race`: keepwise and its peers in the race between a request and a server's idle timer, over a wire with a
// length. `--help` lists the options.

import { chosen, main } from '../wire/main.js'
import { draw } from './chart.js'
import { names } from './contestants/index.js'
import { writeDocument } from './document.js'
import { parseOptions, USAGE } from './options.js'
import { formatHeading, formatTrial } from './report.js'
import { SCENARIOS } from './scenarios.js'
import { runTrial } from './trial.js'

await main({ script: 'race', usage: USAGE, parse: parseOptions, measure, publish })

async function measure(options) {
  const { only, delay, requests, lanes, seed } = options
  const trials = []
  for (const each of chosen(SCENARIOS, only, ({ name }) => name)) {
    const scenario = { ...each, aimed: options.aimed ?? each.aimed }
    console.log(formatHeading(scenario, options))
    for (const contestant of chosen(names, only, (name) => name)) {
      trials.push(await runTrial({ contestant, scenario, delay, requests, lanes, seed }))
      console.log(formatTrial(trials.at(-1)))
    }
  }
  return { result: { options: { delay, requests, lanes, seed }, trials }, ok: !trials.some(isLost) }
}

/** keepwise heals every race, or is not what it says. */
function isLost({ contestant, failed, twice }) {
  return contestant.startsWith('keepwise') && failed + twice > 0
}

function publish(result) {
  for (const path of [writeDocument(result), ...draw(result)]) console.log(`written: ${path}`)
}
