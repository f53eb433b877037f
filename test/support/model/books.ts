/**
 * What the model counts by itself, to be compared with the pool's own numbers, and the connections it has seen.
 */
import type { Events } from '../../../src/events.js'
import type { Connection } from '../../../src/pool/connection.js'
import type { CloseReason } from '../../../src/reasons.js'

export class ModelBooks {
  taken = 0
  grants = 0
  reused = 0
  replayed = 0
  waits = 0
  dialFailures = 0
  opened = 0
  lifetime = 0
  readonly closed = new Map<CloseReason, number>()
  /** What the pool does not count: grants to those who insist on a new connection, and connections that were watched. */
  newGrants = 0
  readonly watched = new Set<Connection>()
  /** Connections by number, and those that have ended and were not looked at since. */
  readonly connections = new Map<number, Connection>()
  readonly ended = new Set<number>()

  constructor(events: Events) {
    events.on('open', () => this.opened++)
    events.on('close', ({ connection, reason }) => {
      this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1)
      this.lifetime += connection.age
      this.ended.add(connection.id)
    })
  }

  /** Takes note of a connection that is open. */
  see(connection: Connection): void {
    this.connections.set(connection.id, connection)
    if (connection.state === 'watched') this.watched.add(connection)
  }
}
