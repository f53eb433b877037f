/**
 * What a pool knows of names and addresses: which addresses were found dead lately, so that dials try others first, and
 * which a name no longer has. It learns from dials, from whoever finds a peer dead, and from every answer that a dial's
 * lookup gets; between dials, names are looked up again when `refresh` asks for it.
 */
import type { LookupAddress, LookupOptions } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import type { Clock } from '../clock.js'
import { canonicalAddress, DeadAddresses } from './dead-addresses.js'
import { type Answer, addressesOf, askForAll } from './lookup.js'
import { Presence } from './presence.js'
import { Refresher } from './refresher.js'

/** Names that are remembered; beyond it those that were looked up least recently are forgotten. */
const MOST_NAMES = 1000
/** Ways to ask for one name that are remembered: with another lookup, or for another family, answers differ. */
const MOST_QUESTIONS = 4

/** Told that a name no longer has an address: as sockets show it, the name in lower case. */
export type AddressWatcher = (hostname: string, address: string) => void

/** One way to ask for a name, and what was answered. */
interface Question {
  readonly hostname: string
  readonly base: LookupFunction | undefined
  readonly options: LookupOptions
  readonly presence: Presence
}

export class Addresses {
  whenGone: AddressWatcher | undefined
  readonly #clock: Clock
  readonly #dead = new DeadAddresses()
  /** By name, those asked last at the end. */
  readonly #questions = new Map<string, Question[]>()
  readonly #refresher: Refresher<Question>

  constructor(clock: Clock) {
    this.#clock = clock
    this.#refresher = new Refresher(clock, (question, done) => this.#askAgain(question, done))
  }

  // --- dead or alive -------------------------------------------------------------------------------------------------

  /** An address did not answer: for a while, dials try others first. Nothing happens for what is no IP address. */
  died(address: string | undefined, now = this.#clock.now()): void {
    if (address !== undefined && isIP(address) !== 0) this.#dead.add(address, now)
  }

  /** A connection to it was opened: what was known of its death is no longer so. */
  lives(address: string | undefined): void {
    if (address !== undefined) this.#dead.delete(address)
  }

  /** Whether an address was found dead lately. */
  isDead(address: string, now = this.#clock.now()): boolean {
    return this.#dead.has(address, now)
  }

  // --- looking up ----------------------------------------------------------------------------------------------------

  /**
   * A `lookup` for net.connect and tls.connect. It gives what another one gives, in the order given, but for addresses
   * that were found dead lately: these come last.
   *
   * @param base the caller's own; default: dns.lookup
   */
  lookup(base?: LookupFunction): LookupFunction {
    if (base !== undefined && typeof base !== 'function') return base // node says what is wrong with it
    return (hostname, options, callback) => {
      const question = this.#questionOf(hostname, base, options)
      askForAll(base, hostname, options, (error, answer, family) => {
        if (!this.#observe(question, error, answer) || !Array.isArray(answer)) return callback(error, answer, family)
        const ordered = this.#ordered(answer)
        if (options.all) return callback(error, ordered)
        callback(error, ordered[0]?.address as string, ordered[0]?.family)
      })
    }
  }

  /** Looks a name up again, in every way in which it was looked up before, to see which addresses it still has. */
  refresh(hostname: string): void {
    for (const question of this.#questions.get(hostname.toLowerCase()) ?? []) this.#refresher.add(question)
  }

  /** Whether a name had an address, and no longer has it. */
  isGone(hostname: string, address: string): boolean {
    return this.#isGone(hostname.toLowerCase(), canonicalAddress(address))
  }

  #ordered(answer: readonly LookupAddress[]): LookupAddress[] {
    const now = this.#clock.now()
    const dead = answer.filter(({ address }) => this.#dead.has(address, now))
    return dead.length === 0 ? (answer as LookupAddress[]) : [...answer.filter((each) => !dead.includes(each)), ...dead]
  }

  // --- observing -----------------------------------------------------------------------------------------------------

  #questionOf(name: string, base: LookupFunction | undefined, { family = 0, hints = 0 }: LookupOptions): Question {
    const hostname = name.toLowerCase()
    const questions = this.#questions.get(hostname) ?? []
    this.#questions.delete(hostname)
    this.#questions.set(hostname, questions)
    if (this.#questions.size > MOST_NAMES) this.#questions.delete(this.#questions.keys().next().value as string)

    const isSame = (each: Question): boolean =>
      each.base === base && each.options.family === family && each.options.hints === hints
    const known = questions.find(isSame)
    if (known !== undefined) return known
    const question = { hostname, base, options: { family, hints }, presence: new Presence() }
    questions.push(question)
    if (questions.length > MOST_QUESTIONS) questions.shift()
    return question
  }

  #askAgain(question: Question, done: () => void): void {
    const { hostname, base, options } = question
    try {
      askForAll(base, hostname, options, (error, answer) => {
        this.#observe(question, error, answer)
        done()
      })
    } catch {
      done() // the caller's own lookup has thrown: dials tell of it
    }
  }

  /** Returns whether it is an answer: one that names no address is a failure, too, in its own way. */
  #observe({ hostname, presence }: Question, error: Error | null, answer: Answer): boolean {
    const addresses = [...new Set(error ? [] : addressesOf(answer).map(canonicalAddress))]
    if (addresses.length === 0) return false
    const gone = presence.observe(addresses, !Array.isArray(answer), this.#clock.now())
    for (const address of gone) if (this.#isGone(hostname, address)) this.whenGone?.(hostname, address)
    return true
  }

  #isGone(hostname: string, address: string): boolean {
    const questions = this.#questions.get(hostname) ?? []
    return (
      questions.some(({ presence }) => presence.isGone(address)) &&
      !questions.some(({ presence }) => presence.holds(address))
    )
  }
}
