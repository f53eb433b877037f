/**
 * Carries out the search for the idle timeout: opens connections, leaves them alone, asks them at the ages that the plan has,
 * and watches for their end. What follows from it is decided in `idle-evidence.ts`.
 */
import type { Clock } from '../clock.js'
import {
  answerOf,
  type Evidence,
  type IdleAnswer,
  nextStep,
  noEvidence,
  type Observation,
  withObservation,
} from './idle-evidence.js'
import { apart, type Lane } from './idle-plan.js'
import { wait, waitFor } from './wait.js'

/** A connection that has answered, and idles since. Times on the clock of the search. */
export interface IdleProbe {
  readonly idleSince: number
  /** Whether it may be asked again. */
  readonly persists: boolean
  /** When the peer has ended it; never resolved for one that was closed here. */
  readonly ended: Promise<{ readonly end: 'fin' | 'reset'; readonly at: number }>
  /** Asks it. `idleSince` counts anew when it has answered. */
  ask(): Promise<{ readonly answered: true } | ({ readonly answered: false } & Death)>
  close(): void
}

type Death = Pick<Extract<Observation, { kind: 'dead' }>, 'end' | 'acknowledged'>

export interface IdleSearch {
  /** The longest that a connection may be left idle, in milliseconds. */
  readonly longest: number
  /** Opens a connection and has it answer once. Rejects when that fails, which ends the search. */
  readonly open: () => Promise<IdleProbe>
  readonly clock: Clock
  /** Ends the search with what is known by then. */
  readonly signal: AbortSignal
  /** Told of each thing that was seen. */
  readonly seen?: (evidence: Evidence) => void
}

/** When the first connection was closed, the others are given so much more than their delay, in milliseconds. */
const GRACE = 400
const GRACE_PART = 0.05

/** @throws what `open` rejects with */
export async function searchIdle(search: IdleSearch): Promise<IdleAnswer> {
  let evidence = noEvidence
  for (let rounds = 0; ; rounds++) {
    const step = nextStep(evidence, search.longest, rounds)
    if (step.kind === 'answer') return answerOf(evidence, true, search.longest)
    evidence = await new Round(search, step.lanes, evidence).run()
    if (search.signal.aborted) return answerOf(evidence, false, search.longest)
  }
}

class Round {
  readonly #search: IdleSearch
  readonly #lanes: readonly Lane[]
  #evidence: Evidence
  /** What is open in each lane. */
  readonly #probes = new Set<IdleProbe>()
  readonly #over = new AbortController()
  /** The server closes by itself: nothing more is asked, only watched. */
  #closing = false
  #failure: { readonly error: unknown } | undefined

  constructor(search: IdleSearch, lanes: readonly Lane[], evidence: Evidence) {
    this.#search = search
    this.#lanes = lanes
    this.#evidence = evidence
  }

  async run(): Promise<Evidence> {
    const { signal } = this.#search
    const stop = (): void => this.#over.abort()
    signal.addEventListener('abort', stop)
    // Whoever waits for an answer then has waited enough.
    this.#over.signal.addEventListener('abort', () => {
      for (const probe of this.#probes) probe.close()
    })
    if (signal.aborted) stop()
    await Promise.all(this.#lanes.map((lane) => this.#run(lane)))
    signal.removeEventListener('abort', stop)
    if (this.#failure !== undefined && !signal.aborted) throw this.#failure.error
    return this.#evidence
  }

  async #run({ startsAfter, ages }: Lane): Promise<void> {
    const { clock, open } = this.#search
    await wait(clock, startsAfter, this.#over.signal)
    let probe: IdleProbe | undefined
    try {
      for (const age of ages) {
        if (this.#over.signal.aborted) break
        if (probe === undefined || !probe.persists) {
          if (probe !== undefined) this.#drop(probe)
          probe = await open()
          this.#probes.add(probe)
        }
        if (!(await this.#idle(probe, age))) break
      }
    } catch (error) {
      this.#failure ??= { error }
      this.#over.abort()
    } finally {
      if (probe !== undefined) this.#drop(probe)
    }
  }

  /** Leaves a connection alone for its age, and asks it then. Returns whether it has answered. */
  async #idle(probe: IdleProbe, age: number): Promise<boolean> {
    const { clock } = this.#search
    const { signal } = this.#over
    // Where others are being closed it is left alone until the end of the round.
    let ended = await waitFor(probe.ended, clock, probe.idleSince + age - clock.now(), signal)
    if (ended === undefined && this.#closing) ended = await waitFor(probe.ended, clock, Infinity, signal)
    if (ended !== undefined) this.#sawEnd(probe, ended)
    if (ended !== undefined || signal.aborted) return false
    const silentFor = clock.now() - probe.idleSince
    const asked = await probe.ask()
    if (asked.answered) {
      this.#saw({ kind: 'alive', age: silentFor })
      return true
    }
    // One that is closed at the end of a round has not died.
    if (signal.aborted) return false
    this.#saw({ kind: 'dead', age: silentFor, end: asked.end, acknowledged: asked.acknowledged })
    this.#over.abort()
    return false
  }

  #sawEnd(probe: IdleProbe, { end, at }: { end: 'fin' | 'reset'; at: number }): void {
    const age = at - probe.idleSince
    this.#probes.delete(probe)
    this.#saw({ kind: 'ended', end, age, at })
    if (this.#closing) return
    this.#closing = true
    const { clock } = this.#search
    const longest = Math.max(...this.#lanes.map(({ ages }) => ages.at(-1) as number))
    const grace = apart(longest) + GRACE + age * GRACE_PART
    void wait(clock, grace, this.#over.signal).then(() => this.#outlived(at, grace))
  }

  /** The others had time to be closed as well: those that were not, though they are older, live. */
  #outlived(since: number, grace: number): void {
    const now = this.#search.clock.now()
    for (const { idleSince } of this.#probes)
      if (since - idleSince > 0 && now - idleSince > grace) this.#saw({ kind: 'alive', age: since - idleSince })
    this.#over.abort()
  }

  #saw(observation: Observation): void {
    this.#evidence = withObservation(this.#evidence, observation)
    this.#search.seen?.(this.#evidence)
  }

  #drop(probe: IdleProbe): void {
    this.#probes.delete(probe)
    probe.close()
  }
}
