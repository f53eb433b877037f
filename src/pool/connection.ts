/**
 * One connection: its link, what the server said on it, and where it stands.
 *
 *     dialed > active <> idle
 *              active | idle > settling > active | idle
 *              active | idle | settling > suspect > active | idle
 *              active | idle | settling | suspect > watched
 *              any of them > closed
 *
 * A connection decides nothing and closes nothing: its origin pool does, through `move`.
 */

import { AgendaItem } from '../agenda.js'
import { observedVariance } from '../keepalive/margin.js'
import type { DoubtFacts } from '../keepalive/reuse.js'
import type { PeerEvidence } from '../liveness/evidence.js'
import { type Peer, patienceOf, type Vigil } from '../liveness/monitor.js'
import type { KernelView } from '../liveness/tcp-info.js'
import type { Patience, Signs } from '../liveness/vital-signs.js'
import type { CloseReason } from '../reasons.js'
import type { ConnectionSnapshot } from '../snapshot.js'
import type { Link, LinkEnding, LinkOwner } from '../wire/link.js'
import type { Engine } from './engine.js'
import type { Lesson } from './lesson.js'
import { ListNode } from './list.js'
import type { OriginPool } from './origin-pool.js'

/**
 * `active`: lent to a waiter, or just dialed for one. `idle`: in the pool, may be lent. `settling`: idle, and the event
 * loop gets two turns to see whether it is still good. `suspect`: idle, not lent until its peer has answered. `watched`: idle,
 * not lent any more, kept to see when the server closes it. `closed`: over.
 */
export type ConnectionState = 'active' | 'idle' | 'settling' | 'suspect' | 'watched' | 'closed'

const transitions: Readonly<Record<ConnectionState, readonly ConnectionState[]>> = {
  active: ['idle', 'settling', 'suspect', 'watched', 'closed'],
  idle: ['active', 'settling', 'suspect', 'watched', 'closed'],
  settling: ['active', 'idle', 'suspect', 'watched', 'closed'],
  suspect: ['active', 'idle', 'watched', 'closed'],
  watched: ['closed'],
  closed: [],
}

export class Connection extends AgendaItem implements DoubtFacts, LinkOwner, Peer {
  /** Written by `move` alone. */
  state: ConnectionState = 'active'
  /** Place in its origin's list of idle connections, and in the pool's if there is one. */
  readonly idleNode = new ListNode<Connection>(this)
  poolNode: ListNode<Connection> | undefined = undefined
  /** What speaks HTTP on it; undefined until its first request. Written by `use` alone. */
  engine: Engine | undefined = undefined
  /** What did before another one took over. */
  #resting: Engine | undefined = undefined

  /** When it last became idle. */
  idleSince: number
  /** When it was last lent. */
  grantedAt: number
  /** When it was last known to be good. */
  trustedAt: number
  readonly lifetimeEndsAt: number
  /** Requests it was given. Only grows. */
  requests = 0
  /** A request was written on it, and its response is not complete. */
  asked = false
  /** Whether it has ever been idle, or served: a failure on one that has not is no keep-alive race. */
  reused = false
  /**
   * The longest time in milliseconds that it idled and was answered all the same; undefined if it was never reused, or
   * nothing is to be learned.
   */
  survived: number | undefined = undefined
  /** Why it will be closed when it is released; once it is closed, why it was. */
  closeReason: CloseReason | undefined = undefined

  /** What its monitor remembers of it. */
  vigil: Vigil | undefined = undefined
  /** How its peer was found dead; undefined while it was not. */
  death: PeerEvidence | undefined = undefined

  /** Milliseconds the server advertised on it; until its first response, on another one to the same origin. */
  advertisedTimeout: number | undefined
  /** Of the response that is being read. */
  timeoutHeard = false
  /** Requests the server still allows; Infinity when it named no `max`. Only falls. */
  remaining = Infinity
  /** `max` of its last response that had one, and of the response that is being read. */
  lastMax: number | undefined = undefined
  max: number | undefined = undefined
  /** Responses complete. Only grows. */
  answered = 0
  /** Round-trip time, and its variance without the kernel's first guess, in milliseconds; 0 while unknown. */
  rtt = 0
  rttVariance = 0
  margin = 0

  constructor(
    readonly id: number,
    readonly origin: OriginPool,
    readonly link: Link,
    readonly openedAt: number,
    lifetime: number,
    advertisedTimeout: number | undefined,
    /** What is learned of the server at its address; undefined where nothing is to be. */
    readonly lesson: Lesson | undefined,
  ) {
    super()
    this.idleSince = openedAt
    this.grantedAt = openedAt
    this.trustedAt = openedAt
    this.lifetimeEndsAt = openedAt + lifetime
    this.advertisedTimeout = advertisedTimeout
  }

  get learnedTimeout(): number | undefined {
    return this.lesson?.timeout
  }

  get suspectedTimeout(): number | undefined {
    return this.lesson?.suspected
  }

  get keepAliveTimeout(): number {
    return this.origin.keepAliveTimeout
  }

  get throughTimeout(): number | undefined {
    return this.origin.throughTimeout
  }

  get keepAliveMaxTimeout(): number {
    return this.origin.keepAliveMaxTimeout
  }

  get busySince(): number {
    return Math.max(this.grantedAt, this.idleSince)
  }

  get patience(): Patience | undefined {
    return patienceOf(this.link.liveness)
  }

  signs(): Signs | undefined {
    return this.link.signs()
  }

  ask(): boolean {
    return this.link.ask()
  }

  askAsUsual(): void {
    this.link.askAsUsual()
  }

  /** The one place where its state changes. */
  move(to: ConnectionState): void {
    if (!transitions[this.state].includes(to))
      throw new Error(`connection ${this.id}: ${this.state} cannot become ${to}`)
    this.state = to
  }

  /** Takes over what the kernel has measured. */
  measured({ rtt, rttVariance }: KernelView): void {
    this.rtt = rtt
    this.rttVariance = observedVariance(rtt, rttVariance, this.answered)
  }

  /** Has it closed after the request it is on; the first reason stands. */
  retire(reason: CloseReason): void {
    this.closeReason ??= reason
  }

  /** The engine of this kind, attached: the one it has, or a new one. */
  use<Kind extends Engine>(kind: abstract new (...args: never[]) => Kind, make: () => Kind): Kind {
    const { engine } = this
    if (engine instanceof kind) return engine
    const resting = this.#resting
    const next = resting instanceof kind ? resting : make()
    engine?.detach()
    this.#resting = engine
    this.engine = next
    next.attach()
    return next
  }

  linkEnded(ending: LinkEnding): void {
    this.origin.linkEnded(this, ending)
  }

  wake(now: number): number {
    return this.origin.wakeConnection(this, now)
  }

  snapshot(now: number): ConnectionSnapshot {
    const { id, link, requests, advertisedTimeout, remaining, rtt } = this
    return {
      id,
      origin: this.origin.target.origin,
      localPort: link.localPort,
      remoteAddress: link.remoteAddress,
      remotePort: link.remotePort,
      age: now - this.openedAt,
      idle: this.state === 'active' || this.asked ? 0 : now - this.idleSince,
      requests,
      advertisedTimeout,
      remaining: remaining === Infinity ? undefined : remaining,
      rtt: rtt === 0 ? undefined : rtt,
      liveness: link.liveness,
    }
  }
}
