/**
 * Links, dials and waiters without sockets: the test says when a dial succeeds, what the kernel answers, and when the
 * peer is gone, and reads what the pool did.
 */
import type { AppliedLiveness } from '../../src/liveness/settings.js'
import type { KernelView } from '../../src/liveness/tcp-info.js'
import type { Signs } from '../../src/liveness/vital-signs.js'
import type { Connection } from '../../src/pool/connection.js'
import { Waiter } from '../../src/pool/waiter.js'
import type { Dialer, Dialing, Link, LinkEnding, LinkOwner, Target } from '../../src/wire/link.js'

/** An error as sockets have them. */
export function codedError(code: string, message = code): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code })
}

/** What a kernel says of a connection with which nothing is wrong. */
export function healthy(view: Partial<KernelView> = {}): KernelView {
  const nothing = { unread: 0, probes: 0, retransmits: 0, sinceLastData: 0, rtt: 0, rttVariance: 0, bytesReceived: 0 }
  return { established: true, ...nothing, ...view }
}

/** What it says of a peer with which nothing is wrong. */
export function alive(signs: Partial<Signs> = {}): Signs {
  const nothing = { silence: 0, probes: 0, retransmits: 0, unacknowledged: 0, acknowledged: 100 }
  return { ...nothing, window: 65_536, rtt: 1, rttVariance: 0.5, ...signs }
}

const untuned: AppliedLiveness = {
  enabled: false,
  idle: undefined,
  interval: undefined,
  probes: undefined,
  retransmitInterval: undefined,
  userTimeout: undefined,
  source: 'unsupported',
}

export class FakeLink implements Link {
  readonly localPort = 50_000
  readonly remotePort = 80
  liveness = untuned
  /** What the kernel says of the peer; undefined where it cannot be asked. */
  peer: Signs | undefined
  /** How often the peer was asked out of turn, and whether Ti is to be put back. */
  questions = 0
  isAsking = false
  owner: LinkOwner | undefined = undefined
  destroyed = false
  ending: LinkEnding = { error: undefined, fin: false, finAge: undefined, silence: undefined, signs: undefined }
  parked = false
  /** It was given away by `letGo`. */
  gone = false
  /** A request has begun on it, and no response to it. */
  underRequest = false
  /** What the pool destroyed it with, and whether it did. */
  destroyedWith: Error | undefined
  destroyedByPool = false
  inspections = 0

  /** @param kernel what it answers; undefined where there is none to ask */
  constructor(
    public kernel: KernelView | undefined,
    readonly remoteAddress = '127.0.0.1',
  ) {}

  get provable(): boolean {
    return this.kernel !== undefined
  }

  inspect(): KernelView | undefined {
    this.inspections++
    return this.destroyed ? undefined : this.kernel
  }

  signs(): Signs | undefined {
    return this.destroyed ? undefined : this.peer
  }

  ask(): boolean {
    if (this.peer === undefined) return false
    this.questions++
    this.isAsking = true
    return true
  }

  askAsUsual(): void {
    this.isAsking = false
  }

  beginRequest(): void {
    this.underRequest = true
  }

  endRequest(): void {
    this.underRequest = false
  }

  inquire(): void {
    throw new Error('the pool itself asks for no evidence')
  }

  park(): void {
    if (this.parked) throw new Error('parked twice')
    this.parked = true
  }

  unpark(): void {
    if (!this.parked) throw new Error('not parked')
    this.parked = false
  }

  destroy(error?: Error): void {
    this.owner = undefined
    this.destroyed = this.destroyedByPool = true
    this.destroyedWith = error
  }

  letGo(): void {
    this.owner = undefined
    this.gone = true
  }

  /** The peer, or the parser above, destroys it; the report of its close comes later, as a socket's 'close' does. */
  breaks({ error, fin = false, finAge, silence, signs }: Partial<LinkEnding> = {}): void {
    this.ending = { error, fin, finAge, silence, signs }
    this.destroyed = true
  }

  /** Reports the close of a link that broke, unless the pool has destroyed it in the meantime. */
  report(): void {
    if (!this.destroyed) throw new Error('nothing to report: the link did not break')
    this.owner?.linkEnded(this.ending)
    this.owner = undefined
  }

  /** Breaks and reports it. */
  ends(ending?: Partial<LinkEnding>): void {
    this.breaks(ending)
    this.report()
  }
}

/** One attempt of the pool to open a link. It hangs until the test ends it, or the pool cancels it. */
export class FakeDial {
  state: 'running' | 'open' | 'failed' | 'cancelled' = 'running'

  constructor(
    readonly target: Target,
    private readonly done: (error: Error | null, link?: Link) => void,
    private readonly dialer: FakeDialer,
  ) {}

  open(link = this.dialer.makeLink()): FakeLink {
    this.end('open')
    this.done(null, link)
    return link
  }

  fail(error: Error = codedError('ECONNREFUSED')): Error {
    this.end('failed')
    this.done(error)
    return error
  }

  cancel(error: Error): void {
    this.end('cancelled')
    // A socket that is destroyed reports it later as well.
    queueMicrotask(() => this.done(error))
  }

  private end(state: FakeDial['state']): void {
    if (this.state !== 'running') throw new Error(`a dial that is ${this.state} cannot be ${state}`)
    this.state = state
    this.dialer.ended(this)
  }
}

export class FakeDialer {
  /** Every attempt, in the order of their starts. */
  readonly dials: FakeDial[] = []
  readonly #running = new Set<FakeDial>()
  /** What the links it opens are like. */
  makeLink = (): FakeLink => new FakeLink(healthy())

  readonly dial: Dialer = (target, done): Dialing => {
    const dial = new FakeDial(target, done, this)
    this.dials.push(dial)
    this.#running.add(dial)
    return dial
  }

  /** Those that have not ended. */
  get running(): FakeDial[] {
    return [...this.#running]
  }

  ended(dial: FakeDial): void {
    this.#running.delete(dial)
  }
}

interface Wishes {
  /** Only a new connection will do. */
  readonly wantsNew?: boolean
  /** A new one is better than one that the server may be about to close. */
  readonly prefersNew?: boolean
}

/** A request that only writes down what it gets. */
export class FakeWaiter extends Waiter {
  readonly grants: Connection[] = []
  readonly refusals: Error[] = []
  /** Called at each, after it was written down. */
  whenGranted: ((connection: Connection) => void) | undefined
  whenRefused: ((error: Error) => void) | undefined
  readonly #prefersNew: boolean

  constructor({ wantsNew = false, prefersNew = false }: Wishes = {}) {
    super()
    this.wantsNew = wantsNew
    this.#prefersNew = prefersNew
  }

  override prefersNew(): boolean {
    return this.#prefersNew
  }

  granted(connection: Connection): void {
    this.grants.push(connection)
    this.whenGranted?.(connection)
  }

  refused(error: Error): void {
    this.refusals.push(error)
    this.whenRefused?.(error)
  }

  /** The connection it was given last; fails the test if there is none. */
  get connection(): Connection {
    const connection = this.grants.at(-1)
    if (connection === undefined) throw new Error(`not granted${this.refusals.map((error) => `: ${error}`)}`)
    return connection
  }

  get waits(): boolean {
    return this.grants.length + this.refusals.length === 0
  }
}
