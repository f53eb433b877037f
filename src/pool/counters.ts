/**
 * What has happened, counted per origin: whole numbers that only grow, and sums of milliseconds.
 */
import { type CloseReason, closeReasons } from '../reasons.js'

export class Counters {
  /** Requests that were given a connection, each replay counted as one. */
  requests = 0
  /** Of these, on a connection that had been used or idle before. */
  reused = 0
  /** Requests sent again because a reused connection died under them. */
  replayed = 0
  /** Connections opened. */
  opened = 0
  /** Attempts to open one that failed. */
  dialFailures = 0
  /** Milliseconds spent opening connections, failures included. */
  dialTime = 0
  /** Requests that had to wait for a connection, be it for one that was opened for them. */
  waits = 0
  /** Milliseconds they waited, those that were given one. */
  waitTime = 0
  /** Milliseconds that the closed connections lived. */
  lifetime = 0
  /** Connections closed, by reason. */
  readonly closed: Record<CloseReason, number> = emptyReasons()

  add(other: Counters): void {
    this.requests += other.requests
    this.reused += other.reused
    this.replayed += other.replayed
    this.opened += other.opened
    this.dialFailures += other.dialFailures
    this.dialTime += other.dialTime
    this.waits += other.waits
    this.waitTime += other.waitTime
    this.lifetime += other.lifetime
    for (const reason of closeReasons) this.closed[reason] += other.closed[reason]
  }
}

function emptyReasons(): Record<CloseReason, number> {
  return Object.fromEntries(closeReasons.map((reason) => [reason, 0])) as Record<CloseReason, number>
}
