/**
 * What was seen of idle connections, and what follows from it: the next round, or the answer. Pure; times in milliseconds.
 *
 * Whatever lives at an age refutes every end at a smaller one: a lost packet, one connection that was closed for another
 * reason, or a restart of the server, which ends connections of all ages in one instant.
 */
import { aboveDeath, between, isNarrow, type Lane, ladder, watches } from './idle-plan.js'

/**
 * How an idle connection ends: the server closes it, by FIN or by RST; or nothing is said, and a request on it is answered
 * by an RST, or not at all.
 */
export const idleEnds = ['fin', 'reset', 'reset-on-request', 'silence'] as const
export type IdleEnd = (typeof idleEnds)[number]

export type Observation =
  /** It was asked at this age, and has answered. */
  | { readonly kind: 'alive'; readonly age: number }
  /** It was ended without having been asked. */
  | { readonly kind: 'ended'; readonly end: 'fin' | 'reset'; readonly age: number; readonly at: number }
  /** It was asked at this age, and has not answered. `acknowledged`: the peer's kernel has taken the request. */
  | {
      readonly kind: 'dead'
      readonly end: 'fin' | 'reset-on-request' | 'silence'
      readonly age: number
      readonly acknowledged?: boolean | undefined
    }

type Ended = Extract<Observation, { kind: 'ended' }>
type Dead = Extract<Observation, { kind: 'dead' }>

export interface Evidence {
  /** The greatest age at which a connection has answered. */
  readonly alive: number
  readonly ended: readonly Ended[]
  readonly dead: readonly Dead[]
  /** When connections of different ages ended in one instant. */
  readonly restarts: readonly number[]
  /** The smallest age at which one was closed though others lived longer; Infinity for none. */
  readonly early: number
}

export const noEvidence: Evidence = { alive: 0, ended: [], dead: [], restarts: [], early: Infinity }

/** Ends within so many milliseconds are of one instant. */
const INSTANT = 150
/** Servers look for idle connections every second or so: ages that differ by no more are the same. */
const SWEEP = 1_100
const SAME_PART = 0.1
/** Those that are to be closed again are watched for so much longer. */
const AGAIN = 250

/** How much ages that mean the same may differ. */
const leeway = (age: number): number => Math.max(SWEEP, age * SAME_PART)

export function withObservation(evidence: Evidence, observation: Observation): Evidence {
  switch (observation.kind) {
    case 'alive':
      return settled({ ...evidence, alive: Math.max(evidence.alive, observation.age) })
    case 'dead':
      return settled({ ...evidence, dead: [...evidence.dead, observation] })
    case 'ended':
      return settled({ ...evidence, ended: [...evidence.ended, observation] })
  }
}

/** Without what is refuted. */
function settled(evidence: Evidence): Evidence {
  const { alive, ended, dead } = evidence
  const lived = (end: Ended): boolean => end.age + leeway(end.age) < alive
  const atOnce = ended.filter((end) => isOneOfMany(end, ended))
  // A restart, or a server that looks every second? The others say: they lived longer, or were closed older.
  const restarted = atOnce.filter(
    (end) =>
      lived(end) ||
      ended.some(
        ({ at, age }) =>
          Math.abs(age - end.age) > leeway(Math.max(age, end.age)) && (isInstant(at, end) || age > end.age),
      ),
  )
  // The others of that instant may be told of only now, or later.
  const [restart] = restarted
  const isOfRestart = (end: Ended): boolean =>
    [...evidence.restarts, ...restarted.map(({ at }) => at)].some((at) => isInstant(at, end))
  const early = ended.filter((end) => lived(end) && !isOfRestart(end)).map(({ age }) => age)
  return {
    alive,
    ended: ended.filter((end) => !lived(end) && !isOfRestart(end)),
    dead: dead.filter(({ age }) => aboveDeath(age) >= alive),
    restarts: restart === undefined ? evidence.restarts : [...evidence.restarts, restart.at],
    early: Math.min(evidence.early, ...early),
  }
}

const isInstant = (at: number, end: Ended): boolean => Math.abs(at - end.at) <= INSTANT

/** Whether one of another age ended in the same instant. */
const isOneOfMany = (end: Ended, ended: readonly Ended[]): boolean =>
  ended.some(({ at, age }) => isInstant(at, end) && Math.abs(age - end.age) > INSTANT)

/** Whether these ends can be a timeout: seen at least twice, at different times and about the same age. */
function agree(ended: readonly Ended[]): boolean {
  const ages = ended.map(({ age }) => age)
  const [shortest, longest] = [Math.min(...ages), Math.max(...ages)]
  if (longest - shortest > leeway(longest)) return false
  const times = ended.map(({ at }) => at)
  return Math.max(...times) - Math.min(...times) > INSTANT
}

export type Step = { readonly kind: 'round'; readonly lanes: readonly Lane[] } | { readonly kind: 'answer' }

/** More rounds are not spent on a server that cannot be made sense of. */
export const MOST_ROUNDS = 5

/**
 * What to do next.
 *
 * @param longest the longest that a connection may be left idle
 * @param rounds that there were
 */
export function nextStep({ alive, ended, dead }: Evidence, longest: number, rounds: number): Step {
  if (rounds >= MOST_ROUNDS || agree(ended)) return { kind: 'answer' }
  if (ended.length > 0) {
    // Seen once, or of one instant: is it so again?
    const age = Math.max(...ended.map((each) => each.age))
    return { kind: 'round', lanes: watches(age + leeway(age) + AGAIN) }
  }
  if (dead.length > 0) {
    const age = Math.min(...dead.map((each) => each.age))
    if (isNarrow(alive, age) && dead.length > 1) return { kind: 'answer' }
    return { kind: 'round', lanes: between(Math.min(alive, age), age) }
  }
  return alive >= longest ? { kind: 'answer' } : { kind: 'round', lanes: ladder(alive, longest) }
}

/** After what time an idle connection is ended, as far as that was seen. */
export interface IdleAnswer {
  /** How; null where none was ended. */
  readonly end: IdleEnd | null
  /** Connections lived for so long, at least. */
  readonly atLeast: number
  /** None lived for longer; null where none was ended. */
  readonly atMost: number | null
  /** The ages at which connections were closed by the server, one by one. */
  readonly samples: readonly number[]
  /** Of a request that met silence: whether the peer's kernel has acknowledged it. null: does not apply, or cannot be told. */
  readonly acknowledged: boolean | null
  readonly restarts: number
  /** The smallest age at which a connection was closed though others lived longer; null for none. */
  readonly early: number | null
  /** Whether the search came to its end; otherwise this is what was known by then. */
  readonly settled: boolean
}

export function answerOf(evidence: Evidence, settled: boolean, longest: number): IdleAnswer {
  const { alive, ended, dead, restarts } = evidence
  const early = evidence.early === Infinity ? null : evidence.early
  const nothing = {
    end: null,
    atLeast: alive,
    atMost: null,
    samples: [],
    acknowledged: null,
    restarts: restarts.length,
    early,
  }
  if (ended.length > 0) {
    const samples = ended.map(({ age }) => age).sort((a, b) => a - b)
    const [atLeast, atMost] = [samples[0] as number, samples.at(-1) as number]
    const end = ended.some((each) => each.end === 'fin') ? 'fin' : 'reset'
    return { ...nothing, end, atLeast, atMost, samples, settled: settled && agree(ended) }
  }
  if (dead.length > 0) {
    const first = dead.reduce((one, other) => (other.age < one.age ? other : one))
    return {
      ...nothing,
      end: first.end,
      atLeast: Math.min(alive, first.age),
      atMost: first.age,
      acknowledged: first.acknowledged ?? null,
      settled: settled && isNarrow(alive, first.age) && dead.length > 1,
    }
  }
  return { ...nothing, settled: settled && alive >= longest }
}
