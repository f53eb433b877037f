/**
 * Who may be suspected, asked, evicted and declared dead, by the model's own account: it knows who is silent, and since when.
 */
import type { Events, PoolEvents } from '../../../src/events.js'
import { idleDeadline } from '../../../src/keepalive/expiry.js'
import { answerTime, deadAfter, type Patience, type Signs } from '../../../src/liveness/vital-signs.js'
import type { Connection } from '../../../src/pool/connection.js'
import type { OriginPool } from '../../../src/pool/origin-pool.js'
import { type ModelLink, modelLinkOf } from './link.js'
import { type ModelPeer, owes } from './peer.js'

type Wrong = (what: string) => void
type DeadEvent = Parameters<PoolEvents['dead']>[0]

/** Milliseconds between two rounds of asking those to one address. */
const BETWEEN_ROUNDS = 5_000

/** Milliseconds of sleep after which the pool may doubt, and after which it must; and how soon it notices. */
const LONG_SLEEP = 5_000
const CERTAIN_SLEEP = 6_000
const NOTICED = 1_000

interface World {
  readonly origins: readonly OriginPool[]
  readonly clock: { now(): number }
  /** A connection that was seen, by its number. */
  connection(id: number): Connection | undefined
}

export class ModelDeaths {
  dead = 0
  suspected = 0
  recovered = 0
  evicted = 0
  /** `dead` was said of them, and `close` not yet. */
  readonly #announced = new Set<number>()
  /** Those that were suspect, and of those that `suspect` was said of, when they had been heard last. */
  readonly #suspects = new Set<Connection>()
  readonly #said = new Map<number, number>()
  /** Of each origin and address, when those that idled were asked last. */
  readonly #rounds = new Map<string, number>()
  /** Those whose sibling has died: when. Of these, those that nobody was given in that moment are asked. */
  readonly #doubted = new Map<Connection, number>()
  readonly #toAsk = new Set<Connection>()
  /** Those that are to close as soon as nobody has them. */
  readonly #drained = new Set<Connection>()
  #draining = false
  /** Those that idled when the machine slept, and when it fell asleep. */
  readonly #slept = new Map<Connection, number>()
  #sleptUntil = -Infinity
  /** Those that may be asked because of that. */
  readonly #doubtful = new Set<Connection>()
  /** Milliseconds that were slept since the pool has had time to notice, and how long it has had. */
  #sleep = 0
  #awake = 0
  /** When it last stood still: what was due meanwhile came late. */
  #lateUntil = 0

  constructor(
    private readonly world: World,
    events: Events,
    private readonly wrong: Wrong,
  ) {
    events.on('suspect', ({ connection: { id } }) => this.#isSuspected(id))
    events.on('dead', (event) => this.#isDead(event))
    events.on('close', ({ connection: { id }, reason }) => {
      if (this.#announced.delete(id) !== (reason === 'dead')) wrong(`${id} was closed: ${reason}, by surprise`)
      const connection = this.world.connection(id)
      if (reason === 'dead' && connection !== undefined) this.#beginRound(connection)
      if (reason === 'evicted' && connection !== undefined) this.#isEvicted(connection)
      if (connection !== undefined) this.#isOver(connection)
    })
  }

  get #now(): number {
    return this.world.clock.now()
  }

  /** Time passes as usual. */
  passed(ms: number): void {
    this.#awake += ms
    if (this.#awake > NOTICED) this.#sleep = 0
  }

  /** The process stands still for a time, or the whole machine. */
  standsStill(ms: number, passes: () => void): void {
    this.#sleep += ms
    this.#awake = 0
    this.#sleptUntil = Infinity
    if (ms >= CERTAIN_SLEEP) for (const connection of this.#idle()) this.#slept.set(connection, this.#now)
    passes()
    if (this.#sleep >= LONG_SLEEP) for (const connection of this.#idle()) this.#doubtful.add(connection)
    this.#lateUntil = this.#sleptUntil = this.#now
  }

  /** An address is drained. A listener may still have one that is about to be. */
  drains(origin: OriginPool, address: string): void {
    for (const connection of origin.connections)
      if (connection.link.remoteAddress === address) this.#drained.add(connection)
    this.#draining = true
    origin.drain(address)
    this.#draining = false
  }

  /** A peer was asked out of turn. */
  asked(connection: Connection): void {
    if (this.#sleep >= LONG_SLEEP) this.#doubtful.add(connection)
    else if (this.#doubted.get(connection) !== this.#now)
      this.wrong(`${connection.id} was asked, and none of its siblings had died`)
  }

  granted(connection: Connection, wrong: Wrong): void {
    const { mortal } = modelLinkOf(connection)
    if (this.#drained.has(connection) && !this.#draining) wrong('its address was drained')
    if (this.#suspects.has(connection) && mortal !== undefined && owes(mortal.signs()))
      wrong('its peer has not answered')
    this.#checkAfterSleep(connection, wrong)
    this.#toAsk.delete(connection)
    // One that is given back while its sibling is dying is asked all the same.
    if (this.#doubted.get(connection) !== this.#now) this.#doubted.delete(connection)
    this.#doubtful.delete(connection)
    this.#slept.delete(connection)
  }

  /** After each step. */
  check(): void {
    for (const id of this.#announced) this.wrong(`${id} is dead, and not closed`)
    for (const connection of this.#drained)
      if (connection.state !== 'active') this.wrong(`${connection.id} is ${connection.state}, and was drained`)
    for (const connection of this.#toAsk) this.#checkDoubted(connection)
    if (this.#now - this.#sleptUntil > NOTICED)
      for (const connection of this.#slept.keys())
        this.#checkAfterSleep(connection, (what) => this.wrong(`${connection.id} is ${connection.state}: ${what}`))
    for (const { connections } of this.world.origins)
      for (const connection of connections) {
        const link = modelLinkOf(connection)
        if (!link.destroyed) this.#checkOpen(connection, link)
        this.#note(connection)
      }
  }

  #note(connection: Connection): void {
    const isSuspect = connection.state === 'suspect'
    if (isSuspect) this.#suspects.add(connection)
    else if (this.#suspects.delete(connection)) this.recovered++
  }

  #checkOpen(connection: Connection, { mortal }: ModelLink): void {
    const { id, state } = connection
    if (mortal === undefined) {
      if (state === 'suspect') this.wrong(`${id} is suspect, and nobody can be asked`)
      return
    }
    const signs = mortal.signs()
    this.#checkLife(connection, mortal, signs)
    if (state === 'suspect') this.#checkSuspect(connection, mortal, signs)
  }

  /** One that is silent ends in time. */
  #checkLife(connection: Connection, mortal: ModelPeer, signs: Signs): void {
    const { patience, silent, isGivenUp } = mortal
    if (!silent || isGivenUp) return
    const since = unheardSince(connection, mortal, signs)
    const late = (patience.idle + patience.interval * patience.probes) / 8
    const end = Math.max(since + deadAfter(patience) + late, this.#lateUntil) + lookTime(signs, patience)
    if (this.#now > end) this.wrong(`${connection.id} is silent for ${this.#now - since} ms, and lives`)
  }

  /** One that is suspect is looked at soon, and lent again when it has answered. */
  #checkSuspect(connection: Connection, { patience, heardAt, askedAt }: ModelPeer, signs: Signs): void {
    const { id, vigil, wakeAt } = connection
    if (!vigil?.suspected && !vigil?.awaited) this.wrong(`${id} is suspect, and nobody waits for its answer`)
    const look = lookTime(signs, patience)
    if (wakeAt - this.#now > look) this.wrong(`${id} is suspect, and is looked at in ${wakeAt - this.#now} ms`)
    if (this.#now > Math.max(idleDeadline(connection), this.#lateUntil) + look) this.wrong(`${id} idles for too long`)
    const answeredAt = Math.max(heardAt, this.#lateUntil)
    if (!owes(signs) && heardAt > askedAt && this.#now > answeredAt + look)
      this.wrong(`${id} is suspect, and has answered ${this.#now - heardAt} ms ago`)
  }

  #checkDoubted(connection: Connection): void {
    const at = this.#doubted.get(connection) as number
    const { mortal } = modelLinkOf(connection)
    // One that was asked, or is being looked at where nobody can be.
    if (connection.state !== 'idle') this.#toAsk.delete(connection)
    if (connection.state !== 'idle' || this.#wasHeard(mortal, at)) return
    this.wrong(`${connection.id} idles, its sibling has died at ${at}, and nobody has asked it`)
  }

  #checkAfterSleep(connection: Connection, wrong: Wrong): void {
    const since = this.#slept.get(connection)
    if (since === undefined || this.#now - this.#sleptUntil <= NOTICED) return
    if (connection.state === 'idle' && !this.#wasHeard(modelLinkOf(connection).mortal, since))
      wrong('nobody has asked it since the machine slept')
  }

  #wasHeard(mortal: ModelPeer | undefined, since: number): boolean {
    if (mortal === undefined) return false
    mortal.signs()
    return mortal.heardAt > since
  }

  #isSuspected(id: number): void {
    this.suspected++
    const mortal = this.#mortal(id)
    if (mortal === undefined) return
    const signs = mortal.signs()
    if (!owes(signs)) this.wrong(`${id} is suspected, and owes nothing`)
    if (!mortal.missed) this.wrong(`${id} is suspected, and has answered everything that it was asked`)
    if (this.#said.get(id) === mortal.heardAt) this.wrong(`${id} is suspected once more, and was not heard since`)
    this.#said.set(id, mortal.heardAt)
  }

  #isDead({ connection: { id }, evidence: { cause, lastHeard } }: DeadEvent): void {
    this.dead++
    this.#announced.add(id)
    const connection = this.world.connection(id)
    const mortal = this.#mortal(id)
    if (connection === undefined || mortal === undefined) return
    const { patience } = mortal
    if (cause === 'reset' && (lastHeard ?? 0) < patience.idle) this.wrong(`${id} was reset after ${lastHeard} ms`)
    if (modelLinkOf(connection).isBroken) return // by the kernel's word
    const silence = this.#now - unheardSince(connection, mortal, mortal.signs())
    if (silence < deadAfter(patience)) this.wrong(`${id} is dead after ${silence} ms`)
    if (!mortal.missed) this.wrong(`${id} is dead, and has answered everything that it was asked`)
  }

  #beginRound({ origin, link: { remoteAddress } }: Connection): void {
    const key = `${origin.key} ${remoteAddress}`
    if (this.#now - (this.#rounds.get(key) ?? -Infinity) < BETWEEN_ROUNDS) return
    this.#rounds.set(key, this.#now)
    for (const connection of this.#idle())
      if (connection.origin === origin && connection.link.remoteAddress === remoteAddress) this.#doubt(connection)
  }

  #doubt(connection: Connection): void {
    this.#doubted.set(connection, this.#now)
    this.#toAsk.add(connection)
  }

  /** With a reason, and where it can be asked, not without having been. */
  #isEvicted(connection: Connection): void {
    this.evicted++
    const { id, link } = connection
    const { mortal, isBroken } = modelLinkOf(connection)
    // Of one that has ended by itself nobody has heard yet.
    if (this.#drained.has(connection) || isBroken) return
    const hasSlept = this.#doubtful.has(connection) || this.#sleep >= LONG_SLEEP
    if (!hasSlept && !this.#doubted.has(connection))
      this.wrong(`${id} was evicted, and nobody at ${link.remoteAddress} has died`)
    else if (mortal === undefined) {
      if (!hasSlept && this.#doubted.get(connection) !== this.#now) this.wrong(`${id} was evicted late`)
    } else {
      const signs = mortal.signs()
      if (!mortal.missed) this.wrong(`${id} was evicted, and has answered everything that it was asked`)
      if (this.#now - mortal.owesSince < answerTime(signs, mortal.patience))
        this.wrong(`${id} was evicted, and had no time to answer`)
    }
  }

  #isOver(connection: Connection): void {
    this.#suspects.delete(connection)
    this.#said.delete(connection.id)
    this.#doubted.delete(connection)
    this.#toAsk.delete(connection)
    this.#doubtful.delete(connection)
    this.#drained.delete(connection)
    this.#slept.delete(connection)
  }

  #mortal(id: number): ModelPeer | undefined {
    const connection = this.world.connection(id)
    return connection && modelLinkOf(connection).mortal
  }

  #idle(): Connection[] {
    return this.world.origins.flatMap(({ connections }) => [...connections].filter(({ state }) => state === 'idle'))
  }
}

/** Silence before there was anything to answer is nobody's fault. */
function unheardSince({ busySince }: Connection, { heardAt }: ModelPeer, { unacknowledged }: Signs): number {
  return unacknowledged > 0 ? Math.max(heardAt, busySince) : heardAt
}

/** In what time the pool looks again at one that owes an answer, and acts. */
function lookTime(signs: Signs, patience: Patience): number {
  return Math.max(answerTime(signs, patience), patience.interval / 2) + answerTime(signs, patience)
}
