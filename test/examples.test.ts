/** Each example runs by itself against the built package, says what it is there to show, and ends. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { createPool, livenessPresets } from '../src/index.js'
import { runNode } from './support/run-node.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const directory = join(root, 'examples')

const { tcpInfo } = createPool().capabilities

/** `10 s  2 s  3  16 s  kernel`, or what can be known of it here. */
const tuned = (label: string, idle: number, interval: number, probes: number): RegExp => {
  const [Ti, Td] = [idle / 1000, interval / 1000]
  const deadAfter = Ti + Td * probes
  return tcpInfo
    ? new RegExp(`^${label} +${Ti} s +${Td} s +${probes} +${deadAfter} s +kernel$`)
    : new RegExp(`^${label} +${Ti} s .* ${deadAfter} s +(node|idle-only)$`)
}

/** The lines of each, in order: the whole output. */
const outputs: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  'fetch.mjs': [
    '20 requests in turn: 1 connection',
    '50 requests at once: 4 connections, because maxConnections is 4',
    '66 of 70 requests used a connection that was open already',
    /^\d+ requests waited, \d+\.\d ms each$/,
    /^an idle connection is kept for 4\d\d\d ms: the server advertised 5000 ms, less a margin of \d+\.\d ms$/,
  ],
  'undici.mjs': [
    'request: 200, "POST hello"',
    'stream: "PUT streamed"',
    'interceptor: 200, after two answers of 503',
    'error: ECONNRESET, cause ERR_KEEPWISE_CONNECTION: request 6 on its connection to 127.0.0.1',
    'sent again? no: unknown, not-proven',
    '6 requests, 1 connection',
  ],
  'install.mjs': [
    'before install(): 0 requests through the pool',
    'after install(): 2 requests through the pool',
    'after restore(): still 2',
  ],
  'events.mjs': [
    'wait     1 waiting',
    'open     connection 1',
    'idle     connection 1, 1 served, may idle for 1000 ms says the server',
    'idle     connection 1, 2 served, may idle for 1000 ms says the server',
    /^explain {2}the server advertised 1000 ms, less a margin of \d+\.\d ms$/,
    /^close {4}connection 1: advertised-timeout, 2 served, idle for \d+ ms$/,
    'stats    1 closed: advertised-timeout',
  ],
  'metrics.mjs': [
    'http_client_request_duration_seconds_count 2 api 200',
    'http_client_request_duration_seconds_count 1 api 404',
    'http_client_connection_duration_seconds_count 1 api',
    'keepwise_connections_opened_total 1 api',
    'keepwise_connections_closed_total 1 api pool-closed',
    'keepwise_dial_duration_seconds_count 1 api',
    'keepwise_requests_assigned_total 1 api',
    'keepwise_requests_assigned_total 2 api',
    'keepwise_requests_queued_total 1 api',
    'keepwise_wait_duration_seconds_count 1 api',
  ],
  'record.mjs': [
    'api wait',
    'api dial',
    'api open connection 1, 0 requests',
    'api active connection 1, 1 requests',
    'api idle connection 1, 1 requests',
    'api active connection 1, 2 requests',
    'api idle connection 1, 2 requests',
    'api close connection 1, 2 requests pool-closed',
  ],
  'tuning.mjs': [
    'liveness    Ti        Td      Nm  dead after  known by',
    ...Object.entries(livenessPresets).map(([name, { idle, interval, probes }]) =>
      tuned(`'${name}'`, idle, interval, probes),
    ),
    /^'system' +\d+ s .* \d+ s +(kernel|node|idle-only)$/,
    tuned('a triple', 20_000, 3_000, 4),
    /^false( +-){4} +off$/,
    '',
    /^ERR_KEEPWISE_OPTION: Option "liveness.idle" must be whole seconds .*; it is 500 \(number\)\.$/,
    '',
    tcpInfo ? /^The kernel is asked before reuse: yes\. / : /^The kernel is asked before reuse: no, ./,
  ],
  'warm-and-close.mjs': [
    'warm: 4 connections open, 0 requests',
    'running: 3 requests, 4 connections opened',
    'refused: ERR_KEEPWISE_CLOSED',
    'finished: 3 of 3 requests',
    'closed: 0 connections left, 4 closed with the pool',
  ],
}

beforeAll(() => {
  if (!existsSync(join(root, 'dist/index.js'))) throw new Error('Not built: npm run build:quick')
})

describe('examples', () => {
  const files = readdirSync(directory).filter((name) => name.endsWith('.mjs'))

  it('are all looked at', () => {
    expect(files.sort()).toEqual(Object.keys(outputs).sort())
  })

  it.each(files)('%s says in its first lines what it shows and how to run it', (name) => {
    const [what, how] = readFileSync(join(directory, name), 'utf8').split('\n')
    expect(what).toMatch(/^\/\/ \w/)
    expect(how).toBe(`// node examples/${name}`)
  })

  it.each(Object.entries(outputs))('%s prints what it shows', async (name, expected) => {
    const { code, stdout, stderr } = await runNode(join(directory, name))
    expect(stderr).toBe('')
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toEqual(expected.map((line) => (typeof line === 'string' ? line : expect.stringMatching(line))))
    expect(code).toBe(0)
  })
})
