/**
 * A wire with a length: two network namespaces of the test's own, joined by a relay that delays packets, loses them, and
 * is cut and mended on command. Delay makes keep-alive races happen (a FIN and a request that cross), a cut makes a dead
 * peer. Nothing of it touches the machine's own network, and nothing of it is left afterwards.
 *
 *     await withWire({ delay: 20 }, async (wire) => {
 *       const server = await wire.server.node(closingServer)
 *       const { ports } = await server.call('listen', { closeAfter: 1000 })
 *       const client = await wire.client.node(someClient)
 *       await client.call('get', `http://${wire.server.address}:${ports[0]}/`)
 *       await wire.cut('toClient', { ports })
 *     })
 *
 * Needs Linux, root, /dev/net/tun, the `ip` command and koffi. Test code itself stays in the namespace of the machine: what is to
 * speak over the wire is a child process in `wire.server` or `wire.client`.
 */
import { fileURLToPath } from 'node:url'
import { removeNamespace } from './namespaces.js'
import { Side } from './side.js'
import { Talker } from './talker.js'

/** @typedef {'both' | 'toServer' | 'toClient'} Direction */
/** @typedef {import('./packets.js').Place} Place */
/** @typedef {'all' | 'syn' | 'fin' | 'rst' | 'data' | 'ack'} PacketKind */
/** @typedef {import('./packets.js').PacketSummary & { at: number, lost: boolean }} TracedPacket */

const RELAY = fileURLToPath(new URL('./relay.js', import.meta.url))

/** The same for every wire: namespaces do not see each other. */
/** @type {[string, string]} */
const SERVER_ADDRESSES = ['10.77.0.2', '10.77.0.3']
/** @type {[string]} */
const CLIENT_ADDRESSES = ['10.77.0.1']

let wires = 0

/**
 * Runs `body` with a wire, and removes the wire whatever happens.
 * @template T
 * @param {{ delay?: number }} options `delay`: milliseconds one way; a round trip takes twice that
 * @param {(wire: Wire) => T | Promise<T>} body
 * @returns {Promise<T>}
 */
export async function withWire(options, body) {
  const wire = await Wire.start(options)
  try {
    return await body(wire)
  } finally {
    await wire.end()
  }
}

export class Wire {
  #relay
  /** @type {(() => unknown)[]} */
  #cleanUps = []

  /** @param {{ delay?: number }} [options] */
  static async start({ delay = 0 } = {}) {
    const name = `keepwise-${process.pid}-${++wires}`
    const server = new Side(`${name}-server`, SERVER_ADDRESSES)
    const client = new Side(`${name}-client`, CLIENT_ADDRESSES)
    const setting = JSON.stringify({
      server: { namespace: server.namespace, addresses: server.addresses },
      client: { namespace: client.namespace, addresses: client.addresses },
    })
    // A process group of its own: Ctrl-C ends the test, and the relay then finds its stdin ended and cleans up.
    const options = { detached: true, env: { PATH: process.env.PATH } }
    const relay = await Talker.start(process.execPath, [RELAY, setting], options)
    const wire = new Wire(server, client, relay)
    try {
      await wire.setDelay(delay)
      return wire
    } catch (error) {
      await wire.end()
      throw error
    }
  }

  /** @param {Side} server  @param {Side} client  @param {Talker} relay */
  constructor(server, client, relay) {
    this.server = server
    this.client = client
    this.#relay = relay
  }

  /**
   * How long packets take, one way; for those that enter the wire from now on.
   * @param {number} milliseconds
   * @param {Direction} [direction]
   * @returns {Promise<void>}
   */
  setDelay(milliseconds, direction = 'both') {
    return this.#relay.call('setDelay', milliseconds, direction)
  }

  /**
   * Loses what is on the wire and whatever enters it, until it is mended.
   * @param {Direction} [direction]
   * @param {Place} [place] loses only what comes from or goes to these ports and addresses
   * @returns {Promise<void>}
   */
  cut(direction = 'both', place) {
    return this.#relay.call('cut', direction, place)
  }

  /**
   * Delivers nothing and loses nothing: what is held arrives, in order, when the wire is mended.
   * @param {Direction} [direction]
   * @returns {Promise<void>}
   */
  hold(direction = 'both') {
    return this.#relay.call('hold', direction)
  }

  /**
   * Loses packets of one kind that enter from now on: so many of them, or all until the wire is mended.
   * @param {PacketKind} kind
   * @param {{ direction?: Direction, count?: number }} [options]
   * @returns {Promise<void>}
   */
  drop(kind, { direction = 'both', count } = {}) {
    return this.#relay.call('drop', direction, kind, count ?? null)
  }

  /**
   * Ends cuts, holds and drops.
   * @param {Direction} [direction]
   * @param {Place} [place] ends only the cut of exactly this place; rejects if there is none
   * @returns {Promise<void>}
   */
  mend(direction = 'both', place) {
    return this.#relay.call('mend', direction, place)
  }

  /**
   * How many packets were delivered and lost, and by how many milliseconds they left later than they were due: on the
   * average, and at the most. (What was held counts as late.)
   * @returns {Promise<Record<'toServer' | 'toClient', { passed: number, dropped: number, late: number, latest: number }>>}
   */
  counts() {
    return this.#relay.call('counts')
  }

  /**
   * The last packets that entered the wire; `at` is in the time of `clock.js`.
   * @param {number} [since] only those that entered then or later
   * @returns {Promise<Record<'toServer' | 'toClient', TracedPacket[]>>}
   */
  trace(since = 0) {
    return this.#relay.call('trace', since)
  }

  /**
   * Has something done when the wire ends, before its programs are ended.
   * @param {() => unknown} cleanUp
   */
  onEnd(cleanUp) {
    this.#cleanUps.push(cleanUp)
  }

  /** Ends the programs on both sides, then the relay, which removes the namespaces. */
  async end() {
    const cleaned = await Promise.allSettled(this.#cleanUps.map((cleanUp) => cleanUp()))
    await Promise.all([this.server.stop(), this.client.stop()])
    await this.#endRelay()
    const failure = cleaned.find(({ status }) => status === 'rejected')
    if (failure) throw failure.reason
  }

  async #endRelay() {
    const { code } = await this.#relay.stop()
    if (code === 0) return
    for (const { namespace } of [this.server, this.client]) removeNamespace(namespace)
    throw new Error(`The relay of the wire failed: ${this.#relay.stderr}`)
  }
}
