// `npm run dead`: keepwise and its peers when the wire is cut: who knows, when, and what then. `--help` lists the options.

import { readFileSync, writeFileSync } from 'node:fs'
import { names } from './contestants/index.js'
import { circumstances, writeDocument } from './document.js'
import { complaint, judge } from './judge.js'
import { parseOptions, USAGE } from './options.js'
import { sectionsOf } from './report.js'
import { SCENES } from './scenes.js'
import { runTrial } from './trial.js'

try {
  process.exitCode = await main(parseOptions(process.argv.slice(2)))
} catch (error) {
  console.error(`dead failed: ${error.message}`)
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

  const { only, lanes, patience, delay } = options
  const started = Date.now()
  const contestants = chosen(names, only, (name) => name)
  const scenes = chosen(SCENES, only, ({ name }) => name)
  console.log(`${contestants.length} contestants in ${scenes.length} scenes at once, about ${patience + 10} s`)
  const verdicts = judge(await runTrial({ contestants, scenes, lanes, patience, delay }))
  for (const { title, table } of sectionsOf(verdicts, options)) console.log(`\n${title}\n\n${table}`)
  console.log(`\n${Math.round((Date.now() - started) / 1000)} s`)

  const result = { options: { lanes, patience, delay }, ...circumstances(), verdicts }
  if (options.json) writeFileSync(options.json, JSON.stringify(result, null, 2))
  if (options.write) publish(result)
  return options.check ? check(verdicts) : 0
}

/** Those that are asked for; all, where none of them is. */
function chosen(all, only, nameOf) {
  const selected = all.filter((each) => only.includes(nameOf(each)))
  return selected.length > 0 ? selected : all
}

function check(verdicts) {
  const ours = verdicts.filter(({ contestant }) => contestant.startsWith('keepwise'))
  const complaints = ours.map((verdict) =>
    complaint(
      verdict,
      SCENES.find(({ name }) => name === verdict.scene),
    ),
  )
  for (const each of complaints) if (each !== undefined) console.error(each)
  if (ours.length === 0) throw new Error('--check is about keepwise, which did not take part')
  return complaints.some((each) => each !== undefined) ? 1 : 0
}

function publish(result) {
  console.log(`written: ${writeDocument(result)}`)
}

/** One sentence, or undefined. */
function whatIsMissing() {
  if (process.platform !== 'linux') return 'The wire is made of Linux network namespaces: run this on Linux, as root.'
  if (process.getuid() !== 0)
    return 'The wire is made of network namespaces of its own, which takes root: sudo npm run dead'
}
