/** One end of the wire: a network namespace, and the programs of a test that run in it. */
import { spawn } from 'node:child_process'
import { withDaemonPaths } from './namespaces.js'
import { Talker } from './talker.js'

/**
 * @typedef {object} NodeOptions
 * @property {string[]} [args] arguments of the program
 * @property {string[]} [flags] flags of Node itself
 * @property {Record<string, string | undefined>} [env] added to the environment
 * @property {string} [node] the binary of another version
 * @property {string[]} [prefix] a command in front of it, such as `taskset -c 1`
 */

export class Side {
  /** @type {Talker[]} */
  #talkers = []

  /** @param {string} namespace  @param {[string, ...string[]]} addresses */
  constructor(namespace, addresses) {
    this.namespace = namespace
    /** Its IPv4 addresses on the wire. */
    this.addresses = addresses
    /** The first of them: what speaks from here speaks from this one. */
    this.address = addresses[0]
  }

  /**
   * Starts a program in the namespace; it is killed at the end of the wire, if not before. As `child_process.spawn`.
   * @param {string} command
   * @param {string[]} [args]
   * @param {import('node:child_process').SpawnOptions} [options]
   */
  spawn(command, args = [], options = {}) {
    return spawn('ip', this.#inside(command, args), { env: cleanEnvironment(), ...options })
  }

  /**
   * Runs a program in the namespace to its end. Rejects if it takes too long.
   * @param {string} command
   * @param {string[]} [args]
   * @returns {Promise<{ code: number | null, stdout: string, stderr: string }>}
   */
  run(command, args = [], { timeout = 10_000 } = {}) {
    const child = this.spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL')
        reject(new Error(`${command} still ran after ${timeout} ms. It printed: ${stdout}${stderr}`))
      }, timeout)
      child.once('error', reject)
      child.once('close', (code) => {
        clearTimeout(timer)
        resolve({ code, stdout, stderr })
      })
    })
  }

  /**
   * Starts a Node program in the namespace that answers calls (see `talk.js`).
   * @param {string} file
   * @param {NodeOptions} [options]
   */
  async node(file, { args = [], flags = [], env = {}, node = process.execPath, prefix = [] } = {}) {
    const [command, ...rest] = [...prefix, node, ...flags, file, ...args]
    const talker = await Talker.start('ip', this.#inside(command, rest), { env: { ...cleanEnvironment(), ...env } })
    this.#talkers.push(talker)
    return talker
  }

  /** Ends the programs that answer calls; what else runs is killed with the namespace. */
  async stop() {
    await Promise.all(this.#talkers.map((talker) => talker.stop()))
  }

  #inside(command, args) {
    return ['netns', 'exec', this.namespace, command, ...args]
  }
}

/** NODE_OPTIONS and a test runner's own variables belong to this process: what runs in the namespace starts clean. */
function cleanEnvironment() {
  const { PATH } = withDaemonPaths()
  return { PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR }
}
