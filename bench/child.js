// The process that holds one contestant: a fresh heap and fresh code for every run. It does what the messages of
// participant.js say and answers each with one message:
//   { open: { contestant, origin, connections, idleTimeout, bytes } }   load the contestant
//   { warm: connections }                                      open connections ahead, if the contestant can
//   { load: { requests, outstanding } }                        send requests; answers CPU, time and event-loop delay
//   { state: true }                                            the contestant's own counters, for an error message
//   { memory: true }                                           collect garbage; answers process.memoryUsage()
//   { profile: 'start' } { profile: 'stop' }                   the sampling profiler; the latter answers the profile

import { Session } from 'node:inspector/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { load } from './contestants/index.js'
import { runLoad } from './load.js'

const commands = { open, warm, load: measureLoad, state: () => client.state?.(), memory: measureMemory, profile }
let client
let bytes

process.on('message', async (message) => {
  const [[command, argument]] = Object.entries(message)
  try {
    process.send({ result: await commands[command](argument) })
  } catch (error) {
    process.send({ error: error.cause ? `${error.message}: ${error.cause.stack ?? error.cause}` : error.stack })
  }
})
// The parent has gone: nothing to measure for. Not a graceful close, that would be work in nobody's result.
process.on('disconnect', () => process.exit(0))

async function open(job) {
  const contestant = await load(job.contestant)
  client = contestant.open(job.origin, { connections: job.connections, idleTimeout: job.idleTimeout })
  bytes = job.bytes
}

async function warm(connections) {
  await client.warm?.(connections)
}

async function measureLoad({ requests, outstanding }) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await sleep(2)
  const start = process.hrtime.bigint()
  const cpu = process.cpuUsage()
  await runLoad(client.send, { requests, outstanding, bytes })
  const { user, system } = process.cpuUsage(cpu)
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  // A busy loop may not reach its timers before the load is over: two turns, so that this last delay is counted too.
  await turn()
  await turn()
  delay.disable()
  return { user, system, seconds, delay: [delay.percentile(50), delay.percentile(99), delay.max].map(exceeding) }
}

/** The histogram holds the nanoseconds between two 1 ms timers: what exceeds the millisecond is the delay, in ms. */
const exceeding = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - 1)

async function measureMemory() {
  globalThis.gc()
  await sleep(50)
  globalThis.gc()
  return process.memoryUsage()
}

let session

async function profile(action) {
  if (action === 'stop') return (await session.post('Profiler.stop')).profile
  session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 100 })
  await session.post('Profiler.start')
}
