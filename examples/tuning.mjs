// TCP keepalive: Ti, Td and Nm as asked for, and as they stand on a socket.
// node examples/tuning.mjs

import { once } from 'node:events'
import { createServer } from 'node:http'
import { createPool, livenessPresets, OptionError } from 'keepwise'

const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${server.address().port}`

const seconds = (milliseconds) => (milliseconds === undefined ? '-' : `${milliseconds / 1000} s`)

const choices = {
  ...Object.fromEntries(Object.keys(livenessPresets).map((name) => [`'${name}'`, name])),
  "'system'": 'system',
  'a triple': { idle: 20_000, interval: 3_000, probes: 4 },
  false: false,
}

console.log('liveness    Ti        Td      Nm  dead after  known by')
for (const [label, liveness] of Object.entries(choices)) {
  const pool = createPool({ liveness })
  await pool.warm(origin)
  const { applied, deadAfter } = pool.explain(origin).liveness
  const { idle, interval, probes, source } = applied
  console.log(
    label.padEnd(11),
    seconds(idle).padEnd(9),
    seconds(interval).padEnd(7),
    `${probes ?? '-'}`.padEnd(3),
    seconds(deadAfter).padEnd(11),
    source,
  )
  await pool.close()
}

// What the kernel would apply by half, without a word, is refused here.
try {
  createPool({ liveness: { idle: 500, interval: 1_000, probes: 3 } })
} catch (error) {
  if (!(error instanceof OptionError)) throw error
  console.log(`\n${error.code}: ${error.message}`)
}

const { tcpInfo, tcpKeepAlive, why } = createPool().capabilities
console.log(
  `\nThe kernel is asked before reuse: ${tcpInfo ? 'yes' : `no, ${why}`}. TCP keepalive is set by: ${tcpKeepAlive}.`,
)

server.close()
