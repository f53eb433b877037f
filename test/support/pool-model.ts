/**
 * A pool under random use, with everything that can happen to it: requests that come, are written, answered, broken off,
 * given back; servers that count down, close, poison, fall silent; dials that succeed, fail, hang; time that passes or
 * stands still while the event loop is blocked. `step` does one thing; what must hold afterwards is in
 * `pool-invariants.ts`.
 */
import { ClosedError } from '../../src/errors.js'
import { idleAllowance } from '../../src/keepalive/expiry.js'
import type { KernelView } from '../../src/liveness/tcp-info.js'
import type { PoolOptions } from '../../src/options/pool-options.js'
import type { Connection } from '../../src/pool/connection.js'
import type { OriginPool } from '../../src/pool/origin-pool.js'
import { Waiter } from '../../src/pool/waiter.js'
import type { CloseReason } from '../../src/reasons.js'
import { codedError, FakeLink, healthy } from './fake-links.js'
import type { ManualClock } from './manual-clock.js'
import { linkOf, PoolRig, passed } from './pool-rig.js'
import { Random } from './random.js'

export interface ModelSettings {
  readonly options: PoolOptions
  readonly origins: number
  readonly kernel: boolean
}

/** How a server speaks of its limits. */
type Dialect = 'silent' | 'timeout' | 'countdown' | 'total' | 'mixed'

/** What a link's other end knows. */
export class ModelLink extends FakeLink {
  /** When the last data arrived here. */
  lastDataAt: number
  /** In which step the kernel learned of a fault. */
  faultStep = 0

  constructor(
    private readonly clock: ManualClock,
    hasKernel: boolean,
  ) {
    super(hasKernel ? healthy({ rtt: 2, rttVariance: 1 }) : undefined)
    this.lastDataAt = clock.now()
  }

  override inspect(): KernelView | undefined {
    if (this.kernel !== undefined) this.kernel.sinceLastData = this.clock.now() - this.lastDataAt
    return super.inspect()
  }

  /** What the kernel would say against it. */
  get fault(): string | undefined {
    if (this.kernel === undefined) return undefined
    const { established, unread, probes, retransmits } = this.kernel
    return established && unread + probes + retransmits === 0 ? undefined : 'the kernel knew better'
  }
}

/** A request from its arrival to its end; it may need more than one connection. */
export class ModelRequest extends Waiter {
  state: 'waiting' | 'granted' | 'over' = 'waiting'
  connection: Connection | undefined
  /** The connection it was granted last, though it may have left it. */
  latest: Connection | undefined
  written = false
  insisted = false
  /** The line was full. */
  turnedAway = false
  waited = false

  constructor(
    readonly model: PoolModel,
    readonly number: number,
    readonly origin: OriginPool,
    /** What it does within its grant or its refusal. */
    readonly habit: 'none' | 'gives back at once' | 'retries' | 'cancels another',
  ) {
    super()
  }

  granted(connection: Connection): void {
    this.model.granted(this, connection)
  }

  refused(error: Error): void {
    this.model.refused(this, error)
  }
}

/** How often each step is taken. */
const CALM = {
  acquire: 10,
  burst: 0.3,
  write: 30,
  respond: 34,
  giveBack: 2,
  fail: 1,
  abort: 1,
  abortWaiting: 2,
  detach: 0.5,
  open: 30,
  refuseDial: 1,
  advance: 24,
  block: 1,
  turn: 30,
  warm: 0.6,
  peerCloses: 2,
  kernelKnows: 2,
  report: 10,
}

type Step = keyof typeof CALM

/** More comes than can be served. */
const BUSY: Readonly<Record<Step, number>> = { ...CALM, acquire: 36, burst: 3, abortWaiting: 6, refuseDial: 4 }

/** Milliseconds that pass. */
const TIMES = [0, 1, 1, 2, 5, 10, 20, 50, 120, 400]

/** How likely it is that the load changes with a step, in percent. */
const TO_BUSY = 1.5
const TO_CALM = 4

export class PoolModel {
  readonly random: Random
  readonly rig: PoolRig
  readonly dialects: Dialect[]
  /** Requests that stand in line, by origin, first come first. */
  readonly lines = new Map<OriginPool, ModelRequest[]>()
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
  readonly ended: number[] = []
  #steps = 0
  #busy = false
  /** When connections came back last, and whether there was reason to look at them then: a long exchange, or none. */
  readonly #back = new Map<Connection, { at: number; step: number; looked: boolean }>()
  /** Requests that are left by what the server said, taken at the least of it. */
  readonly #permitted = new Map<Connection, number>()
  /** In which step connections were seen settling last. */
  readonly #settledIn = new Map<Connection, number>()
  /** Requests that the present connect failure has refused. */
  #refusedByDial = 0
  /** The origins that had something open or under way when it came. */
  #alive = new Set<OriginPool>()
  /** Within whose arrival we are: they have no place in line yet that a listener's request could take. */
  readonly #arriving = new Set<ModelRequest>()
  readonly #total: number

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
      this.ended.push(connection.id)
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
    const dialects: Dialect[] = ['silent', 'timeout', 'countdown', 'total', 'mixed']
    this.dialects = Array.from({ length: settings.origins }, () => this.random.pick(dialects) as Dialect)
    this.#total = 5 + this.random.below(40)
  }

  get origins(): OriginPool[] {
    return this.dialects.map((_, index) => this.rig.origin(`origin${index}`))
  }

  lineOf(origin: OriginPool): ModelRequest[] {
    let line = this.lines.get(origin)
    if (line === undefined) this.lines.set(origin, (line = []))
    return line
  }

  get waiting(): ModelRequest[] {
    return [...this.lines.values()].flat()
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
    for (const { connections } of this.origins)
      for (const connection of connections)
        if (connection.state === 'settling') this.#settledIn.set(connection, this.#steps)
  }

  // --- what the pool tells a request ---------------------------------------------------------------------------------

  granted(request: ModelRequest, connection: Connection): void {
    const { origin } = request
    this.note(`  ${request.number} granted ${connection.id} of ${origin.key}`)
    this.#leaves(request, 'granted')
    this.counted.grants++
    if (connection.reused) this.counted.reused++
    if (this.holders.has(connection)) this.violate(`${connection.id} was granted while somebody had it`)
    this.holders.set(connection, request)
    this.#checkGrant(connection, origin)
    request.state = 'granted'
    request.connection = request.latest = connection
    request.written = false
    if (request.habit === 'gives back at once') this.#giveBack(request)
    else if (request.habit === 'cancels another') this.#cancel(this.random.pick(this.lineOf(origin)))
  }

  refused(request: ModelRequest, error: Error): void {
    this.note(`  ${request.number} refused: ${(error as Error & { code?: string }).code}`)
    const { options, clock } = this.#pool
    const code = (error as Error & { code?: string }).code
    if (code === 'ERR_KEEPWISE_QUEUE_FULL') {
      request.turnedAway = true
      if (this.lineOf(request.origin).length <= options.maxWaiting) this.violate('refused for a line that was not full')
      this.lines.set(
        request.origin,
        this.lineOf(request.origin).filter((each) => each !== request),
      )
    } else this.#leaves(request, 'refused')
    if (code === 'ECONNREFUSED' && ++this.#refusedByDial > 1 && this.#alive.has(request.origin))
      this.violate('one connect failure refused more than one, and others were under way')
    if (code === 'ERR_KEEPWISE_ACQUIRE_TIMEOUT' && clock.now() - request.waitingSince < options.acquireTimeout)
      this.violate(`${request.number} was refused before its time`)
    this.#over(request)
    if (request.habit === 'retries' && !this.#pool.closing) this.#acquire(request.origin)
  }

  /** Settled: once, and nobody who came earlier is left behind. */
  #leaves(request: ModelRequest, how: string): void {
    if (request.state !== 'waiting') this.violate(`${request.number}, ${request.state}, was ${how}`)
    const line = this.lineOf(request.origin)
    const earlier = line.find((other) => other.number < request.number && !this.#arriving.has(other))
    if (earlier !== undefined) this.violate(`${request.number} was ${how} before ${earlier.number}, who came earlier`)
    this.lines.set(
      request.origin,
      line.filter((each) => each !== request),
    )
  }

  /** No connection is granted that is over, past its allowance, or that the kernel would have warned of. */
  #checkGrant(connection: Connection, origin: OriginPool): void {
    const now = this.rig.clock.now()
    const link = linkOf(connection) as ModelLink
    const wrong = (what: string): void => this.violate(`${connection.id} was granted: ${what}`)
    if (connection.origin !== origin) wrong('of another origin')
    if (connection.state !== 'active') wrong(`it is ${connection.state}`)
    if (link.destroyed || link.gone) wrong('its link is destroyed')
    if (link.parked) wrong('its link is parked')
    if (connection.remaining < 1) wrong('the server allows no more requests')
    if (connection.requests > this.#pool.options.maxRequests) wrong('it has served maxRequests')
    const served = connection.requests - 1
    if (this.#dialectOf(origin) === 'countdown' && served >= this.#total) wrong('the server had counted down to 0')
    if (this.#dialectOf(origin) === 'total' && served >= this.#total) wrong('the total of the server is used up')
    const permitted = this.#permitted.get(connection) ?? Infinity
    if (permitted < 1) wrong('the server has said that no more are permitted')
    if (permitted === 1 && connection.closeReason !== 'advertised-max') wrong('it is the last, and does not know')
    if (!connection.reused || now === connection.openedAt) return
    if (now >= connection.lifetimeEndsAt) wrong('its lifetime is over')
    const allowed = idleAllowance(connection)
    if (now - connection.idleSince >= allowed) wrong(`it idled for ${now - connection.idleSince} of ${allowed} ms`)
    // In the millisecond in which it came back nobody needs to look, unless that itself was a reason to look.
    const { at, step, looked } = this.#back.get(connection) ?? { at: connection.openedAt, step: 0, looked: false }
    if (now === at && !looked) return
    if (link.kernel === undefined && (this.#settledIn.get(connection) ?? -1) < step) wrong('nobody has looked at it')
    if (link.fault !== undefined && (now > at || link.faultStep < step)) wrong(link.fault)
    const silent = now - link.lastDataAt
    if (link.kernel !== undefined && silent >= allowed) wrong(`its last data came ${silent} ms ago, allowed ${allowed}`)
  }

  /** Of several idle ones it is the one that `scheduling` says. */
  #checkChoice(chosen: Connection | undefined, idle: readonly Connection[]): void {
    if (chosen === undefined || !idle.includes(chosen)) return
    const lifo = this.#pool.options.scheduling === 'lifo'
    const better = idle.find(
      ({ state, idleSince }) =>
        state === 'idle' && (lifo ? idleSince > chosen.idleSince : idleSince < chosen.idleSince),
    )
    if (better !== undefined) this.violate(`${chosen.id} was chosen, ${better.id} was before it`)
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

  get #pool(): PoolRig['core'] {
    return this.rig.core
  }

  #someOrigin(): OriginPool {
    return this.rig.origin(`origin${this.random.below(this.settings.origins)}`)
  }

  #dialectOf(origin: OriginPool): Dialect {
    return this.dialects[Number(origin.key.slice('http://origin'.length))] as Dialect
  }

  /** Links that stand. */
  #links(): ModelLink[] {
    const links = this.origins.flatMap(({ connections }) => [...connections].map((each) => linkOf(each) as ModelLink))
    return links.filter(({ destroyed, gone }) => !destroyed && !gone)
  }

  #granted(written: boolean): ModelRequest[] {
    return [...this.holders.values()].filter((request) => request.written === written)
  }

  #acquire(origin: OriginPool): void {
    const habits = { none: 80, 'gives back at once': 6, retries: 10, 'cancels another': 4 } as const
    const request = new ModelRequest(this, ++this.counted.taken, origin, this.random.weighted(habits))
    this.note(`  ${request.number} (${request.habit}) for ${origin.key}`)
    this.#pool.taken()
    this.#ask(request)
  }

  /** It is in line until the pool says otherwise, which may be at once. */
  #ask(request: ModelRequest): void {
    request.state = 'waiting'
    this.lines.set(
      request.origin,
      [...this.lineOf(request.origin), request].sort((a, b) => a.number - b.number),
    )
    const idle = [...request.origin.connections].filter(({ state, link }) => state === 'idle' && !link.destroyed)
    this.#arriving.add(request)
    const atOnce = request.origin.acquire(request)
    this.#arriving.delete(request)
    if (atOnce) this.#checkChoice(request.latest, idle)
    else if (!request.turnedAway && !request.waited) {
      request.waited = true
      this.counted.waits++
    }
  }

  #cancel(request: ModelRequest | undefined): void {
    if (request === undefined) return
    this.note(`  ${request.number} leaves the line`)
    this.lines.set(
      request.origin,
      this.lineOf(request.origin).filter((each) => each !== request),
    )
    this.#over(request)
    request.origin.cancel(request)
  }

  #write(request: ModelRequest | undefined): void {
    const connection = request?.connection
    if (request === undefined || connection === undefined) return
    request.written = !connection.link.destroyed && request.origin.confirm(connection, !request.insisted)
    if (request.written) this.#checkWrite(connection)
    else this.#bounce(request, connection)
  }

  /** Nothing is written on one that has idled, and of which is known by now that it is over. */
  #checkWrite(connection: Connection): void {
    const now = this.rig.clock.now()
    const idle = now - connection.idleSince
    if (!connection.reused || now === connection.grantedAt || idle < 100) return
    const { fault } = linkOf(connection) as ModelLink
    if (fault !== undefined) this.violate(`${connection.id} was written on: ${fault}`)
    if (idle >= idleAllowance(connection)) this.violate(`${connection.id} was written on after ${idle} ms`)
  }

  /** Nothing was written. It goes elsewhere, or, on a new connection that is gone, fails; it insists on a second look once. */
  #bounce(request: ModelRequest, connection: Connection): void {
    this.note(`  ${request.number} bounced off ${connection.id}`)
    request.insisted ||= !connection.link.destroyed
    this.holders.delete(connection)
    this.counted.grants--
    if (connection.reused) this.counted.reused--
    this.#cameBackUnused(connection)
    request.origin.giveBack(connection)
    if (connection.reused) {
      this.#ask(request)
    } else this.#over(request)
  }

  #giveBack(request: ModelRequest): void {
    const connection = request.connection as Connection
    this.note(`  ${request.number} gives ${connection.id} back`)
    this.holders.delete(connection)
    this.counted.grants--
    if (connection.reused) this.counted.reused--
    this.#over(request)
    this.#cameBackUnused(connection)
    request.origin.giveBack(connection)
  }

  /** The kernel is asked then; where there is none, it was looked at when it was granted, if that is now. */
  #cameBackUnused(connection: Connection): void {
    const at = this.rig.clock.now()
    const looked = linkOf(connection).kernel !== undefined || at > connection.grantedAt
    this.#back.set(connection, { at, step: this.#steps, looked })
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
    const now = this.rig.clock.now()
    const link = linkOf(connection) as ModelLink
    // It may have lain in the kernel for a while.
    link.lastDataAt = this.random.percent(70) ? now : now - this.random.below(1 + now - connection.grantedAt)
    const header = this.#headerOn(connection)
    this.note(`  ${request.number} answered on ${connection.id}: ${header ?? '-'}`)
    this.holders.delete(connection)
    this.#over(request)
    if (header !== undefined) request.origin.hints.heard(connection, header, true)
    if (this.random.percent(3)) connection.retire('server-close')
    this.#back.set(connection, { at: now, step: this.#steps, looked: now - connection.grantedAt >= 500 })
    request.origin.release(connection)
  }

  /** What the server says, as its dialect has it; `undefined` for no header. */
  #headerOn(connection: Connection): string | undefined {
    const header = this.#sayOn(connection)
    const max = /max="?(\d+)/i.exec(header ?? '')?.[1]
    const left = (this.#permitted.get(connection) ?? Infinity) - 1
    this.#permitted.set(connection, Math.min(left, max === undefined ? Infinity : Number(max)))
    return header
  }

  #sayOn({ origin, answered }: Connection): string | undefined {
    const timeout = `timeout=${this.random.percent(5) ? this.random.below(30) : 3}`
    switch (this.#dialectOf(origin)) {
      case 'silent':
        return undefined
      case 'timeout':
        return timeout
      case 'countdown':
        return `${timeout}, max=${this.#total - answered - 1}`
      case 'total':
        return `max=${this.#total}, ${timeout}`
      case 'mixed':
        return this.random.pick([undefined, timeout, `max=${this.random.below(9)}`, `MAX="40" , ${timeout}`, 'junk=1'])
    }
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
