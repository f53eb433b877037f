/**
 * The connections to one origin and those who wait for one: opens, takes back, closes; has its parts lend and keep.
 *
 * The one place that ends connections: `close` when it is decided here or by a caller, `linkEnded` when the link's other
 * side was faster. Works on links and a clock; knows nothing of HTTP clients or sockets.
 *
 * Its parts: what is open (`Stock`), who waits (`Lines`), what is being opened (`Dials`, `WarmUps`), how these compare
 * (`Balance`); who is served (`Lender`) with what (`Picker`), how long the rest stays (`Keeper`, `Lessons`), and whether it
 * lives (`Health`); what is told of all that (`Journal`).
 *
 * Invariant: while a connection is idle, nobody stands in line for whom nothing is under way.
 */
import { isTraced, tracing } from '../channels.js'
import { AcquireTimeoutError, addCause, ConnectError, type OriginState } from '../errors.js'
import { owesAnswer, unfit, wasQuick } from '../keepalive/reuse.js'
import type { KernelView } from '../liveness/tcp-info.js'
import type { CloseReason } from '../reasons.js'
import type { Dialer, Link, LinkEnding, Target } from '../wire/link.js'
import { Balance } from './balance.js'
import type { Connection } from './connection.js'
import { Counters } from './counters.js'
import { type DialOutcome, type DialOwner, Dials } from './dials.js'
import { endingReason } from './ending.js'
import { lookBack, reasonNotToLend } from './examine.js'
import { Health, type HealthOwner } from './health.js'
import { Hints } from './hints.js'
import { IdleList } from './idle-list.js'
import { type Attempt, Journal, type Replay } from './journal.js'
import { Keeper, type KeeperOwner } from './keeper.js'
import { Lender, type LenderOwner } from './lender.js'
import { Lessons } from './lessons.js'
import type { LineOwner } from './line.js'
import { Lines } from './lines.js'
import { ListNode } from './list.js'
import { Picker, type PickerOwner } from './picker.js'
import type { PoolCore } from './pool-core.js'
import { Stock } from './stock.js'
import type { Waiter } from './waiter.js'
import { WarmUps } from './warm-ups.js'

export class OriginPool implements DialOwner, LineOwner, LenderOwner, KeeperOwner, PickerOwner, HealthOwner {
  readonly keepAliveTimeout: number
  readonly keepAliveMaxTimeout: number
  /** What stands between closes, or forgets, connections that idle for so long; undefined where nothing is known of that. */
  readonly throughTimeout: number | undefined
  /** The longest time in milliseconds from a request's start to the end of its response. */
  longestExchange = 0
  readonly hints: Hints
  /** What its servers teach of their idle timeouts; undefined where nothing is to be learned. */
  readonly lessons: Lessons | undefined
  readonly counters = new Counters()
  /** Place among the origins that need one of the pool's slots. */
  readonly slotNode = new ListNode<OriginPool>(this)
  /** The pool has put another one in its place: no more requests may come here. */
  forgotten = false
  /** Nobody may ever ask for it again: it keeps no connection, and is forgotten as soon as it is quiet. */
  fleeting = false
  /** Somebody was told to hold back until the line is empty. */
  needDrain = false

  readonly #core: PoolCore
  readonly #journal: Journal
  readonly #stock: Stock
  readonly #keeper: Keeper
  readonly #picker: Picker
  readonly #health: Health
  readonly #lines: Lines
  readonly #dials: Dials
  readonly #balance: Balance
  readonly #warmUps: WarmUps
  readonly #lender: Lender
  #lastConnectError: Error | undefined = undefined

  constructor(
    core: PoolCore,
    readonly key: string,
    readonly target: Target,
  ) {
    const { options, clock, dial, agenda } = core
    this.#core = core
    this.keepAliveTimeout = core.keepAliveTimeout
    this.keepAliveMaxTimeout = options.keepAliveMaxTimeout
    this.#journal = new Journal(core.identity, target.origin, this.counters, core.events)
    this.throughTimeout = options.idleLimit?.timeout
    this.hints = new Hints(Math.min(this.keepAliveTimeout, this.throughTimeout ?? Infinity))
    this.lessons = options.learn ? new Lessons(agenda, (lesson) => this.#keeper.learned(lesson)) : undefined
    this.#stock = new Stock(new IdleList(core, options.scheduling), this.lessons?.watched ?? new Set())
    this.#keeper = new Keeper(this, core, this.#journal, this.#stock, this.lessons)
    this.#picker = new Picker(this, clock, this.#stock, this.#keeper)
    this.#health = new Health(this, core, this.#journal, this.#stock)
    this.#lines = new Lines(this, agenda, options.acquireTimeout)
    this.#dials = new Dials(this, dial, clock, options.connect.concurrency)
    this.#warmUps = new WarmUps(this.#dials)
    this.#balance = new Balance(this, this.#lines, this.#stock, this.#dials, core)
    this.#lender = new Lender(this, core, {
      journal: this.#journal,
      stock: this.#stock,
      keeper: this.#keeper,
      picker: this.#picker,
      lines: this.#lines,
      dials: this.#dials,
      balance: this.#balance,
      lessons: this.lessons,
    })
  }

  /** Connections open or being opened. */
  get size(): number {
    return this.#balance.size
  }

  /** Connections that are lent, or can be. */
  get usable(): number {
    return this.#stock.usable
  }

  /** More requests wait than connections are under way: one should hold back. */
  get congested(): boolean {
    return this.#balance.isShort
  }

  /** Requests in line. */
  get waiting(): number {
    return this.#lines.size
  }

  /** Nothing open, nothing under way, nobody waiting. */
  get quiet(): boolean {
    return this.size === 0 && this.waiting === 0
  }

  /** Idle connections that are not lent until their peer has answered. */
  get suspect(): number {
    return this.#stock.suspects.size
  }

  get state(): OriginState {
    const { open, unused } = this.#stock
    return {
      origin: this.target.origin,
      active: open.size - unused,
      idle: unused,
      dialing: this.#dials.count,
      waiting: this.waiting,
      maxConnections: this.#core.options.maxConnections,
    }
  }

  /** Whether its own cap leaves room for one more connection. */
  get hasRoom(): boolean {
    return this.#balance.hasRoom
  }

  /** Those in line. */
  get inLine(): Iterable<Waiter> {
    return [...this.#lines.forNew, ...this.#lines.any]
  }

  /** Since when the first in line waits, on the pool's clock; undefined where nobody does. */
  get waitingSince(): number | undefined {
    return this.#lines.first?.waitingSince
  }

  /** The connections that are open, in no order. */
  get connections(): ReadonlySet<Connection> {
    return this.#stock.open
  }

  // --- lending -------------------------------------------------------------------------------------------------------

  /** Grants the waiter a connection, at once (then the answer is true) or when there is one; or refuses it. */
  acquire(waiter: Waiter): boolean {
    const now = this.#core.clock.now()
    if (!isTraced(tracing.acquire)) return this.#acquire(waiter, now)
    return this.#journal.asks(waiter, now, () => this.#acquire(waiter, now))
  }

  #acquire(waiter: Waiter, now: number): boolean {
    if (this.#core.destroyedWith !== undefined) {
      waiter.refuse(this.#core.destroyedWith)
      return false
    }
    return this.#lender.lend(waiter, now)
  }

  /**
   * Whether a granted connection is still fit, just before its request is written: a turn of the event loop lies between
   * the grant and the write. If not, it is closed, or is to be given back.
   *
   * @param insist whether to want it looked at for another two turns where nobody can be asked and the turn was long
   */
  confirm(connection: Connection, insist: boolean): boolean {
    const now = this.#core.clock.now()
    if (connection.reused) {
      if (!this.#picker.confirm(connection, insist, now)) return false
      connection.link.beginRequest()
    }
    connection.asked = true
    return true
  }

  /** Takes a waiter out of the line. */
  cancel(waiter: Waiter): void {
    this.#lines.leave(waiter)
    waiter.gone()
  }

  /** Takes a connection back after a complete response: it is lent again, kept, or closed. */
  release(connection: Connection): void {
    if (connection.state !== 'active' || connection.link.destroyed) return // its end is under way, and will be reported
    const now = this.#core.clock.now()
    connection.asked = false
    this.longestExchange = Math.max(this.longestExchange, now - connection.grantedAt)
    if (connection.reused) this.lessons?.answered(connection, now)
    connection.reused = true // even if it is handed on at once
    connection.idleSince = connection.trustedAt = now
    const kernel = wasQuick(connection.grantedAt, now) ? undefined : lookBack(connection, now)
    this.hints.complete(connection)
    this.#setMargin(connection, now)
    if (connection.remaining <= 0) connection.retire('advertised-max')
    this.#takeBackFit(connection, connection.closeReason ?? unfit(connection, kernel, now), kernel, now)
  }

  /** Takes back a connection, be it gone by now, on which nothing was sent after all. */
  giveBack(connection: Connection): void {
    connection.requests--
    this.#journal.givenBack(connection)
    if (connection.state !== 'active' || connection.link.destroyed) return
    const now = this.#core.clock.now()
    const kernel = connection.link.inspect()
    this.#takeBackFit(connection, connection.closeReason ?? reasonNotToLend(connection, kernel, now), kernel, now)
  }

  /** Takes back a connection that was looked at. */
  #takeBackFit(
    connection: Connection,
    reason: CloseReason | undefined,
    kernel: KernelView | undefined,
    now: number,
  ): void {
    if (!owesAnswer(kernel)) this.takeBack(connection, reason, now)
    else if (reason !== undefined)
      this.close(connection, reason) // it would teach nothing any more
    else {
      this.setAside(connection, now)
      this.#lender.serveLine() // who waited for it has to have another one
    }
  }

  /** Takes back a connection that is not to be lent before its peer has answered. */
  setAside(connection: Connection, now: number): void {
    const { closing, slots } = this.#core
    // It serves nobody here: its slot is for anybody who needs one.
    if (slots.next !== undefined || this.#lender.hasSurplus) this.close(connection, 'surplus')
    else if (closing) this.close(connection, 'pool-closed')
    else this.#health.setAside(connection, now)
  }

  /** Takes back a connection that nobody has any more: it is lent again or kept, unless there is a reason against it. */
  takeBack(connection: Connection, reason: CloseReason | undefined, now: number): void {
    if (reason === undefined) this.#lender.offer(connection, now)
    else this.#keeper.expel(connection, reason, now)
  }

  /**
   * Takes note of a request that crossed the server's FIN: the connection it died on had idled for too long.
   *
   * @param diedAt when it died
   */
  raced(connection: Connection, diedAt: number): void {
    this.lessons?.raced(connection, diedAt, this.#core.clock.now())
  }

  /** Counts a request that is sent again. */
  replays(replay: Replay): void {
    this.#journal.replayed(replay)
  }

  // --- closing -------------------------------------------------------------------------------------------------------

  /** Closes a connection, whatever it is doing. */
  close(connection: Connection, reason: CloseReason, error?: Error): void {
    if (connection.state === 'closed') return
    connection.link.destroy(error)
    this.#ended(connection, reason, error)
  }

  /** Closes a connection whose exchange failed: the caller broke it off, or it broke under it. */
  discard(connection: Connection, error?: Error): void {
    const { fin, signs } = connection.link.ending
    this.close(connection, this.#reasonOf(connection, { error, fin, signs }), error)
  }

  /** The link has ended without anybody here having ended it. */
  linkEnded(connection: Connection, ending: LinkEnding): void {
    this.#ended(connection, this.#reasonOf(connection, ending), ending.error)
  }

  /** That a peer is dead goes before what was to be the connection's end anyway. */
  #reasonOf(connection: Connection, ending: Pick<LinkEnding, 'error' | 'fin' | 'signs'>): CloseReason {
    const { closeReason, asked, patience } = connection
    const reason = endingReason(ending, asked, patience)
    return reason === 'dead' && closeReason !== 'aborted' ? reason : (closeReason ?? reason)
  }

  /** Lets a connection go without closing it: it is the caller's own now. */
  detach(connection: Connection): void {
    connection.link.letGo()
    this.#ended(connection, 'upgrade')
  }

  /** Closes what is idle and drops dials that nobody waits for; what comes back later is closed then. */
  closeIdle(error: Error): void {
    for (const connection of this.#stock.idle) this.close(connection, 'pool-closed')
    for (const connection of this.#stock.suspects) this.close(connection, 'pool-closed')
    for (const connection of this.#stock.watched) this.close(connection, 'pool-closed')
    if (this.waiting === 0) this.#dials.cancel(error)
  }

  /** Fails those in line. */
  refuseAll(error: Error): void {
    this.#lines.refuse(error)
  }

  /** Ends everything: requests under way fail with the error. */
  destroy(error: Error): void {
    this.#dials.cancel(error)
    for (const connection of this.#stock.open) this.close(connection, 'pool-closed', error)
  }

  // --- caps ----------------------------------------------------------------------------------------------------------

  /** The pool has got a list of all idle connections. */
  listIdle(): void {
    this.#stock.idle.list()
  }

  /** The pool knows it no longer: it is quiet. */
  forget(): void {
    this.forgotten = true
    this.#lines.close()
  }

  /** Acts on caps that have changed. */
  capsChanged(): void {
    this.#keeper.trim()
    for (let { spare } = this.#stock; spare !== undefined && this.#balance.isOver; { spare } = this.#stock)
      this.close(spare, 'surplus')
    this.#lender.serveLine()
  }

  // --- opening -------------------------------------------------------------------------------------------------------

  /** Opens connections until there are `count`, or as many as the caps allow; rejects with the first dial's error. */
  async warm(count: number): Promise<void> {
    const { slots } = this.#core
    // Dials for requests do not count: one that is not needed in the end is dropped.
    while (this.usable + this.#dials.warming < count && slots.hasRoom) {
      if (!this.#balance.hasRoom) {
        const { anyUseless } = this.#stock
        if (anyUseless === undefined) break
        this.close(anyUseless, 'surplus')
        continue
      }
      slots.take(this)
      this.#core.stirred(this)
      this.#warmUps.start()
    }
    await this.#warmUps.settled()
  }

  dialWanted(): boolean {
    return this.#balance.wantsAllDials
  }

  get dialer(): Dialer | undefined {
    return this.#lines.first?.dialer
  }

  dialBegins(): Attempt {
    return this.#journal.dials(this.#core.nextDial())
  }

  dialEnded({ attempt, link, error, cancelled, elapsed }: DialOutcome): void {
    if (attempt !== undefined && link !== undefined) this.#opened(link, attempt, elapsed)
    else {
      if (attempt !== undefined && error !== undefined) this.#dialFailed(attempt, error, elapsed)
      else if (attempt !== undefined && cancelled !== undefined) this.#journal.dialGivenUp(attempt, cancelled)
      this.#core.slots.free()
      // While nothing is open, the dials that are left decide: no new ones for those that wait for them.
      if (this.#stock.open.size > 0 || this.#dials.count === 0) this.#lender.serveLine()
      this.#checkQuiet()
    }
  }

  /** Whether another slot of the pool's would be of use. */
  get needsSlot(): boolean {
    return this.#lender.needsSlot
  }

  takeSlot(): boolean {
    return this.#core.slots.take(this)
  }

  /** A slot is free for this origin; false if it does not take it now, because it is about to serve its line anyway. */
  useSlot(): boolean {
    const { slots } = this.#core
    const before = slots.used
    this.#lender.serveLine()
    if (!this.needsSlot) slots.leave(this)
    return slots.used > before
  }

  // --- in the course of time -----------------------------------------------------------------------------------------

  /** Does what is due for a connection, and says when to look again. */
  wakeConnection(connection: Connection, now: number): number {
    const forKeeper = this.#keeper.wake(connection, now)
    return connection.state === 'closed' ? Infinity : Math.min(forKeeper, this.#health.look(connection, now))
  }

  /** The process has slept: what is idle is lent when it has answered. */
  doubtIdle(now: number): void {
    this.#health.doubtAll(now)
  }

  /** An address is not to be used any more: connections to it close when they are free. */
  drain(address: string): void {
    this.#health.drain(address)
  }

  get mayWatch(): boolean {
    const { closing, slots } = this.#core
    return !closing && this.waiting === 0 && slots.next === undefined
  }

  timeoutError(waited: number): AcquireTimeoutError {
    return new AcquireTimeoutError(this.state, waited, this.#lastConnectError)
  }

  lineGrew(): void {
    this.#core.stirred(this)
  }

  lineShrank(): void {
    if (this.waiting > 0) return
    this.#core.slots.withdraw(this)
    if (this.needDrain) {
      this.needDrain = false
      this.#core.drained(this)
    }
    this.#checkQuiet()
  }

  // --- inside: opening and ending ------------------------------------------------------------------------------------

  #opened(link: Link, attempt: Attempt, elapsed: number): void {
    const now = this.#core.clock.now()
    const connection = this.#core.newConnection(this, link, now)
    this.#stock.add(connection)
    this.#lastConnectError = undefined
    link.owner = connection
    const kernel = link.inspect()
    if (kernel !== undefined) connection.measured(kernel)
    this.#setMargin(connection, now)
    this.#journal.opened(connection, attempt, elapsed, now)
    this.#core.opened(this)
    if (connection.state !== 'active') return // a listener closed the pool
    this.#core.agenda.schedule(connection, this.#health.look(connection, now))
    this.#lender.offerNew(connection, now)
  }

  #setMargin(connection: Connection, now: number): void {
    if (connection.advertisedTimeout !== undefined || connection.lesson !== undefined)
      connection.margin = this.#core.margin(connection, now)
  }

  #dialFailed(attempt: Attempt, error: Error, elapsed: number): void {
    this.#journal.dialFailed(attempt, error, elapsed)
    this.#lastConnectError = error
    addCause(error, () => {
      const why = error.message || (error as NodeJS.ErrnoException).code || error.name
      return new ConnectError(this.state, elapsed, why)
    })
    this.#core.dialFailed(this, error)
    // Nothing is left that could serve anybody: all who waited for it share its failure. Else it is the failure of one,
    // unless what is under way is enough for all.
    if (this.usable + this.#dials.count === 0) this.refuseAll(error)
    else if (this.#balance.isShortOfNew) this.#lines.forNew.refuse(1, error)
    // An idle one that was passed over serves as well.
    else if (this.#balance.isShort && this.#stock.idle.size === 0) this.#lines.any.refuse(1, error)
  }

  /** The one place where a connection leaves the pool. */
  #ended(connection: Connection, reason: CloseReason, error?: Error): void {
    const { clock, agenda, slots } = this.#core
    const now = clock.now()
    const last = this.#journal.lastOf(connection, now)
    if (reason === 'dead') this.#health.mourn(connection)
    this.#stock.remove(connection)
    connection.closeReason = reason
    this.lessons?.ended(connection, reason, now)
    agenda.cancel(connection)
    this.#journal.closed(connection, last, { reason, error, now })
    this.#core.ended(this, connection, error)
    slots.free()
    this.#lender.serveLine()
    this.#health.ended(connection, now)
    this.#checkQuiet()
  }

  #checkQuiet(): void {
    if (this.quiet) this.#core.quieted(this)
  }
}
