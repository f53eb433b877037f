/** What a whole process does to its sockets, on each Node version, seen by strace: not one option but the configured. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { AppliedLiveness, Capabilities } from '../../src/index.js'
import { retransmitCap, systemRetries } from '../../src/liveness/retransmission.js'
import { NODE_MAJORS } from '../support/nodes.js'
import { describeWith, itWith } from '../support/requirements.js'
import { withServer } from '../support/servers/node.js'
import { testCertificates } from '../support/tls.js'
import { runProgram } from './programs.js'

const triple = { idle: 7_000, interval: 3_000, probes: 4 }
const REUSES = 100

const PROGRAM = `
import { Socket } from 'node:net'
import { createPool } from 'keepwise'
import { request } from 'undici'

const { origins, ca, liveness, requests } = JSON.parse(process.env.SETTING)
const pool = createPool({ liveness, connect: { ca } })
const applied = []
for (const origin of origins) {
  for (let n = 0; n < requests; n++) {
    const { body } = await request(origin, { dispatcher: pool.dispatcher })
    await body.text()
  }
  applied.push(pool.explain(origin).liveness.applied)
}
const { opened, reused } = pool.stats()
console.log(JSON.stringify({ opened, reused, applied, capabilities: pool.capabilities, arity: Socket.prototype.setKeepAlive.length }))
await pool.close()
`

interface Printed {
  opened: number
  reused: number
  applied: AppliedLiveness[]
  capabilities: Capabilities
  /** How many parameters this Node's setKeepAlive takes. */
  arity: number
}

describeWith(['linux', 'strace', 'koffi', 'openssl'], 'the system calls of a process', () => {
  for (const major of NODE_MAJORS) {
    itWith(`node${major}`, `set the triple on every socket, and nothing else later, on Node ${major}`, async () => {
      await withServer({}, (plain) =>
        withServer({ tls: true }, async (secure) => {
          const origins = [plain.origin, secure.origin]
          const { printed, sockets } = await trace(major, { origins, liveness: triple, requests: 1 + REUSES })

          expect(printed).toMatchObject({ opened: 2, reused: 2 * REUSES })
          const applied = { enabled: true, ...triple, userTimeout: 0, source: 'kernel' }
          expect(printed.applied).toMatchObject([applied, applied])
          expect(printed.capabilities).toMatchObject({
            tcpInfo: true,
            tcpKeepAlive: printed.arity >= 4 ? 'node' : 'native',
            deadPeers: 'always',
          })
          expect(sockets).toHaveLength(2)
          for (const calls of sockets) {
            // Beside the triple, the cap on retransmissions that goes with it, once, where the kernel has that.
            const caps = calls.filter(({ option }) => option === TCP_RTO_MAX_MS)
            expect(caps.map(({ value }) => value)).toEqual(
              hasRetransmitCap() ? [retransmitCap(triple, systemRetries())] : [],
            )
            const wanted = { ...keepAlive, ...(hasRetransmitCap() && { [TCP_RTO_MAX_MS]: caps[0]!.value }) }
            const states = statesAfter(calls)
            const reached = states.findIndex((state) => Object.entries(wanted).every(([k, v]) => state[k] === v))
            expect(reached, `of ${JSON.stringify(calls)}`).toBeGreaterThanOrEqual(0)
            expect(calls.slice(reached + 1)).toEqual([])
          }
        }),
      )
    })

    itWith(`node${major}`, `do not switch keepalive on with liveness: false, on Node ${major}`, async () => {
      await withServer({}, async ({ origin }) => {
        const { printed, sockets } = await trace(major, { origins: [origin], liveness: false, requests: 3 })
        expect(printed).toMatchObject({ opened: 1, applied: [{ enabled: false, source: 'off' }] })
        const calls = sockets.flat()
        expect(calls.filter(({ value }) => value !== 0)).toEqual([])
      })
    })
  }
})

const keepAlive = { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 7, TCP_KEEPINTVL: 3, TCP_KEEPCNT: 4 }

/** The number that strace does not have a name for yet. */
const TCP_RTO_MAX_MS = '0x2c'

/** Linux has it since 6.15. */
function hasRetransmitCap(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number)
  return major > 6 || (major === 6 && minor >= 15)
}

interface Call {
  option: string
  value: number
}

/** Runs the program under strace: what it printed, and for each connected socket its keepalive calls in order. */
async function trace(
  major: (typeof NODE_MAJORS)[number],
  setting: object,
): Promise<{ printed: Printed; sockets: Call[][] }> {
  const directory = mkdtempSync(join(tmpdir(), 'keepwise-strace-'))
  const file = join(directory, 'calls')
  try {
    const printed = await runProgram<Printed>(major, PROGRAM, {
      under: ['strace', '-f', '-qq', '-o', file, '-e', 'trace=connect,setsockopt'],
      setting: { ...setting, ca: testCertificates().ca },
    })
    return { printed, sockets: keepAliveCalls(readFileSync(file, 'utf8')) }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** From lines as `123 setsockopt(21, SOL_TCP, TCP_KEEPIDLE, [7], 4) = 0`. */
function keepAliveCalls(text: string): Call[][] {
  const sockets = new Map<string, Call[]>()
  const finished: Call[][] = []
  const options = `SO_KEEPALIVE|TCP_KEEP\\w+|TCP_USER_TIMEOUT|TCP_RTO_MAX_MS|${TCP_RTO_MAX_MS} /\\* TCP_\\?\\?\\? \\*/`
  const setting = new RegExp(`setsockopt\\((\\d+), \\w+, (${options}), \\[(-?\\d+)\\], 4\\) = (-?\\d+)`)
  for (const line of wholeLines(text)) {
    const connected = /connect\((\d+), \{sa_family=AF_INET, .*127\.0\.0\.1/.exec(line)?.[1]
    if (connected !== undefined) {
      const calls: Call[] = []
      sockets.set(connected, calls)
      finished.push(calls)
    }
    const set = setting.exec(line)
    if (set === null) continue
    const [, fd, name, value, result] = set
    if (result !== '0') throw new Error(`A call failed: ${line}`)
    const option = name!.startsWith(TCP_RTO_MAX_MS) || name === 'TCP_RTO_MAX_MS' ? TCP_RTO_MAX_MS : name!
    sockets.get(fd!)!.push({ option, value: Number(value) })
  }
  return finished
}

/** A call during which another thread makes one stands in two lines: `… <unfinished ...>`, `<... setsockopt resumed>…`. */
function wholeLines(text: string): string[] {
  const begun = new Map<string, string>()
  return text.split('\n').flatMap((line) => {
    const [, thread, rest] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    if (thread === undefined || rest === undefined) return []
    const [, beginning] = /^(.*) <unfinished \.\.\.>$/.exec(rest) ?? []
    if (beginning !== undefined) {
      begun.set(thread, beginning)
      return []
    }
    const [, end] = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest) ?? []
    return end === undefined ? rest : `${begun.get(thread)}${end}`
  })
}

/** The options as they stand after each call. */
function statesAfter(calls: readonly Call[]): Record<string, number>[] {
  const state: Record<string, number> = {}
  return calls.map(({ option, value }) => {
    state[option] = value
    return { ...state }
  })
}
