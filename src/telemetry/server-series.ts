/**
 * The numbers of one server, as all pools of one name have made them on one meter.
 */
import type { Attributes } from '../meter.js'
import { Counters } from '../pool/counters.js'
import type { OriginPool } from '../pool/origin-pool.js'
import { closeReasons } from '../reasons.js'
import type { ObservableKey } from './instruments.js'
import { Reading } from './reading.js'
import { ServerAttributes } from './server-attributes.js'

export type Observe = (instrument: ObservableKey, value: number, attributes: Attributes) => void

export class ServerSeries {
  readonly attributes: ServerAttributes
  /** Counted by what is gone: forgotten origins, pools that are over. */
  readonly past = new Counters()
  #reading = new Reading()
  /** Requests that were given a new connection and a used one, as they were told last. */
  #assigned = { new: 0, reused: 0 }

  constructor(pool: string, origin: string | undefined) {
    this.attributes = new ServerAttributes(pool, origin)
  }

  /** Begins a new reading. */
  begin(): void {
    this.#reading = new Reading()
    this.#reading.counters.add(this.past)
  }

  add(origin: OriginPool, counters: Counters): void {
    this.#reading.add(origin, counters)
  }

  /** Tells what was read. */
  tell(observe: Observe): void {
    const { attributes } = this
    const { counters, active, idle, dialing, waiting, suspect, advertised, learned } = this.#reading
    const { plain } = attributes
    for (const method of attributes.methods) observe('activeRequests', method.active, method.plain)
    observe('openConnections', active, attributes.active)
    observe('openConnections', idle, attributes.idle)
    observe('opened', counters.opened, plain)
    for (const reason of closeReasons) observe('closed', counters.closed[reason], attributes.closed(reason))
    observe('dialing', dialing, plain)
    observe('suspect', suspect, plain)
    this.#tellAssigned(counters, observe)
    observe('replayed', counters.replayed, plain)
    observe('queued', counters.waits, plain)
    observe('waiting', waiting, plain)
    if (advertised !== Infinity) observe('idleTimeout', advertised / 1000, attributes.advertised)
    if (learned !== Infinity) observe('idleTimeout', learned / 1000, attributes.learned)
  }

  /** A request that gave its connection back unused is counted no more; a counter may not go down, and waits for the next one. */
  #tellAssigned({ requests, reused }: Counters, observe: Observe): void {
    const { newConnection, reusedConnection } = this.attributes
    this.#assigned = {
      new: Math.max(this.#assigned.new, requests - reused),
      reused: Math.max(this.#assigned.reused, reused),
    }
    observe('assigned', this.#assigned.new, newConnection)
    observe('assigned', this.#assigned.reused, reusedConnection)
  }
}
