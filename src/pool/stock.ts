/**
 * The open connections of one origin, each where it stands: lent, idle, settling, watched. The one place that moves a
 * connection from one to another; its link is parked, and its place in the lists kept, accordingly. Decides nothing.
 */
import type { Connection, ConnectionState } from './connection.js'
import type { IdleList } from './idle-list.js'

export class Stock {
  /** All that are open, in no order. */
  readonly open = new Set<Connection>()
  /** Those that are looked at before they are lent. */
  settling = 0

  /**
   * @param idle those that may be lent
   * @param watched those that are kept only to see when the server closes them
   */
  constructor(
    readonly idle: IdleList,
    readonly watched: ReadonlySet<Connection>,
  ) {}

  /** Connections that are lent, or can be. */
  get usable(): number {
    return this.open.size - this.watched.size
  }

  /** Connections on which nothing is going on. */
  get unused(): number {
    return this.idle.size + this.settling + this.watched.size
  }

  /** One of those that are watched, if any is. */
  get anyWatched(): Connection | undefined {
    const [watched] = this.watched
    return watched
  }

  /** One that can be done without when a new one is needed: watched, or idle while nobody wants an old one. */
  get spare(): Connection | undefined {
    return this.anyWatched ?? this.idle.oldest
  }

  /** One that was just opened, and is lent to nobody yet. */
  add(connection: Connection): void {
    this.open.add(connection)
  }

  /** Takes out the next of the idle ones that are to be lent; it is nowhere until it is moved, or kept again. */
  shift(): Connection | undefined {
    const { next } = this.idle
    if (next !== undefined) this.idle.remove(next)
    return next
  }

  /** Somebody has it from now on. */
  lend(connection: Connection): void {
    if (connection.state !== 'active') this.#move(connection, 'active')
  }

  /** It may be lent. */
  keep(connection: Connection): void {
    if (connection.state !== 'idle') this.#move(connection, 'idle')
    this.idle.add(connection)
  }

  /** It may be lent when it has been looked at. */
  settle(connection: Connection): void {
    this.#move(connection, 'settling')
  }

  /** It is not lent any more. */
  watch(connection: Connection): void {
    this.#move(connection, 'watched')
    this.idle.hide(connection)
  }

  /** It has ended. */
  remove(connection: Connection): void {
    this.#move(connection, 'closed')
    this.idle.remove(connection)
    this.open.delete(connection)
  }

  #move(connection: Connection, to: ConnectionState): void {
    const { state, link, engine } = connection
    // An engine reads its socket, and holds the process, by itself.
    if (engine === undefined && to === 'active') link.unpark()
    else if (engine === undefined && state === 'active' && to !== 'closed') link.park()
    if (state === 'settling') this.settling--
    connection.move(to)
    if (to === 'settling') this.settling++
  }
}
