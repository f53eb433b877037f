// `npm run bench`: keepwise beside its peers against a real nginx, in paired runs. `--help` lists the options.

import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { watchBuild } from './build.js'
import { compareIdle, compareLoad } from './compare.js'
import { load } from './contestants/index.js'
import { writeDocument } from './document.js'
import { prepareMachine } from './machine.js'
import { startNginx } from './nginx.js'
import { parseOptions, USAGE } from './options.js'
import { Participant } from './participant.js'
import { IDLE_CONNECTIONS, IDLE_RUNS, LEVELS, QUICK_LEVELS, ROUGH, select, volume } from './plan.js'
import { formatProfile } from './profile.js'
import { formatIdle, formatLoad, HEADINGS, isOverBudget } from './report.js'

try {
  process.exitCode = await main(parseOptions(process.argv.slice(2)))
} catch (error) {
  console.error(`bench failed: ${error.message}`)
  process.exitCode = 2
}

async function main(options) {
  if (options.help) {
    console.log(USAGE)
    return 0
  }
  const machine = prepareMachine()
  for (const note of machine.notes) console.log(`note: ${note}`)
  // 'exit' listeners end nginx and the contestants: a signal must reach them.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))

  const nginx = await startNginx(machine.server)
  const bench = { nginx, client: machine.client }
  try {
    return options.profile ? await profile(bench, options) : await compare(bench, options, machine)
  } finally {
    await nginx.stop()
  }
}

async function compare(bench, options, machine) {
  const started = Date.now()
  const checkBuild = watchBuild()
  const comparisons = []
  for (const comparison of select(options.only)) {
    const { subject, peer } = comparison
    comparisons.push({ ...comparison, subject: await load(subject), peer: peer && (await load(peer)) })
  }

  console.log(HEADINGS.load)
  const loads = []
  for (const comparison of comparisons) {
    const { subject, peer, cpu } = comparison
    const weight = Math.max(subject.weight, peer?.weight ?? 0)
    const runs = options.runs ?? (options.quick ? 1 : comparison.runs)
    for (const connections of levels(options, cpu ?? {})) {
      const sent = volume(connections, weight, options.quick || !cpu ? ROUGH : 1)
      const result = await compareLoad(bench, { subject, peer, runs }, connections, sent)
      checkBuild()
      loads.push({ ...result, budget: cpu?.[connections] })
      console.log(formatLoad(loads.at(-1)))
    }
  }

  const idles = []
  if (options.heap) console.log(HEADINGS.idle)
  for (const { subject, peer, heap } of options.heap ? comparisons : []) {
    // A look at everything leaves out the memory nobody set a budget for.
    if (options.quick && options.only.length === 0 && heap === undefined) continue
    const runs = options.runs ?? (options.quick || heap === undefined ? IDLE_RUNS.other : IDLE_RUNS.budget)
    const result = await compareIdle(bench, { subject, peer, runs }, IDLE_CONNECTIONS)
    checkBuild()
    idles.push({ ...result, budget: heap })
    console.log(formatIdle(idles.at(-1)))
  }

  const budgeted = [...loads, ...idles].filter(({ budget }) => budget !== undefined)
  const over = budgeted.filter(isOverBudget).length
  const verdict = over === 0 ? `within all ${budgeted.length} budgets` : `OVER ${over} of ${budgeted.length} budgets`
  console.log(
    `\n${budgeted.length === 0 ? 'no budget applies' : verdict} (${Math.round((Date.now() - started) / 1000)} s)`,
  )
  if (options.write) console.log(`written: ${writeDocument({ loads, idles, notes: machine.notes })}`)
  return options.check && over > 0 ? 1 : 0
}

function levels({ connections, quick }, budgets) {
  if (connections.length > 0) return connections
  return quick ? LEVELS.filter((level) => QUICK_LEVELS.includes(level) || level in budgets) : LEVELS
}

/** One contestant under the sampling profiler, which runs while it is measured: not at the start, not in the warm-up. */
async function profile(bench, options) {
  const contestant = await load(options.profile)
  for (const connections of options.connections.length > 0 ? options.connections : [50, 1000]) {
    const { warmUp, requests, slices } = volume(connections, contestant.weight, 1)
    const participant = await Participant.start(bench, contestant, connections)
    try {
      await participant.warmUp(warmUp, connections)
      await participant.profile('start')
      const { user, system } = await participant.measure(slices * requests, connections)
      const result = await participant.profile('stop')
      const file = join(tmpdir(), `${contestant.name}-${connections}.cpuprofile`)
      writeFileSync(file, JSON.stringify(result))
      const each = ((user + system) / (slices * requests)).toFixed(1)
      console.log(
        `\n${contestant.title}, ${connections} connections: ${each} us CPU per request under the profiler; self time:`,
      )
      console.log(`\n${formatProfile(result, slices * requests)}`)
      console.log(`\n(for the developer tools of a browser: ${file})`)
    } finally {
      await participant.stop()
    }
  }
  return 0
}
