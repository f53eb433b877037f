/**
 * What the servers of an origin teach of their idle timeouts, for each address its own: behind one name may be machines
 * that are set up differently. Decides which connections are watched; knows from their ends what there is to learn.
 */

import type { Agenda } from '../agenda.js'
import { untaughtAllowance } from '../keepalive/expiry.js'
import type { CloseReason } from '../reasons.js'
import type { Connection } from './connection.js'
import { Lesson } from './lesson.js'

/** Addresses of one origin that are remembered; the one that was longest without a new connection goes. */
const MOST_ADDRESSES = 64

/** How connections end that a server closes while they idle, and how those do that it would have let idle on. */
const endsByServer: ReadonlySet<CloseReason> = new Set(['server-fin', 'reset', 'stale'])
const endsByUs: ReadonlySet<CloseReason> = new Set([
  'idle-timeout',
  'advertised-timeout',
  'learned-timeout',
  'max-lifetime',
  'surplus',
  'pool-closed',
])

export class Lessons {
  /** Connections that are kept only to see when the server closes them: one for each address at the most. */
  readonly watched = new Set<Connection>()
  readonly #lessons = new Map<string, Lesson>()

  constructor(
    private readonly agenda: Agenda,
    private readonly changed: (lesson: Lesson) => void,
  ) {}

  /** The lesson of an address that a connection was opened to. */
  of(address: string): Lesson {
    const lesson = this.#lessons.get(address) ?? new Lesson(address, this.agenda, this.changed)
    this.#lessons.delete(address)
    this.#lessons.set(address, lesson)
    if (this.#lessons.size > MOST_ADDRESSES) this.#forget()
    return lesson
  }

  /** Those that know something. */
  *known(): Iterable<Lesson & { readonly timeout: number }> {
    for (const lesson of this.#lessons.values())
      if (lesson.timeout !== undefined) yield lesson as Lesson & { readonly timeout: number }
  }

  /**
   * Decides whether a connection that must not be lent any more is to be watched.
   *
   * @returns until when, at the most; undefined if it is not
   */
  watch(connection: Connection, reason: CloseReason, now: number): number | undefined {
    const { lesson, answered } = connection
    if (reason !== 'learned-timeout' || answered === 0 || !lesson?.wantsWatch(now)) return undefined
    const until = watchUntil(connection)
    if (until <= now) return undefined
    lesson.watching = true
    this.watched.add(connection)
    return until
  }

  /** A connection was answered, after it had idled. */
  answered(connection: Connection, now: number): void {
    const { lesson, grantedAt, idleSince, survived } = connection
    const idled = grantedAt - idleSince
    if (survived === undefined || idled > survived) connection.survived = idled
    if (lesson?.suspected !== undefined) lesson.outlived(idled, now)
  }

  /**
   * Whether the suspicion that speaks against a connection ends here, because one that idles for longer is still whole.
   *
   * @param oldest the one that idles for longest of all; undefined for none
   */
  clears({ lesson, link }: Connection, oldest: Connection | undefined, now: number): boolean {
    if (lesson?.suspected === undefined || !link.provable || oldest?.lesson !== lesson) return false
    if (oldest.link.inspect()?.established) lesson.outlived(now - oldest.idleSince, now)
    return lesson.suspected === undefined
  }

  /** A connection has ended. */
  ended(connection: Connection, reason: CloseReason, now: number): void {
    const { lesson, answered, asked, link, survived } = connection
    if (lesson === undefined) return
    if (this.watched.delete(connection)) lesson.watching = false
    // Servers have another patience with connections on which nothing was asked yet.
    if (asked || answered === 0) return
    const { fin, finAge, error } = link.ending
    const isGone = fin || finAge !== undefined || error !== undefined
    if (isGone && endsByServer.has(reason)) lesson.serverClosed(idledFor(connection, now), now, survived)
    else if (!isGone && endsByUs.has(reason)) lesson.outlived(idledFor(connection, now), now)
  }

  /** A request has crossed the server's FIN: the connection it died on had idled for too long. */
  raced(connection: Connection, diedAt: number, now: number): void {
    const { lesson, link, survived } = connection
    const { fin, finAge } = link.ending
    if (fin || finAge !== undefined) lesson?.serverClosed(idledFor(connection, diedAt), now, survived)
  }

  #forget(): void {
    const [oldest] = this.#lessons.values()
    if (oldest === undefined) return
    this.#lessons.delete(oldest.address)
    this.agenda.cancel(oldest)
  }
}

/** When it is time to end the watch of a connection, on the pool's clock. */
export function watchUntil(connection: Connection): number {
  const { idleSince, lesson, lifetimeEndsAt } = connection
  const time = Math.min(untaughtAllowance(connection), lesson?.watchTime ?? 0)
  return Math.min(idleSince + time, lifetimeEndsAt)
}

/**
 * How long a connection had idled when the server closed it, or until it ended. We may have come late to read the response,
 * never early: the kernel's own times, from the last data to the FIN, correct that. (TLS says something before its FIN:
 * then they say nothing.)
 */
function idledFor({ idleSince, link }: Connection, endedAt: number): number {
  const { finAge = 0, silence = 0 } = link.ending
  return Math.max(endedAt - finAge - idleSince, silence)
}
