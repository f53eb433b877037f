/**
 * `liveness: 'system'` in a network namespace of the test's own, where the operating system's values are others than
 * the documented ones: no number that stands in the code can pass.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { describe, expect } from 'vitest'
import type { AppliedLiveness, Explanation } from '../../src/index.js'
import { systemLiveness } from '../../src/liveness/system.js'
import { NODE_MAJORS } from '../support/nodes.js'
import { describeWith, itWith } from '../support/requirements.js'
import { runProgram } from './programs.js'

/** Server and client, inside the namespace. */
const PROGRAM = `
import { readlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { createPool } from 'keepwise'
import { request } from 'undici'

const { outside, sysctls } = JSON.parse(process.env.SETTING)
if (readlinkSync('/proc/self/ns/net') === outside) throw new Error('not in a namespace of its own')
for (const [name, value] of Object.entries(sysctls)) writeFileSync('/proc/sys/net/ipv4/tcp_keepalive_' + name, String(value))

const server = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = 'http://127.0.0.1:' + server.address().port
const pool = createPool({ liveness: 'system' })
const opened = once(pool, 'open')
for (let n = 0; n < 3; n++) await request(origin, { dispatcher: pool.dispatcher }).then(({ body }) => body.text())
const [{ connection }] = await opened
console.log(JSON.stringify({ applied: connection.liveness, explained: pool.explain(origin).liveness }))
await pool.close()
server.close()
`

interface Printed {
  applied: AppliedLiveness
  explained: Explanation['liveness']
}

describeWith(['netns', 'ip', 'koffi'], "liveness: 'system' in a network namespace", () => {
  for (const major of NODE_MAJORS) {
    itWith(`node${major}`, `leaves the values of that namespace, and reports them, on Node ${major}`, async () => {
      const { applied, explained } = await runProgram<Printed>(major, PROGRAM, {
        under: ['unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"'],
        setting: { outside: readlinkSync('/proc/self/ns/net'), sysctls: { time: 111, intvl: 22, probes: 7 } },
      })
      const values = { idle: 111_000, interval: 22_000, probes: 7 }
      expect(applied).toMatchObject({ enabled: true, ...values, userTimeout: 0, source: 'kernel' })
      expect(explained).toEqual({
        asked: 'system',
        applied,
        system: { ...values, source: 'sysctl' },
        deadAfter: 111_000 + 22_000 * 7,
        probesPerHour: Math.ceil(3_600 / 111),
      })
    })
  }
})

describe("the system's own values", () => {
  itWith('linux', 'are those of the sysctl', () => {
    const read = (name: string) => Number(readFileSync(`/proc/sys/net/ipv4/tcp_keepalive_${name}`, 'utf8'))
    expect(systemLiveness()).toEqual({
      idle: read('time') * 1000,
      interval: read('intvl') * 1000,
      probes: read('probes'),
      source: 'sysctl',
    })
  })
})
