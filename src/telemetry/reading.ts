/**
 * What stands in the books of one server now, summed over all that speaks to it: several pools of one name, several keys of one
 * pool (other TLS names, agents with options of their own), origins that the pool has forgotten since.
 */
import { Counters } from '../pool/counters.js'
import type { OriginPool } from '../pool/origin-pool.js'

export class Reading {
  readonly counters = new Counters()
  active = 0
  idle = 0
  dialing = 0
  waiting = 0
  suspect = 0
  /** The shortest idle time in milliseconds that it advertised; Infinity for none. */
  advertised = Infinity
  /** The shortest one that was learned; Infinity for none. */
  learned = Infinity

  /** @param counters what of its numbers is to be told */
  add(origin: OriginPool, counters: Counters): void {
    const { active, idle, dialing, waiting } = origin.state
    this.counters.add(counters)
    this.active += active
    this.idle += idle
    this.dialing += dialing
    this.waiting += waiting
    this.suspect += origin.suspect
    this.advertised = Math.min(this.advertised, origin.hints.advertisedTimeout ?? Infinity)
    for (const { timeout } of origin.lessons?.known() ?? []) this.learned = Math.min(this.learned, timeout)
  }
}
