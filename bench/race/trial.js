// One contestant in one scenario: a fresh wire, a fresh server, a fresh client.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certificateFor } from '../../test/support/wire/certificate.js'
import { withWire } from '../../test/support/wire/wire.js'
import { judge } from './judge.js'

const SERVER = new URL('../../test/support/wire/servers/idle.js', import.meta.url).pathname
const CLIENT = new URL('./client.js', import.meta.url).pathname

/** The race is about milliseconds: what else the machine does comes second, where the machine allows to say so. */
const REAL_TIME = ['chrt', '--rr', '1']
const prefix = spawnSync(REAL_TIME[0], [...REAL_TIME.slice(1), 'true']).status === 0 ? REAL_TIME : []

export async function runTrial({ contestant, scenario, delay, requests, lanes, seed }) {
  const { method, tls = false, closeAfter, advertise, aimed } = scenario
  const directory = mkdtempSync(join(tmpdir(), 'keepwise-race-'))
  try {
    return await withWire({ delay }, async (wire) => {
      const host = wire.server.address
      const certificate = tls ? certificateFor(host) : undefined
      const server = await wire.server.node(SERVER, { prefix })
      const { ports } = await server.call('listen', { ports: lanes, closeAfter, advertise, tls: certificate })
      const client = await wire.client.node(CLIENT, { prefix, env: trusting(certificate, directory) })
      const job = { contestant, method, scheme: tls ? 'https' : 'http', host, ports, seed, requests, closeAfter, aimed }
      const started = performance.now()
      const { records, loopDelay } = await client.call('run', job)
      const seconds = (performance.now() - started) / 1000
      const { toServer, toClient } = await wire.counts()
      const wireLate = Math.max(toServer.late, toClient.late)
      return {
        contestant,
        scenario: scenario.name,
        ...judge(records, await server.call('records'), delay),
        loopDelay,
        wireLate,
        seconds,
      }
    })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The one way to trust a certificate that all contestants share, built-in fetch included. */
function trusting(certificate, directory) {
  if (certificate === undefined) return {}
  const file = join(directory, 'ca.pem')
  writeFileSync(file, certificate.cert)
  return { NODE_EXTRA_CA_CERTS: file }
}
