// `npm run dead`: keepwise and its peers when the wire is cut: who knows, when, and what then. `--help` lists the options.

import { chosen, main } from '../wire/main.js'
import { names } from './contestants/index.js'
import { circumstances, writeDocument } from './document.js'
import { complaint, judge } from './judge.js'
import { parseOptions, USAGE } from './options.js'
import { sectionsOf } from './report.js'
import { SCENES } from './scenes.js'
import { runTrial } from './trial.js'

await main({
  script: 'dead',
  usage: USAGE,
  parse: parseOptions,
  measure,
  publish: (result) => console.log(`written: ${writeDocument(result)}`),
})

async function measure({ only, lanes, patience, delay, check }) {
  const contestants = chosen(names, only, (name) => name)
  const scenes = chosen(SCENES, only, ({ name }) => name)
  console.log(`${contestants.length} contestants in ${scenes.length} scenes at once, about ${patience + 10} s`)
  const verdicts = judge(await runTrial({ contestants, scenes, lanes, patience, delay }))
  const options = { lanes, patience, delay }
  for (const { title, table } of sectionsOf(verdicts, options)) console.log(`\n${title}\n\n${table}`)
  return { result: { options, ...circumstances(), verdicts }, ok: !check || isAsPromised(verdicts) }
}

/** Says what is not. */
function isAsPromised(verdicts) {
  const ours = verdicts.filter(({ contestant }) => contestant.startsWith('keepwise'))
  if (ours.length === 0) throw new Error('--check is about keepwise, which did not take part')
  const sceneOf = ({ scene }) => SCENES.find(({ name }) => name === scene)
  const complaints = ours.map((verdict) => complaint(verdict, sceneOf(verdict))).filter((each) => each !== undefined)
  for (const each of complaints) console.error(each)
  return complaints.length === 0
}
