/** Runs one program of a project on one Node version, and checks what it found and what the server saw. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { startCountingServer } from './counting-server.js'
import { ROOT } from './projects.js'

/** Longest time from a program's last word to its exit. The idle connections' own timers run for a minute. */
const EXIT_TIMEOUT = 3000

export async function tryProgram(checks, project, major, program) {
  const binary = nodeBinary(major)
  if (!existsSync(binary)) return checks.check(false, `there is a Node ${major}: node test/support/install-nodes.js`)

  const control = await controlOf(binary, project)
  const { found, server, idleAtLastWord, exit, stderr } = await run(binary, project, program)
  checks.equal(exit, { code: 0, signal: null }, 'it ends by itself, with a pool still open')
  checks.equal(stderr, '', 'it prints no warning and no error')
  if (!found) return checks.check(false, 'it tells what it found')

  checks.equal(
    found.globalDispatchers,
    control.globalDispatchers,
    "fetch's own dispatcher is node's, as without the import",
  )
  checks.equal(found.fetched, twenty('/fetch'), 'fetch gets 20 answers through the pool')
  checks.equal(found.requested, twenty('/request'), 'request gets 20 answers')
  checks.equal(found.agents, [true, true, true, true], 'the agents are agents of node')
  checks.equal(found.throughAgent, twenty('/agent'), "http.get gets 20 answers through the pool's agent")
  checks.equal(found.throughDropIn, twenty('/drop-in'), 'and through a drop-in')
  const [connection, ...others] = server.connectionsOf('/agent')
  checks.check(
    others.length === 0 && connection?.paths.includes('/fetch'),
    '20 sequential requests of the agent use one connection, the one that fetch has used',
  )
  checks.equal(server.connectionsOf('/drop-in').length, 1, '20 sequential requests of a drop-in use one connection')
  checks.equal(server.connectionsOf('/fetch').length, 1, '20 sequential fetches use one connection')
  checks.equal(server.connectionsOf('/request').length, 1, '20 sequential requests use one connection')
  checks.check(
    !server.connectionsOf('/fetch')[0]?.paths.includes('/plain'),
    'a fetch without the dispatcher does not go through the pool',
  )
  checks.equal(idleAtLastWord, true, "the pool's connection is open and idle when the program has nothing left to do")
  checks.equal(found.afterClose, 'ERR_KEEPWISE_CLOSED', 'a closed pool refuses requests')
  checks.equal(found.destroyed, 'ERR_KEEPWISE_CLOSED', 'so does a destroyed one')
  checks.equal(
    found.served,
    { promises: ['timeout=7, max=2', 'timeout=7, max=1', 'close'], accepted: 1, requests: 3, listening: false },
    'keepwise/server counts down, says close with the last response, and closes',
  )
  checks.equal(found.refusesNoServer, 'ERR_KEEPWISE_OPTION', 'keepwise/server refuses what is no server')
  checks.equal(found.watched, { status: 200, hasProgram: true, hasPools: true }, 'keepwise/watch shows its pools')
  const missing = program.endsWith('.cjs') ? 'MODULE_NOT_FOUND' : 'ERR_MODULE_NOT_FOUND'
  checks.equal(
    found.metrics,
    project.hasOptional ? true : missing,
    'keepwise/prometheus counts requests where there is a prom-client',
  )
  checks.equal(found.errorClass, 'PeerDeadError', 'errors are exported')
  checkCapabilities(checks, found, project)
}

const controls = new Map()

/** What a process without keepwise is like on a Node version; looked at once. */
async function controlOf(binary, project) {
  if (!controls.has(binary)) controls.set(binary, (await run(binary, project, 'control.mjs')).found)
  return controls.get(binary)
}

function checkCapabilities(checks, { capabilities, node }, { hasOptional }) {
  const native = hasOptional && process.platform === 'linux'
  checks.equal(capabilities.tcpInfo, native, 'capabilities.tcpInfo says whether the kernel can be asked')
  checks.equal(capabilities.requestReplay, true, 'capabilities.requestReplay: the requests of this Node are known')
  checks.equal(typeof capabilities.koffi, native ? 'string' : 'undefined', 'capabilities.koffi is its version')
  checks.equal(typeof capabilities.why, native ? 'undefined' : 'string', 'capabilities.why says what is missing')
  const [major, minor] = node.split('.').map(Number)
  const byNode = major >= 26 ? major > 26 || minor >= 4 : major === 24 && minor >= 19
  const expected = byNode ? 'node' : native ? 'native' : 'idle-only'
  checks.equal(capabilities.tcpKeepAlive, expected, 'capabilities.tcpKeepAlive says how the settings get on a socket')
}

/** Runs a program to its end. It prints one line of JSON when it has nothing left to do. */
async function run(binary, project, program) {
  const server = await startCountingServer()
  const child = spawn(binary, [join(project.directory, program)], {
    cwd: project.directory,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ORIGIN: server.origin },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  let idleAtLastWord
  let timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
    if (!stdout.endsWith('\n')) return
    idleAtLastWord = server.connectionsOf('/fetch').some((socket) => !socket.destroyed && !socket.readableEnded)
    clearTimeout(timer)
    timer = setTimeout(() => child.kill('SIGKILL'), EXIT_TIMEOUT)
  })
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  server.close()
  return {
    found: stdout === '' ? undefined : JSON.parse(stdout),
    server,
    idleAtLastWord,
    exit: { code, signal },
    stderr,
  }
}

function twenty(path) {
  return Array(20).fill(`200 answer to ${path}`)
}

function nodeBinary(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath
  const name = `node-${process.platform}-${process.arch}`
  return join(ROOT, '.cache', 'nodes', String(major), 'node_modules', name, 'bin', 'node')
}
