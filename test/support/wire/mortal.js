/**
 * A server on the wire that is killed outright (SIGKILL) and comes back on the same port, as after a crash. What it has
 * processed is in a file, so no death hides a request.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ledger } from './servers/ledger.js'

const IDLE_SERVER = fileURLToPath(new URL('./servers/idle.js', import.meta.url))

export class MortalServer {
  /** How often it was killed. */
  deaths = 0
  port = 0
  #wire
  #options
  #ledger
  #process

  /**
   * @param {import('./wire.js').Wire} wire
   * @param {import('./servers/idle.js').IdleServerOptions} [options] for more than one port `port` has to be given
   */
  static async start(wire, options = {}) {
    const server = new MortalServer(wire, options)
    await server.#start()
    return server
  }

  /** @param {import('./wire.js').Wire} wire  @param {import('./servers/idle.js').IdleServerOptions} options */
  constructor(wire, options) {
    const directory = mkdtempSync(join(tmpdir(), 'keepwise-mortal-'))
    wire.onEnd(() => rmSync(directory, { recursive: true, force: true }))
    this.#ledger = join(directory, 'processed')
    this.#wire = wire
    this.#options = options
    this.port = options.port ?? 0
  }

  /** Kills it; a new one listens when this resolves. The kernel ends the connections of the dead one. */
  async killAndRestart() {
    await this.#process.kill('SIGKILL')
    this.deaths++
    await this.#start()
  }

  /** What it has processed in all its lives. */
  ledger() {
    return Ledger.read(this.#ledger)
  }

  async #start() {
    this.#process = await this.#wire.server.node(IDLE_SERVER)
    const setting = { ...this.#options, port: this.port, ledger: this.#ledger }
    const { ports } = await this.#process.call('listen', setting)
    this.port = ports[0]
  }
}
