/**
 * The open connections of one origin, each where it stands: lent, idle, settling, suspect, watched. The one place that moves a
 * connection from one to another; its link is parked, and its place in the lists kept, accordingly. Decides nothing.
 */
import type { Connection, ConnectionState } from './connection.js'
import type { IdleList } from './idle-list.js'

export class Stock {
  /** All that are open, in no order. */
  readonly open = new Set<Connection>()
  /** Those that are looked at before they are lent. */
  settling = 0
  /** Those whose peer is to answer before they are lent. */
  readonly suspects = new Set<Connection>()

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
    return this.open.size - this.watched.size - this.suspects.size
  }

  /** Connections on which nothing is going on. */
  get unused(): number {
    return this.idle.size + this.settling + this.suspects.size + this.watched.size
  }

  /** One of those that cannot be lent, though nobody has it; undefined if there is none. */
  get anyUseless(): Connection | undefined {
    const [watched] = this.watched
    if (watched !== undefined) return watched
    const [suspect] = this.suspects
    return suspect
  }

  /** One that can be done without when a new one is needed: useless, or idle while nobody wants an old one. */
  get spare(): Connection | undefined {
    return this.anyUseless ?? this.idle.oldest
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

  /** It may be lent when its peer has answered. */
  suspect(connection: Connection): void {
    this.#move(connection, 'suspect')
    this.idle.hide(connection)
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
    if (state === 'suspect') {
      this.suspects.delete(connection)
      this.idle.remove(connection)
    }
    connection.move(to)
    if (to === 'settling') this.settling++
    if (to === 'suspect') this.suspects.add(connection)
  }
}
