// Runs two contestants against each other. Each pair is two fresh processes, both warmed up, which then take turns:
// A B, B A, A B, ... slice by slice, and gives one ratio. Whatever slows the machine for a while slows both, and the
// changing order lets neither profit from being second. Without a peer the same is done for one contestant.

import { setTimeout as sleep } from 'node:timers/promises'
import { Participant, quiet } from './participant.js'
import { summarize } from './statistics.js'

/** CPU per request, throughput and event-loop delay under load: `{ warmUp, requests, slices }` of plan.js. */
export function compareLoad(bench, comparison, connections, volume) {
  return compare(comparison, connections, ['cpu', 'rate'], async (contestants) => {
    const participants = await startAll(bench, contestants, connections)
    try {
      // No garbage is collected by force after this: that throws optimised code away and the slices would pay for it.
      for (const participant of participants) await participant.warmUp(volume.warmUp, connections)
      const slices = participants.map(() => [])
      for (let turn = 0; turn < volume.slices; turn++) {
        const order = [...participants.keys()]
        if (turn % 2 === 1) order.reverse()
        for (const index of order) {
          slices[index].push(await participants[index].measure(volume.requests, connections))
        }
      }
      return participants.map(({ opened }, index) => ({ ...total(slices[index], volume.requests), opened }))
    } finally {
      await stopAll(bench, participants)
    }
  })
}

/**
 * Memory of one idle connection: what the heap grows by between a few idle connections and many, divided by the
 * connections added. The difference leaves out what the code and the pool itself weigh.
 */
export function compareIdle(bench, comparison, connections) {
  const few = Math.round(connections / 10)
  return compare(comparison, connections, ['heap'], async (contestants) => {
    const results = []
    for (const contestant of contestants) {
      const [participant] = await startAll(bench, [contestant], connections)
      try {
        await participant.warmUp(3_000, few)
        const start = await idle(participant)
        await participant.warmUp(4 * connections, connections)
        const end = await idle(participant)
        const each = (name) => (end.memory[name] - start.memory[name]) / (end.opened - start.opened)
        results.push({
          opened: end.opened,
          heap: each('heapUsed'),
          external: each('external') - each('arrayBuffers'),
          arrayBuffers: each('arrayBuffers'),
          rss: each('rss'),
        })
      } finally {
        await stopAll(bench, [participant])
      }
    }
    return results
  })
}

async function idle(participant) {
  // Deferred clean-up first: undici's timers tick twice a second.
  await sleep(600)
  return { memory: await participant.memory(), opened: participant.opened }
}

/** Repeats a pair and gives the ratios with their spread, and the medians of the absolute numbers. */
async function compare({ subject, peer, runs }, connections, metrics, runPair) {
  const contestants = peer ? [subject, peer] : [subject]
  const pairs = []
  for (let run = 0; run < runs; run++) {
    // Who starts first, who warms up first: that changes too.
    const swap = run % 2 === 1
    const results = await runPair(swap ? [...contestants].reverse() : contestants)
    pairs.push(swap ? results.reverse() : results)
  }
  const side = (index) => pairs.map((pair) => pair[index])
  const ratio = (metric) => summarize(pairs.map(([ours, theirs]) => ours[metric] / theirs[metric]))
  return {
    connections,
    runs,
    subject: { title: subject.title, ...medians(side(0)) },
    peer: peer && { title: peer.title, ...medians(side(1)) },
    ratios: peer && Object.fromEntries(metrics.map((metric) => [metric, ratio(metric)])),
  }
}

/** All slices of one participant as one result: microseconds, requests per second, milliseconds. */
function total(slices, requests) {
  const sum = (name) => slices.reduce((so, slice) => so + slice[name], 0)
  const delay = (index) => slices.map((slice) => slice.delay[index])
  const all = slices.length * requests
  return {
    cpu: (sum('user') + sum('system')) / all,
    system: sum('system') / all,
    rate: all / sum('seconds'),
    delay50: summarize(delay(0)).median,
    delay99: summarize(delay(1)).median,
    delayMax: Math.max(...delay(2)),
  }
}

function medians(results) {
  const names = Object.keys(results[0])
  return Object.fromEntries(names.map((name) => [name, summarize(results.map((result) => result[name])).median]))
}

async function startAll(bench, contestants, connections) {
  const participants = []
  try {
    for (const contestant of contestants) participants.push(await Participant.start(bench, contestant, connections))
    return participants
  } catch (error) {
    await stopAll(bench, participants)
    throw error
  }
}

async function stopAll(bench, participants) {
  await Promise.all(participants.map((participant) => participant.stop()))
  await quiet(bench)
}
