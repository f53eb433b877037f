/**
 * A pool under random use, with everything that can happen to it: requests that come, are written, answered, broken off,
 * given back; servers that count down, close, poison, fall silent; dials that succeed, fail, hang; time that passes or
 * stands still while the event loop is blocked. `step` does one thing; what must hold afterwards is in `invariants.ts`.
 */
import { ClosedError } from '../../../src/errors.js'
import type { PoolOptions } from '../../../src/options/pool-options.js'
import type { Connection } from '../../../src/pool/connection.js'
import type { OriginPool } from '../../../src/pool/origin-pool.js'
import type { PoolCore } from '../../../src/pool/pool-core.js'
import type { CloseReason } from '../../../src/reasons.js'
import { codedError } from '../fake-links.js'
import { PoolRig, passed } from '../pool-rig.js'
import { Random } from '../random.js'
import { checkChoice, GrantChecks } from './grant-checks.js'
import { ModelLines } from './lines.js'
import { ModelLink, modelLinkOf } from './link.js'
import { BUSY, CALM, type Step, TIMES, TO_BUSY, TO_CALM } from './load.js'
import { HABITS, ModelRequest, type RequestOwner } from './request.js'
import { ModelServer } from './server.js'

export interface ModelSettings {
  readonly options: PoolOptions
  readonly origins: number
  readonly kernel: boolean
}

export class PoolModel implements RequestOwner {
  readonly random: Random
  readonly rig: PoolRig
  readonly servers = new Map<OriginPool, ModelServer>()
  readonly lines = new ModelLines()
  /** Who has which connection. */
  readonly holders = new Map<Connection, ModelRequest>()
  /** What was wrong in the present step. */
  readonly violations: string[] = []
  /** The last steps, for the message. */
  readonly history: string[] = []
  /** Links whose close is still to be reported. */
  readonly unreported = new Set<ModelLink>()
  /** What the model counts by itself. */
  readonly counted = { taken: 0, grants: 0, reused: 0, waits: 0, dialFailures: 0, opened: 0, lifetime: 0 }
  readonly closed = new Map<CloseReason, number>()
  /** Connections by number, and those that have ended and were not looked at since. */
  readonly connections = new Map<number, Connection>()
  readonly ended = new Set<number>()
  #steps = 0
  #busy = false
  readonly #checks = new GrantChecks()
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
    const { clock, dialer, core } = this.rig
    dialer.makeLink = () => new ModelLink(clock, settings.kernel)
    core.events.on('open', () => this.counted.opened++)
    core.events.on('close', ({ connection, reason }) => {
      this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1)
      this.counted.lifetime += connection.age
      this.ended.add(connection.id)
    })
    for (const event of ['open', 'idle', 'close', 'wait'] as const) core.events.on(event, () => this.#listener())
    core.listen({
      opened() {},
      ended() {},
      drained() {},
      dialFailed: () => {
        this.counted.dialFailures++
        this.#refusedByDial = 0
        this.#alive = new Set(this.origins.filter(({ size }) => size > 0))
      },
    })
    for (let n = 0; n < settings.origins; n++)
      this.servers.set(this.rig.origin(`origin${n}`), new ModelServer(this.random))
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
    const step = this.random.weighted(this.#busy ? BUSY : CALM)
    this.#steps++
    this.note(step)
    this.#does[step]()
    await this.settle()
  }

  /** Ends everything by `close`: those who wait are served, dials succeed. */
  async finish(): Promise<void> {
    this.note('close')
    let over = false
    void this.rig.core.close().then(() => (over = true))
    for (let round = 0; round < 10_000 && !over; round++) {
      for (const dial of this.rig.dialer.running) dial.open()
      for (const link of [...this.unreported]) this.#report(link)
      this.rig.clock.turn()
      await this.settle()
      for (const request of [...this.holders.values()]) this.#answer(request)
      await this.settle()
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
    this.history.push(`${this.#steps}. [${this.rig.clock.now()}] ${what}`)
    if (this.history.length > 40) this.history.shift()
  }

  /** Lets microtasks and what is due now run. */
  async settle(): Promise<void> {
    await passed()
    this.rig.clock.advance(0)
    for (const connection of this.origins.flatMap(({ connections }) => [...connections])) {
      this.connections.set(connection.id, connection)
      if (connection.state === 'settling') this.#checks.settling(connection, this.#steps)
    }
  }

  // --- what the pool tells a request ---------------------------------------------------------------------------------

  granted(request: ModelRequest, connection: Connection): void {
    const { origin } = request
    this.note(`  ${request.number} granted ${connection.id} of ${origin.key}`)
    this.#leaves(request, 'granted')
    this.counted.grants++
    if (connection.reused) this.counted.reused++
    const wrong = (what: string): void => this.violate(`${connection.id} was granted: ${what}`)
    if (this.holders.has(connection)) wrong('somebody had it')
    if (connection.origin !== origin) wrong('it is of another origin')
    if (connection.requests > this.#pool.options.maxRequests) wrong('it has served maxRequests')
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
    const { maxWaiting, acquireTimeout } = this.#pool.options
    if (code === 'ERR_KEEPWISE_QUEUE_FULL') {
      request.turnedAway = true
      if (this.lines.at(request.origin).length <= maxWaiting) this.violate('refused for a line that was not full')
      this.lines.leave(request)
    } else this.#leaves(request, 'refused')
    if (code === 'ECONNREFUSED' && ++this.#refusedByDial > 1 && this.#alive.has(request.origin))
      this.violate('one connect failure refused more than one, and others were under way')
    if (code === 'ERR_KEEPWISE_ACQUIRE_TIMEOUT' && this.#now - request.waitingSince < acquireTimeout)
      this.violate(`${request.number} was refused before its time`)
    this.#over(request)
    if (request.habit === 'retries' && !this.#pool.closing) this.#acquire(request.origin)
  }

  /** Settled: once, and nobody who came earlier is left behind. */
  #leaves(request: ModelRequest, how: string): void {
    if (request.state !== 'waiting') this.violate(`${request.number}, ${request.state}, was ${how}`)
    const earlier = this.lines
      .at(request.origin)
      .find((other) => other.number < request.number && !this.#arriving.has(other))
    if (earlier !== undefined) this.violate(`${request.number} was ${how} before ${earlier.number}, who came earlier`)
    this.lines.leave(request)
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
      if (request !== undefined)
        this.#fail(request, codedError(this.random.pick(['ECONNRESET', 'HPE_INVALID', 'EPIPE'])!))
    },
    abort: () => {
      const request = this.random.pick(this.#granted(true))
      if (request === undefined) return
      request.connection?.retire('aborted')
      this.#fail(request, codedError('UND_ERR_ABORTED'))
    },
    abortWaiting: () => this.#cancel(this.random.pick(this.waiting)),
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
    },
    block: () => {
      const ms = this.random.pick([20, 150, 900, 3_000])!
      this.note(`  ${ms} ms`)
      this.rig.clock.block(ms)
    },
    turn: () => this.rig.clock.turn(),
    warm: () => {
      // What it rejects with is counted as a failed dial.
      this.#someOrigin()
        .warm(1 + this.random.below(5))
        .catch(() => {})
    },
    peerCloses: () => {
      const link = this.random.pick(this.#links())
      if (link === undefined) return
      const endings = [{ fin: true }, { error: codedError('ECONNRESET') }, { error: codedError('ETIMEDOUT') }, {}]
      link.breaks(this.random.pick(endings))
      this.unreported.add(link)
      if (this.random.percent(40)) this.#report(link)
    },
    kernelKnows: () => {
      const link = this.random.pick(this.#links())
      if (link?.kernel === undefined) return
      const views = [{ established: false }, { unread: 3 }, { probes: 1 }, { retransmits: 2 }]
      Object.assign(link.kernel, this.random.pick(views))
      link.faultStep = this.#steps
    },
    report: () => {
      const link = this.random.pick([...this.unreported])
      if (link !== undefined) this.#report(link)
    },
  }

  get #pool(): PoolCore {
    return this.rig.core
  }

  get #now(): number {
    return this.rig.clock.now()
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
    const request = new ModelRequest(this, ++this.counted.taken, origin, this.random.weighted(HABITS))
    this.note(`  ${request.number} (${request.habit}) for ${origin.key}`)
    this.#pool.taken()
    this.#ask(request)
  }

  /** It is in line until the pool says otherwise, which may be at once. */
  #ask(request: ModelRequest): void {
    request.state = 'waiting'
    this.lines.enter(request)
    const idle = [...request.origin.connections].filter(({ state, link }) => state === 'idle' && !link.destroyed)
    this.#arriving.add(request)
    const atOnce = request.origin.acquire(request)
    this.#arriving.delete(request)
    if (atOnce)
      checkChoice(request.latest, idle, this.#pool.options.scheduling, (what) => this.violate(`choice: ${what}`))
    else if (!request.turnedAway && !request.waited) {
      request.waited = true
      this.counted.waits++
    }
  }

  #cancel(request: ModelRequest | undefined): void {
    if (request === undefined) return
    this.note(`  ${request.number} leaves the line`)
    this.lines.leave(request)
    this.#over(request)
    request.origin.cancel(request)
  }

  #write(request: ModelRequest | undefined): void {
    const connection = request?.connection
    if (request === undefined || connection === undefined) return
    request.written = !connection.link.destroyed && request.origin.confirm(connection, !request.insisted)
    if (!request.written) this.#bounce(request, connection)
    else this.#checks.written(connection, this.#now, (what) => this.violate(`${connection.id} was written on: ${what}`))
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
    this.counted.grants--
    if (connection.reused) this.counted.reused--
    this.#checks.unused(connection, this.#now, this.#steps)
    connection.origin.giveBack(connection)
  }

  #fail(request: ModelRequest, error: Error): void {
    const connection = request.connection as Connection
    this.holders.delete(connection)
    this.#over(request)
    request.origin.discard(connection, error)
  }

  /** Writes it, if that is still to be done, and answers it. */
  #answer(request: ModelRequest): void {
    if (!request.written) this.#write(request)
    else this.#respond(request)
  }

  #respond(request: ModelRequest): void {
    const connection = request.connection as Connection
    if (connection.link.destroyed && this.random.percent(50)) {
      this.#fail(request, codedError('ECONNRESET'))
      return
    }
    const now = this.#now
    // It may have lain in the kernel for a while.
    const waited = this.random.percent(70) ? 0 : this.random.below(1 + now - connection.grantedAt)
    modelLinkOf(connection).lastDataAt = now - waited
    const header = this.#serverOf(connection).answer(connection)
    this.note(`  ${request.number} answered on ${connection.id}: ${header ?? '-'}`)
    this.holders.delete(connection)
    this.#over(request)
    if (header !== undefined) request.origin.hints.heard(connection, header, true)
    if (this.random.percent(3)) connection.retire('server-close')
    this.#checks.answered(connection, now, this.#steps)
    request.origin.release(connection)
  }

  /** A user's listener, in the midst of it all. */
  #listener(): void {
    if (this.#pool.closing || !this.random.percent(1)) return
    this.note('  in a listener')
    if (this.random.percent(50)) this.#acquire(this.#someOrigin())
    else this.#cancel(this.random.pick(this.waiting.filter((request) => !this.#arriving.has(request))))
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
