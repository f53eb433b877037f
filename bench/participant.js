// One contestant at work in its own process, seen from the parent: starts it, gives it load, and believes nothing that
// nginx did not count. A contestant that sent fewer requests or opened fewer connections would otherwise look fast.
// Only one participant may be under load at a time, for the counters are nginx's own.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { BODY } from './nginx.js'
import { readStatus } from './status.js'

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url))
const COMMAND_TIMEOUT = 60_000
const WARM_UP_LOADS = 5
const MOST_WARM_UP_LOADS = 12
/** Share of the connections that may still be opened while the clock runs. */
const OPENED_LATE = 0.03
/** Participants pause while the other one works: no contestant may close its connections for that. */
const IDLE_TIMEOUT = 600_000

export class Participant {
  /** Connections nginx accepted from this participant, all loads together. */
  opened = 0
  #bench
  #child
  #contestant
  #connections
  #label
  #stderr = ''
  #settle = null

  /** `bench` is what run.js prepared: `{ nginx, client }`, the latter a command prefix such as taskset. */
  static async start(bench, contestant, connections) {
    const participant = new Participant(bench, contestant, connections)
    const { origin } = bench.nginx
    await participant.#ask({
      open: { contestant: contestant.name, origin, connections, idleTimeout: IDLE_TIMEOUT, bytes: BODY.length },
    })
    return participant
  }

  constructor(bench, contestant, connections) {
    this.#bench = bench
    this.#contestant = contestant
    this.#connections = connections
    this.#label = `${contestant.name}, ${connections} connections`
    const [command, ...args] = [...bench.client, process.execPath, '--expose-gc', CHILD]
    this.#child = spawn(command, args, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'], serialization: 'advanced' })
    this.#child.stderr.on('data', (chunk) => {
      this.#stderr += chunk
    })
    this.#child.on('message', ({ error, result }) =>
      error ? this.#settle?.reject(this.#failure(error)) : this.#settle?.resolve(result),
    )
    this.#child.once('error', (error) => this.#settle?.reject(error))
    this.#child.once('close', (code, signal) =>
      this.#settle?.reject(this.#failure(`ended with ${signal ?? `code ${code}`}\n${this.#stderr}`)),
    )
    process.once('exit', this.#kill)
  }

  /**
   * Load that no result counts, so that the connections are open and the code is warm. In several loads: the start of
   * one, when all connections are idle, takes other paths than the middle, and has to be optimised too. Of two rounds at
   * least, for a pool without a limit opens its last connections in the second, and until nothing more is opened.
   */
  async warmUp(requests, outstanding) {
    await this.#observed({ warm: outstanding })
    const each = Math.max(Math.ceil(requests / WARM_UP_LOADS), 2 * outstanding)
    let opened = 0
    for (let loads = 0; loads * each < requests || (opened > 0 && loads < MOST_WARM_UP_LOADS); loads++) {
      ;({ opened } = await this.#load(each, outstanding, 'warm-up'))
    }
  }

  /** Sends `requests` requests, `outstanding` at a time, and answers what child.js measured. */
  async measure(requests, outstanding) {
    const { result, opened } = await this.#load(requests, outstanding, 'measurement')
    // A connection opened while the clock runs is work the others did in their warm-up.
    const most = Math.ceil(OPENED_LATE * outstanding)
    if (opened > most) throw await this.#miscounted(`${opened} connections in the measurement, at most ${most} may be`)
    return result
  }

  memory() {
    return this.#ask({ memory: true })
  }

  profile(action) {
    return this.#ask({ profile: action })
  }

  /** Ends the process and waits until nginx has closed its side. */
  async stop() {
    process.removeListener('exit', this.#kill)
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined) {
      const closed = new Promise((resolve) => this.#child.once('close', resolve))
      this.#settle = null
      this.#kill()
      await closed
    }
  }

  #kill = () => this.#child.kill('SIGKILL')

  async #load(requests, outstanding, phase) {
    const { result, answered, opened } = await this.#observed({ load: { requests, outstanding } })
    if (answered !== requests) throw this.#failure(`nginx answered ${answered} requests of ${requests}`)
    const { min } = this.#contestant.opens(outstanding)
    const { max } = this.#contestant.opens(this.#connections)
    if (this.opened < min || this.opened > max) {
      throw await this.#miscounted(
        `${this.opened} connections (${opened} in this ${phase} load), expected ${min} to ${max}`,
      )
    }
    return { result, opened }
  }

  /** Gives a command and counts what nginx saw of it. */
  async #observed(command) {
    const { port } = this.#bench.nginx
    const before = await readStatus(port)
    const result = await this.#ask(command)
    const after = await readStatus(port)
    // The second reading is one connection and one request itself.
    const opened = after.accepted - before.accepted - 1
    this.opened += opened
    return { result, opened, answered: after.requests - before.requests - 1 }
  }

  /** A count that cannot be, beside what the contestant itself believes: one of the two is wrong. */
  async #miscounted(text) {
    const state = await this.#ask({ state: true })
    const { active } = await readStatus(this.#bench.nginx.port)
    const own = state ? `; its own counters: ${JSON.stringify(state)}` : ''
    return this.#failure(`nginx saw it open ${text}; open at nginx now, all together: ${active}${own}`)
  }

  async #ask(message) {
    let timer
    try {
      return await new Promise((resolve, reject) => {
        this.#settle = { resolve, reject }
        timer = setTimeout(
          () => reject(this.#failure(`no answer to ${JSON.stringify(message)} within ${COMMAND_TIMEOUT / 1000} s`)),
          COMMAND_TIMEOUT,
        )
        this.#child.send(message, (error) => error && reject(this.#failure(`${error.message}\n${this.#stderr}`)))
      })
    } finally {
      clearTimeout(timer)
      this.#settle = null
    }
  }

  #failure(text) {
    return new Error(`${this.#label}: ${text}`.trim())
  }
}

/** Waits until nginx has closed the connections of participants that ended. */
export async function quiet({ nginx: { port } }) {
  for (let attempt = 0; attempt < 200; attempt++) {
    if ((await readStatus(port)).active === 0) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('nginx still has connections of an ended run after 5 s')
}
