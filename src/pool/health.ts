/**
 * Acts on what the monitor says of one origin's connections: those whose peer owes an answer are not lent until it has come,
 * those whose peer is dead are closed. Where one has died, the idle ones to the same address are asked whether they live, and
 * those that do not answer are closed as well: its siblings alone, and not again and again.
 */
import type { Agenda } from '../agenda.js'
import type { Clock } from '../clock.js'
import { codeOf, deathCause, evidenceOf } from '../liveness/evidence.js'
import { Monitor, type MonitorListener } from '../liveness/monitor.js'
import type { Signs } from '../liveness/vital-signs.js'
import type { CloseReason } from '../reasons.js'
import type { Connection } from './connection.js'
import { reasonNotToLend } from './examine.js'
import type { Journal } from './journal.js'
import type { AddressBook } from './names.js'
import type { Stock } from './stock.js'

export interface HealthOwner {
  close(connection: Connection, reason: CloseReason, error?: Error): void
  takeBack(connection: Connection, reason: CloseReason | undefined, now: number): void
}

export interface HealthTools {
  readonly clock: Clock
  readonly agenda: Agenda
  readonly addresses: Pick<AddressBook, 'died'>
}

/**
 * Milliseconds between two rounds of asking the idle connections to one address: where they cannot be asked they are closed,
 * and a peer that dies every second must not take all connections to its address with it every second.
 */
const PAUSE_BETWEEN_ROUNDS = 5_000

/** Addresses whose last round is remembered. */
const MOST_ADDRESSES = 64

export class Health implements MonitorListener<Connection> {
  readonly #monitor = new Monitor<Connection>(this)
  /** Those that were asked out of turn, and are closed if they do not answer. */
  readonly #asked = new Set<Connection>()
  /** When the connections to an address were last asked. */
  readonly #rounds = new Map<string, number>()

  constructor(
    private readonly owner: HealthOwner,
    private readonly tools: HealthTools,
    private readonly journal: Journal,
    private readonly stock: Stock,
  ) {}

  /** Looks at a connection, if it is time. Returns when to look again; Infinity for never. */
  look(connection: Connection, now: number): number {
    return this.#monitor.look(connection, now)
  }

  /** Keeps a connection from being lent whose peer owes an answer. It is closed where nobody can be asked for it. */
  setAside(connection: Connection, now: number): void {
    if (!this.#doubt(connection, now)) this.owner.close(connection, 'stale')
  }

  /** Asks all that are idle whether they live: nobody can say what has happened meanwhile. */
  doubtAll(now: number): void {
    for (const connection of this.stock.idle) this.#ask(connection, now)
  }

  /** Has all connections to an address closed as soon as nobody has them. */
  drain(address: string): void {
    for (const connection of this.stock.open) {
      if (connection.link.remoteAddress !== address) continue
      if (connection.state === 'active') connection.retire('evicted')
      else this.owner.close(connection, 'evicted')
    }
  }

  /** A connection is ending, dead. */
  mourn(connection: Connection): void {
    const { link, asked, patience } = connection
    const { error, signs } = link.ending
    connection.death ??= evidenceOf(signs, asked, deathCause(codeOf(error), signs?.silence, patience))
    // Whoever dials because of it is to know.
    this.tools.addresses.died(link.remoteAddress)
  }

  /** A connection has ended. */
  ended(connection: Connection, now: number): void {
    this.#asked.delete(connection)
    if (connection.closeReason === 'dead') this.#askSiblings(connection, now)
  }

  // --- to the monitor ------------------------------------------------------------------------------------------------

  suspected(connection: Connection, signs: Signs): void {
    this.journal.suspected(connection, signs, this.tools.clock.now())
    if (connection.state === 'idle') this.stock.suspect(connection)
  }

  recovered(connection: Connection): void {
    this.#asked.delete(connection)
    if (connection.state !== 'suspect') return
    const now = this.tools.clock.now()
    connection.trustedAt = now
    this.owner.takeBack(connection, reasonNotToLend(connection, connection.link.inspect(), now), now)
  }

  unanswered(connection: Connection): void {
    if (this.#asked.delete(connection) && connection.state === 'suspect') this.owner.close(connection, 'evicted')
  }

  died(connection: Connection, signs: Signs): void {
    connection.death = evidenceOf(signs, connection.asked)
    this.owner.close(connection, 'dead', timedOut())
  }

  // --- inside --------------------------------------------------------------------------------------------------------

  #askSiblings({ link: { remoteAddress } }: Connection, now: number): void {
    if (remoteAddress === undefined) return
    if (now < (this.#rounds.get(remoteAddress) ?? -Infinity) + PAUSE_BETWEEN_ROUNDS) return
    if (this.#rounds.size >= MOST_ADDRESSES) this.#rounds.clear()
    this.#rounds.set(remoteAddress, now)
    for (const connection of this.stock.idle)
      if (connection.link.remoteAddress === remoteAddress) this.#ask(connection, now)
  }

  #ask(connection: Connection, now: number): void {
    if (this.#doubt(connection, now)) this.#asked.add(connection)
    else this.owner.close(connection, 'evicted')
  }

  /** Returns false where nobody can be asked. */
  #doubt(connection: Connection, now: number): boolean {
    const at = this.#monitor.ask(connection, now)
    if (at === undefined) return false
    this.stock.suspect(connection)
    if (at < connection.wakeAt) this.tools.agenda.schedule(connection, at)
    return true
  }
}

/** What the kernel says when it gives a peer up. */
function timedOut(): Error {
  return Object.assign(new Error('read ETIMEDOUT'), { errno: -110, code: 'ETIMEDOUT', syscall: 'read' })
}
