// The demo: two servers, one that announces its keep-alive limits and one that does not, and the same traffic to both
// through Node's default agent, undici.Agent and keepwise, side by side and each in a thread of its own. `npm run demo`

import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createPool } from 'keepwise'
import { clients } from './clients.js'
import { paint } from './paint.js'
import { createPicture } from './picture.js'
import { startServers } from './servers.js'
import { startService } from './service.js'
import { table } from './table.js'
import { createTally, servers as names } from './tally.js'
import { schedule } from './traffic.js'

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, seconds: { type: 'string', default: '14' } },
})
const seed = Number(values.seed)
const duration = Number(values.seconds) * 1000

if (!Number.isFinite(seed) || !(duration > 0)) throw new TypeError('--seed and --seconds take a number')

const { capabilities } = createPool()
const kernel = capabilities.tcpInfo
  ? 'asks the kernel whether the connection is still good'
  : `cannot ask the kernel about the connection (${capabilities.why})`

const jobs = schedule({ seed, duration })
console.log(`
${paint('bold', 'keepwise demo')}  ${jobs.length} requests per client in ${duration / 1000} s, seed ${seed}, Node ${process.version}

Many pauses are about as long as a server keeps an idle connection, on purpose:
there a request and the server's goodbye cross. In production that is rarer.
`)

const tally = createTally(Object.keys(clients))
const sumOf = (client, count) => names.reduce((total, name) => total + tally.of(name, client)[count], 0)
const servers = await startServers({ report: tally.count })
const services = await Promise.all(
  tally.clients.map((client) => startService({ client, origins: servers.origins, report })),
)
const picture = createPicture({ tally, duration })

function report(event) {
  tally.count(event)
  picture.show(event)
}

const start = performance.now()
for (const job of jobs) {
  await sleep(Math.max(0, start + job.at - performance.now()))
  for (const service of services) service.accept(job)
}
await Promise.all(services.map((service) => service.finish()))
picture.end()

console.log(`\n${table(tally)}`)
for (const client of tally.clients) {
  const lost = `lost ${sumOf(client, 'failed')} of ${sumOf(client, 'sent')} requests,`
  const twice = `${sumOf(client, 'repeated')} arrived twice,`
  console.log(`  ${client.padEnd(14)}${lost.padEnd(26)}${twice.padEnd(18)}${sumOf(client, 'opened')} opened`)
}
console.log(
  `\nRequests that keepwise sent again, when their connection had died under them: ${sumOf('keepwise', 'replayed')}`,
)
console.log(`\nHow long keepwise keeps an idle connection, by pool.explain():`)
for (const name of names) console.log(`  ${name.padEnd(12)}${tally.of(name, 'keepwise').explained}`)
console.log(`\nBefore reuse it ${kernel}.\n`)
await servers.stop()
