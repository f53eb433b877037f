/**
 * A pool under random use, with everything that can happen to it: requests that come, are written, answered, broken off,
 * given back, cross the server's FIN and are sent again; servers that count down, close, restart, poison, fall silent;
 * dials that succeed, fail, hang; peers that die, one by one or all at an address, and answer again; time that passes, or
 * stands still while the event loop is blocked or the machine sleeps. `step` does one thing; what must hold afterwards is in
 * `invariants.ts`.
 */
import { ClosedError } from '../../../src/errors.js'
import type { Patience } from '../../../src/liveness/vital-signs.js'
import type { PoolOptions } from '../../../src/options/pool-options.js'
import type { Connection } from '../../../src/pool/connection.js'
import type { OriginPool } from '../../../src/pool/origin-pool.js'
import type { PoolCore } from '../../../src/pool/pool-core.js'
import { codedError } from '../fake-links.js'
import type { ManualClock } from '../manual-clock.js'
import { PoolRig, passed } from '../pool-rig.js'
import { Random } from '../random.js'
import { ModelBooks } from './books.js'
import { ModelDeaths } from './deaths.js'
import { checkChoice, checkNoDoubt, GrantChecks } from './grant-checks.js'
import { ModelLessons } from './lessons.js'
import { ModelLines } from './lines.js'
import { ModelLink, modelLinkOf } from './link.js'
import {
  BUSY,
  CALM,
  CAREFUL,
  INSISTING,
  LATENESS,
  MORTALITY,
  ROUND_TRIPS,
  SLEEPS,
  STALLS,
  type Step,
  TIMES,
  TO_BUSY,
  TO_CALM,
  WAY,
} from './load.js'
import { ModelPeer, owes } from './peer.js'
import { HABITS, MOST_REPLAYS, ModelRequest, type RequestOwner } from './request.js'
import { ADDRESSES, ModelServer } from './server.js'

export interface ModelSettings {
  readonly options: PoolOptions
  readonly origins: number
  readonly kernel: boolean
  /** How patient to be with peers; none, and they do not fall silent. Needs a kernel. */
  readonly liveness?: Patience | undefined
}

/** Where a request died, and when. */
interface Death {
  readonly connection: Connection
  readonly diedAt: number
}

export class PoolModel implements RequestOwner {
  readonly random: Random
  readonly rig: PoolRig
  readonly books: ModelBooks
  readonly lessons: ModelLessons
  readonly deaths: ModelDeaths
  readonly lines = new ModelLines()
  readonly servers = new Map<OriginPool, ModelServer>()
  /** Who has which connection. */
  readonly holders = new Map<Connection, ModelRequest>()
  /** Requests that have died, and of which it is not known yet what became of them. */
  readonly dying = new Map<ModelRequest, Death>()
  /** What was wrong in the present step. */
  readonly violations: string[] = []
  /** The last steps, for the message. */
  readonly history: string[] = []
  /** Links whose close is still to be reported. */
  readonly unreported = new Set<ModelLink>()
  /** Taken so far. */
  steps = 0
  #busy = false
  readonly #calmly: Readonly<Record<Step, number>>
  readonly #busily: Readonly<Record<Step, number>>
  readonly #checks = new GrantChecks()
  /** The connection that has just been opened, and was given to nobody yet. */
  #newest = 0
  /** Requests that the present connect failure has refused. */
  #refusedByDial = 0
  /** The origins that had something open or under way when it came. */
  #alive = new Set<OriginPool>()
  /** Within whose arrival we are: they have no place in line yet that a listener's request could take. */
  readonly #arriving = new Set<ModelRequest>()

  constructor(
    seed: number,
    readonly settings: ModelSettings,
  ) {
    this.random = new Random(seed)
    this.rig = new PoolRig(settings.options, { random: () => this.random.next() })
    const { dialer, core } = this.rig
    dialer.makeLink = () => this.#makeLink()
    this.books = new ModelBooks(core.events)
    this.lessons = new ModelLessons(core.events, (what) => this.violate(what))
    this.deaths = new ModelDeaths(this, core.events, (what) => this.violate(what))
    const mortality = settings.liveness && MORTALITY
    this.#calmly = { ...CALM, ...mortality }
    this.#busily = { ...BUSY, ...mortality }
    core.events.on('open', ({ connection }) => (this.#newest = connection.id))
    for (const event of ['open', 'idle', 'close', 'wait', 'replay', 'learn', 'suspect', 'dead'] as const)
      core.events.on(event, () => this.#listener())
    core.listen({
      opened() {},
      ended() {},
      drained() {},
      dialFailed: () => {
        this.books.dialFailures++
        this.#refusedByDial = 0
        this.#alive = new Set(this.origins.filter(isAlive))
      },
    })
    for (let n = 0; n < settings.origins; n++)
      this.servers.set(
        this.rig.origin(`origin${n}`),
        new ModelServer(this.random, settings.liveness !== undefined && this.random.percent(70)),
      )
  }

  get clock(): ManualClock {
    return this.rig.clock
  }

  get origins(): OriginPool[] {
    return [...this.servers.keys()]
  }

  get waiting(): ModelRequest[] {
    return this.lines.all
  }

  /** One thing happens; what it sets off has happened as well when the promise resolves. */
  async step(): Promise<void> {
    if (this.random.percent(this.#busy ? TO_CALM : TO_BUSY)) this.#busy = !this.#busy
    const step = this.random.weighted(this.#busy ? this.#busily : this.#calmly)
    this.steps++
    this.note(step)
    this.#does[step]()
    for (const link of this.#links())
      if (link.hasFin && this.random.percent(30)) this.#notice(link)
      else if (link.mortal?.isGivenUp && this.random.percent(30)) this.#giveUp(link)
    await this.settle()
  }

  /**
   * Ends everything by `close`: those who wait are served, dials succeed.
   *
   * @param check called after each round
   */
  async finish(check: () => void): Promise<void> {
    this.note('close')
    let over = false
    void this.rig.core.close().then(() => (over = true))
    if (this.random.percent(50)) for (const link of this.#links()) link.mend(this.steps)
    for (let round = 0; round < 10_000 && !over; round++) {
      for (const dial of this.rig.dialer.running) dial.open()
      for (const link of [...this.unreported]) this.#report(link)
      this.#does.turn()
      await this.settle()
      for (const request of [...this.holders.values()]) this.#answer(request)
      for (const request of [...this.dying.keys()]) this.#judge(request)
      if (this.#links().some(({ silent }) => silent)) this.rig.clock.advance(200)
      await this.settle()
      check()
    }
    if (!over) this.violate('close() does not end')
  }

  /** Ends everything by `destroy`. */
  async demolish(): Promise<void> {
    this.note('destroy')
    const error = new ClosedError('destroyed')
    this.rig.core.destroy(error)
    for (const request of [...this.holders.values()]) this.#fail(request, error)
    await this.settle()
  }

  violate(what: string): void {
    this.violations.push(what)
  }

  note(what: string): void {
    this.history.push(`${this.steps}. [${this.rig.clock.now()}] ${what}`)
    if (this.history.length > 40) this.history.shift()
  }

  /** Lets microtasks and what is due now run. */
  async settle(): Promise<void> {
    await passed()
    this.rig.clock.advance(0)
    this.#newest = 0
    for (const connection of this.origins.flatMap(({ connections }) => [...connections])) {
      this.books.see(connection)
      if (connection.state === 'settling') this.#checks.settling(connection, this.steps)
    }
  }

  // --- what the pool tells a request ---------------------------------------------------------------------------------

  granted(request: ModelRequest, connection: Connection): void {
    const { origin } = request
    this.note(`  ${request.number} granted ${connection.id} of ${origin.key}`)
    this.#leaves(request, 'granted')
    this.books.grants++
    if (connection.reused) this.books.reused++
    const wrong = (what: string): void => this.violate(`${connection.id} was granted: ${what}`)
    if (this.holders.has(connection)) wrong('somebody had it')
    if (connection.origin !== origin) wrong('it is of another origin')
    if (connection.requests > this.#pool.options.maxRequests) wrong('it has served maxRequests')
    this.#checkNew(request, connection, wrong)
    this.deaths.granted(connection, wrong)
    this.#checks.granted(connection, this.#serverOf(connection).left(connection), this.#now, wrong)
    this.holders.set(connection, request)
    request.state = 'granted'
    request.connection = request.latest = connection
    request.written = false
    if (request.habit === 'gives back at once') this.#giveBack(request)
    else if (request.habit === 'cancels another') this.#cancel(this.random.pick(this.lines.at(origin)))
  }

  refused(request: ModelRequest, { code }: NodeJS.ErrnoException): void {
    this.note(`  ${request.number} refused: ${code}`)
    if (request.state === 'dying' && this.#pool.destroyed) {
      this.#settleDeath(request)
      this.#over(request)
      return
    }
    const { maxWaiting, acquireTimeout } = this.#pool.options
    if (code === 'ERR_KEEPWISE_QUEUE_FULL') {
      if (this.lines.at(request.origin).length <= maxWaiting) this.violate('refused for a line that was not full')
      this.lines.leave(request)
    } else this.#leaves(request, 'refused', code === 'ERR_KEEPWISE_ACQUIRE_TIMEOUT')
    if (code === 'ECONNREFUSED' && ++this.#refusedByDial > 1 && this.#alive.has(request.origin))
      this.violate('one connect failure refused more than one, and others were under way')
    if (code === 'ERR_KEEPWISE_ACQUIRE_TIMEOUT' && this.#now - request.waitingSince < acquireTimeout)
      this.violate(`${request.number} was refused before its time`)
    this.#over(request)
    if (request.habit === 'retries' && !this.#pool.closing) this.#acquire(request.origin)
  }

  /**
   * Settled: once, and nobody in the same line who came earlier is left behind.
   *
   * @param late whether for having waited too long: one who was served in between keeps the number, but waits since later
   */
  #leaves(request: ModelRequest, how: string, late = false): void {
    const { number, waitingSince } = request
    if (request.state !== 'waiting') this.violate(`${request.number}, ${request.state}, was ${how}`)
    const earlier = this.lines
      .at(request.origin)
      .filter(({ wantsNew }) => wantsNew === request.wantsNew)
      .filter((other) => !late || other.waitingSince <= waitingSince)
      .find((other) => other.number < number && !this.#arriving.has(other))
    if (earlier !== undefined) this.violate(`${request.number} was ${how} before ${earlier.number}, who came earlier`)
    this.lines.leave(request)
  }

  /** Who insists on a new connection gets one, and gets it before anybody else. */
  #checkNew({ origin, wantsNew }: ModelRequest, { id, reused }: Connection, wrong: (what: string) => void): void {
    const isNew = id === this.#newest && !reused
    if (isNew) this.#newest = 0
    if (wantsNew) this.books.newGrants++
    if (wantsNew && !isNew) wrong('it is not new')
    const passedOver = this.lines.forNewAt(origin).find((request) => !this.#arriving.has(request))
    if (!wantsNew && isNew && passedOver !== undefined) wrong(`${passedOver.number} insists on a new one`)
  }

  // --- the steps -----------------------------------------------------------------------------------------------------

  readonly #does: Record<Step, () => void> = {
    acquire: () => this.#acquire(this.#someOrigin()),
    burst: () => {
      const origin = this.#someOrigin()
      for (let left = 2 + this.random.below(12); left > 0; left--) this.#acquire(origin)
    },
    write: () => this.#write(this.random.pick(this.#granted(false))),
    respond: () => {
      const request = this.random.pick(this.#granted(true))
      if (request !== undefined) this.#respond(request)
    },
    giveBack: () => {
      const request = this.random.pick(this.#granted(false))
      if (request !== undefined) this.#giveBack(request)
    },
    fail: () => {
      const request = this.random.pick(this.#granted(true))
      if (request === undefined) return
      if (this.random.percent(30)) this.#fail(request, codedError('HPE_INVALID'))
      else this.#die(request, codedError(this.random.pick(['ECONNRESET', 'EPIPE'])!))
    },
    abort: () => {
      const request = this.random.pick(this.#granted(true))
      if (request === undefined) return
      request.connection?.retire('aborted')
      this.#fail(request, codedError('UND_ERR_ABORTED'))
    },
    abortWaiting: () => this.#cancel(this.random.pick(this.waiting)),
    abortDying: () => {
      const request = this.random.pick([...this.dying.keys()])
      if (request === undefined) return
      this.#settleDeath(request)
      request.origin.cancel(request)
      this.#over(request)
    },
    verdict: () => {
      const request = this.random.pick([...this.dying.keys()])
      if (request !== undefined) this.#judge(request)
    },
    detach: () => {
      const request = this.random.pick(this.#granted(true))
      const connection = request?.connection
      if (request === undefined || connection === undefined || connection.state === 'closed') return
      this.holders.delete(connection)
      request.origin.detach(connection)
      this.#over(request)
    },
    open: () => void this.random.pick(this.rig.dialer.running)?.open(),
    refuseDial: () => void this.random.pick(this.rig.dialer.running)?.fail(),
    advance: () => {
      const ms = this.random.percent(4) ? 3_000 * 2 ** this.random.below(4) : this.random.pick(TIMES)!
      this.note(`  ${ms} ms`)
      this.rig.clock.advance(ms)
      this.deaths.passed(ms)
    },
    block: () => this.#block(this.random.pick([20, 150, 900, 3_000])!),
    stall: () => this.#block(this.random.pick(STALLS)!),
    sleep: () => {
      const ms = this.random.pick(SLEEPS)!
      this.note(`  ${ms} ms`)
      const lost = this.#links().filter(() => this.random.percent(30))
      for (const link of lost) this.#silence(link)
      this.deaths.standsStill(ms, () => this.rig.clock.sleep(ms))
    },
    drain: () => {
      const origin = this.#someOrigin()
      const address = this.random.pick(ADDRESSES)!
      this.note(`  ${address} of ${origin.key}`)
      this.deaths.drains(origin, address)
    },
    fallSilent: () => {
      const link = this.random.pick(this.#links())
      if (link !== undefined) this.#silence(link)
    },
    cut: () => {
      const origin = this.#someOrigin()
      const address = this.random.pick(ADDRESSES)
      for (const link of this.#links())
        if (link.connection?.origin === origin && link.remoteAddress === address) this.#silence(link)
    },
    mend: () => {
      const silent = this.#links().filter((link) => link.silent)
      const suspects = silent.filter(({ connection }) => connection?.state === 'suspect')
      const mended = this.random.percent(50) ? silent : suspects
      this.note(`  ${mended.map(({ connection }) => connection?.id)}`)
      for (const link of mended) link.mend(this.steps)
    },
    forget: () => {
      const asked = this.#links().filter(({ mortal }) => mortal?.silent && owes(mortal.signs()))
      const link = this.random.pick(asked)
      if (link === undefined) return
      this.note(`  ${link.connection?.id}`)
      link.breaks({ error: codedError('ECONNRESET'), signs: link.signs() })
      this.unreported.add(link)
    },
    turn: () => {
      for (const link of this.#links()) if (link.hasFin) this.#notice(link)
      this.rig.clock.turn()
    },
    warm: () => {
      // What it rejects with is counted as a failed dial.
      this.#someOrigin()
        .warm(1 + this.random.below(5))
        .catch(() => {})
    },
    peerCloses: () => {
      const link = this.random.pick(this.#links().filter(({ silent }) => !silent))
      if (link === undefined) return
      const endings = [{ fin: true }, { error: codedError('ECONNRESET') }, { error: codedError('ETIMEDOUT') }, {}]
      link.breaks({ ...this.random.pick(endings), ...link.fin })
      this.unreported.add(link)
      if (this.random.percent(40)) this.#report(link)
    },
    kernelKnows: () => {
      const link = this.random.pick(this.#links())
      if (link?.kernel === undefined) return
      const views = [{ established: false }, { unread: 3 }, { probes: 1 }, { retransmits: 2 }]
      // Those that are asked owe answers by themselves.
      Object.assign(link.kernel, this.random.pick(link.mortal === undefined ? views : views.slice(0, 2)))
      link.hasFault(this.steps)
    },
    report: () => {
      const link = this.random.pick([...this.unreported])
      if (link !== undefined) this.#report(link)
    },
    restart: () => {
      const origin = this.#someOrigin()
      for (const link of this.#links()) {
        if (link.connection?.origin !== origin || link.connection.asked) continue
        link.closesAt = Math.min(link.closesAt, this.#now)
        link.hasFault(this.steps)
      }
    },
    reconfigure: () => this.servers.get(this.#someOrigin())?.reconfigure(),
  }

  get #pool(): PoolCore {
    return this.rig.core
  }

  get #now(): number {
    return this.rig.clock.now()
  }

  #makeLink(): ModelLink {
    const { random, clock, settings } = this
    const { kernel, liveness } = settings
    const address = random.pick(ADDRESSES)!
    const peer = liveness && new ModelPeer(clock, liveness, random.pick(ROUND_TRIPS)!, random.pick(LATENESS)!)
    const link = new ModelLink(clock, kernel, address, peer)
    link.whenEnding = (connection) => {
      this.books.see(connection)
      this.#noteAge(connection, this.#now)
    }
    link.whenAsked = (connection) => this.deaths.asked(connection)
    return link
  }

  /** A connection that is open, or was seen. */
  connection(id: number): Connection | undefined {
    const known = this.books.connections.get(id)
    if (known !== undefined) return known
    for (const { connections } of this.origins) for (const each of connections) if (each.id === id) return each
    return undefined
  }

  #block(ms: number): void {
    this.note(`  ${ms} ms`)
    this.deaths.standsStill(ms, () => this.rig.clock.block(ms))
  }

  /** Nothing gets through any more; what is here already is. */
  #silence(link: ModelLink): void {
    if (link.mortal === undefined || link.hasFin) return
    this.note(`  ${link.connection?.id} falls silent`)
    link.mortal.fallSilent()
  }

  /** The kernel has given a peer up, and says so. */
  #giveUp(link: ModelLink): void {
    this.note(`  the kernel gives ${link.connection?.id} up`)
    const code = this.random.percent(70) ? 'ETIMEDOUT' : 'EHOSTUNREACH'
    link.breaks({ error: codedError(code), signs: link.signs() })
    this.unreported.add(link)
  }

  #someOrigin(): OriginPool {
    return this.random.pick(this.origins) as OriginPool
  }

  #serverOf(connection: Connection): ModelServer {
    return this.servers.get(connection.origin) as ModelServer
  }

  /** Links that stand. */
  #links(): ModelLink[] {
    const links = this.origins.flatMap(({ connections }) => [...connections].map(modelLinkOf))
    return links.filter(({ destroyed, gone }) => !destroyed && !gone)
  }

  #granted(written: boolean): ModelRequest[] {
    return [...this.holders.values()].filter((request) => request.written === written)
  }

  #acquire(origin: OriginPool): void {
    const careful = this.random.percent(CAREFUL)
    const request = new ModelRequest(this, ++this.books.taken, origin, this.random.weighted(HABITS), careful)
    request.wantsNew = this.random.percent(INSISTING)
    this.note(`  ${request.number} (${request.habit}${request.wantsNew ? ', new' : ''}) for ${origin.key}`)
    this.#pool.taken()
    this.#ask(request)
  }

  /** It is in line until the pool says otherwise, which may be at once. */
  #ask(request: ModelRequest): void {
    const { origin } = request
    const { options, slots, destroyed } = this.#pool
    const idle = [...origin.connections].filter(({ state }) => state === 'idle')
    const hasRoom = origin.size < options.maxConnections && slots.hasRoom
    request.state = 'waiting'
    this.lines.enter(request)
    this.#arriving.add(request)
    const atOnce = origin.acquire(request)
    this.#arriving.delete(request)
    if (atOnce) {
      const wrong = (what: string): void => this.violate(`${request.number} was given ${request.latest?.id}: ${what}`)
      const whole = idle.filter(({ link }) => !link.destroyed)
      checkChoice(request.latest, whole, options.scheduling, wrong)
      if (request.careful && hasRoom) checkNoDoubt(request.latest, idle, this.#now, wrong)
    } else if (request.hasWaited && !request.waited && !destroyed) {
      request.waited = true
      this.books.waits++
    }
  }

  #cancel(request: ModelRequest | undefined): void {
    if (request === undefined) return
    this.note(`  ${request.number} leaves the line`)
    this.lines.leave(request)
    this.#over(request)
    request.origin.cancel(request)
  }

  /** What leaves so late that the server has closed by then will not be answered. */
  #write(request: ModelRequest | undefined): void {
    const connection = request?.connection
    if (request === undefined || connection === undefined) return
    request.written = !connection.link.destroyed && request.origin.confirm(connection, !request.insisted)
    if (!request.written) {
      this.#bounce(request, connection)
      return
    }
    this.#checks.written(connection, this.#now, (what) => this.violate(`${connection.id} was written on: ${what}`))
    const link = modelLinkOf(connection)
    link.mortal?.send()
    if (this.#now >= link.closesAt - WAY) link.crossed = true
    else link.closesAt = Infinity
  }

  /** Nothing was written. It goes elsewhere, or, on a new connection that is gone, fails; it insists on a second look once. */
  #bounce(request: ModelRequest, connection: Connection): void {
    this.note(`  ${request.number} bounced off ${connection.id}`)
    request.insisted ||= !connection.link.destroyed
    this.#returnUnused(connection)
    if (connection.reused) this.#ask(request)
    else this.#over(request)
  }

  #giveBack(request: ModelRequest): void {
    const connection = request.connection as Connection
    this.note(`  ${request.number} gives ${connection.id} back`)
    this.#over(request)
    this.#returnUnused(connection)
  }

  #returnUnused(connection: Connection): void {
    this.holders.delete(connection)
    this.books.grants--
    if (connection.reused) this.books.reused--
    this.#checks.unused(connection, this.#now, this.steps)
    connection.origin.giveBack(connection)
  }

  #fail(request: ModelRequest, error: Error): void {
    const connection = request.connection as Connection
    this.holders.delete(connection)
    this.#over(request)
    request.origin.discard(connection, error)
  }

  /** Its peer has ended the connection: on one that was used before, it takes a while to see what that means. */
  #die(request: ModelRequest, error: Error): void {
    const connection = request.connection as Connection
    if (!connection.reused || connection.closeReason === 'pool-closed') {
      this.#fail(request, error)
      return
    }
    this.note(`  ${request.number} died on ${connection.id}`)
    this.holders.delete(connection)
    this.dying.set(request, { connection, diedAt: this.#now })
    this.#pool.onTrial.add(request)
    request.state = 'dying'
    request.connection = undefined
    request.origin.discard(connection, error)
  }

  /** It is sent again, unless that was done often enough, or cannot be. */
  #judge(request: ModelRequest): void {
    const { connection, diedAt } = this.#settleDeath(request)
    this.#noteAge(connection, diedAt)
    request.origin.raced(connection, diedAt)
    if (request.replays === MOST_REPLAYS || this.random.percent(20)) {
      this.#over(request)
      return
    }
    request.replays++
    request.wantsNew = request.replays === MOST_REPLAYS
    request.waitingSince = this.#now
    this.note(`  ${request.number} is sent again`)
    this.books.replayed++
    const seen = { written: 9, sent: 9, acknowledged: 0, fin: true, reset: true, requestTimeout: false, watched: 9 }
    request.origin.replays({ method: 'POST', verdict: 'refused', evidence: seen, attempt: request.replays })
    this.#ask(request)
  }

  #settleDeath(request: ModelRequest): Death {
    const death = this.dying.get(request) as Death
    this.dying.delete(request)
    this.#pool.onTrial.delete(request)
    return death
  }

  /** How long a connection had idled that has ended, as far as anybody can tell. */
  #noteAge(connection: Connection, endedAt: number): void {
    const { finAge = 0, silence = 0 } = connection.link.ending
    this.lessons.ended(connection, Math.max(endedAt - finAge - connection.idleSince, silence))
  }

  /** Writes it, if that is still to be done, and answers it. */
  #answer(request: ModelRequest): void {
    if (!request.written) {
      this.#write(request)
      return
    }
    const link = modelLinkOf(request.connection as Connection)
    if (link.crossed) link.closesAt = Math.min(link.closesAt, this.#now)
    this.#respond(request)
  }

  #respond(request: ModelRequest): void {
    const connection = request.connection as Connection
    const link = modelLinkOf(connection)
    if (link.silent && !link.destroyed) return
    if (link.crossed && !link.destroyed) {
      if (link.hasFin) this.#notice(link)
      return
    }
    if (link.crossed || link.silent || (link.destroyed && this.random.percent(50))) {
      this.#die(request, codedError('ECONNRESET'))
      return
    }
    const now = this.#now
    // It may have lain in the kernel for a while.
    const since = Math.max(connection.grantedAt, link.mortal?.mendedAt ?? 0)
    const waited = this.random.percent(70) ? 0 : this.random.below(1 + now - since)
    link.lastDataAt = now - waited
    link.mortal?.received(link.lastDataAt)
    link.closesAt = link.lastDataAt + this.#serverOf(connection).patience(link.remoteAddress)
    const header = this.#serverOf(connection).answer(connection)
    this.note(`  ${request.number} answered on ${connection.id}: ${header ?? '-'}`)
    this.holders.delete(connection)
    this.#over(request)
    if (header !== undefined) request.origin.hints.heard(connection, header, true)
    if (this.random.percent(3)) connection.retire('server-close')
    this.#checks.answered(connection, now, this.steps)
    request.origin.release(connection)
  }

  /** A user's listener, in the midst of it all. */
  #listener(): void {
    if (this.#pool.closing || !this.random.percent(1)) return
    this.note('  in a listener')
    if (this.random.percent(50)) this.#acquire(this.#someOrigin())
    else this.#cancel(this.random.pick(this.waiting.filter((request) => !this.#arriving.has(request))))
  }

  /** The event loop reads the server's FIN. The request that is on the connection hears of it first, or the pool does. */
  #notice(link: ModelLink): void {
    const { connection } = link
    if (connection === undefined) return
    this.note(`  the server has closed ${connection.id}`)
    link.breaks({ fin: true, ...link.fin })
    const holder = this.holders.get(connection)
    const dies = (): void => {
      if (holder?.written && holder.connection === connection) this.#die(holder, codedError('UND_ERR_SOCKET'))
    }
    if (this.random.percent(50)) dies()
    link.report()
    dies()
  }

  #report(link: ModelLink): void {
    this.unreported.delete(link)
    link.report()
  }

  #over(request: ModelRequest): void {
    request.state = 'over'
    request.connection = undefined
    this.#pool.settled()
  }
}

/** Something is open that can be lent, or under way. */
function isAlive(origin: OriginPool): boolean {
  const { connections, state } = origin
  return state.dialing > 0 || [...connections].some((connection) => connection.state !== 'watched')
}
