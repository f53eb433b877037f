/**
 * Learns how long a server lets a connection idle, where it does not say so, from the connections it closes. One value of
 * `Learned` for one origin at one remote address; pure, no step changes what it was given, and one that changes nothing
 * returns it.
 *
 * A few closes at about the same idle age set the timeout. From then on the pool closes first, and would never see the
 * server close again: so at times it lets one connection idle on, lent to nobody (it is *watched*), until the server
 * closes it, which confirms the timeout, or has let it live clearly longer, which speaks against it.
 *
 * Much else closes connections, and must not be taken for an idle timer:
 * - A restart closes many at once: closes of one second count as one, and if their ages differ they teach nothing.
 * - A lifetime, a limit of requests, memory pressure: they close a connection at a random idle age, mostly one that it had
 *   outlived before. Such a close teaches nothing.
 * - A rolling restart closes what went idle together at growing ages: of those that went idle together only the first
 *   to be closed counts.
 * What is mistaken for a timer nevertheless, the next watched connections disprove; and with each time that this happens
 * it takes more to learn anything, and more to disprove what has been learned again.
 */

/** A close that counts. */
interface Sample {
  /** How long it had idled, in milliseconds. */
  readonly age: number
  readonly idleSince: number
}

/** Closes of one second. */
interface Burst {
  /** Of the youngest of them. */
  readonly age: number
  readonly idleSince: number
  readonly oldest: number
  /** One of them can not have been the work of an idle timer. */
  readonly foreign: boolean
  /** What was suspected before them. */
  readonly suspected: number | undefined
}

/** A timeout that was disproved. */
interface Refuted {
  readonly timeout: number
  /** How often, at about this value. */
  readonly times: number
  readonly at: number
}

export interface Learned {
  /** Idle time after which the server closes, in milliseconds; always an age that was seen. 0 or so: it closes at once. */
  readonly timeout: number | undefined
  /**
   * Idle time after which it has closed a connection lately, though not often enough to be sure; undefined once it is sure,
   * and when a connection has outlived it.
   */
  readonly suspected: number | undefined
  /** When the closes now being collected are to be judged by `settle`; Infinity when there are none. */
  readonly settlesAt: number
  /** Ages behind the timeout, which is the smallest of them; oldest first. */
  readonly basis: readonly number[]
  /** When the server last closed a connection at the timeout. */
  readonly confirmedAt: number
  /** Connections in a row that have outlived the timeout, one after the other. */
  readonly survivals: number
  /** When the last of them was seen. */
  readonly survivedAt: number
  /** The last closes that counted, whatever their age; oldest first. */
  readonly recent: readonly Sample[]
  readonly refuted: readonly Refuted[]
  readonly burst: Burst | undefined
}

export const nothingLearned: Learned = {
  timeout: undefined,
  suspected: undefined,
  settlesAt: Infinity,
  basis: [],
  confirmedAt: -Infinity,
  survivals: 0,
  survivedAt: -Infinity,
  recent: [],
  refuted: [],
  burst: undefined,
}

/**
 * Samples alike that make a timeout: two meet by chance too often, and each one more is one more race to be lost. One
 * more for each timeout that was disproved: where that happens, chance is at work.
 */
const ENOUGH = 3

/** Samples looked at: room for the odd ones between those alike, not for finding likeness in anything. */
const RECENT = 8

/** Disproved timeouts kept in mind: servers of several kinds behind one address, and still fewer than make `RECENT`. */
const MOST_REFUTED = 3

/** In milliseconds. What comes within it is one event: a process takes as long to close all that it has when it ends. */
const BURST = 1_000

/** In milliseconds. Ages no farther apart are the same: event loops are late, theirs and ours. */
const PRECISION = 100

/** As a part of the age: some servers spread their timers, and what is a tenth too short still serves. */
const SPREAD = 0.1

/** In milliseconds. Servers that look through their connections from time to time (gunicorn, Tomcat) do so each second. */
const TICK = 1_000

/** Connections in a row that must outlive a timeout to disprove it. */
const PATIENCE = 3

/** It doubles each time that what was disproved is learned again, but not without end: servers do change. */
const MOST_PATIENCE = 48

/** In milliseconds. A server used once in some hours is still learned, and what held yesterday need not hold today. */
const MEMORY = 24 * 60 * 60 * 1_000

/** A timeout is looked at again after so many times its length: one watched connection then idles a tenth of the time. */
const LOOK_AGAIN = 10

/** In milliseconds: no sooner and no later than these. */
const LOOK_AGAIN_EARLIEST = 10_000
const LOOK_AGAIN_LATEST = 5 * 60_000

/** Watched for so many times what would disprove the timeout: there is time to see the new one, if there is a new one. */
const ENOUGH_TO_SEE = 2

/**
 * The server closed an idle connection.
 *
 * @param age how long it had idled, in milliseconds: may be a little too long, and too short only by a few
 * @param survived the longest time that this very connection had idled before, and was then answered; undefined if it
 *   was never reused
 */
export function serverClosed(known: Learned, age: number, now: number, survived?: number): Learned {
  const settled = settle(known, now)
  const { burst, timeout } = settled
  const idled = Math.max(0, age)
  const foreign = isForeign(idled, survived)
  const before = burst === undefined ? settled.suspected : burst.suspected
  const own: Burst = { age: idled, idleSince: now - idled, oldest: idled, foreign, suspected: before }
  const suspected =
    timeout !== undefined || foreign ? settled.suspected : Math.min(settled.suspected ?? Infinity, idled)
  if (burst === undefined) return { ...settled, suspected, burst: own, settlesAt: now + BURST }
  const youngest = idled < burst.age ? own : burst
  const oldest = Math.max(idled, burst.oldest)
  return { ...settled, suspected, burst: { ...youngest, oldest, foreign: foreign || burst.foreign } }
}

/** Judges the closes that were collected, if their time is over, and forgets what is too old. Harmless at any time. */
export function settle(known: Learned, now: number): Learned {
  if (known.burst === undefined || now < known.settlesAt) return forget(known, now)
  const { age, idleSince, oldest, foreign, suspected } = known.burst
  const rest = { ...known, burst: undefined, settlesAt: Infinity }
  // Of a server that looks once in a second all that is over since goes at once, so their ages may differ by as much.
  const counts = !foreign && oldest < clearlyLonger(age)
  return forget(counts ? sampled(rest, { age, idleSince }) : { ...rest, suspected }, now)
}

/** A connection has idled for so long, and the server has not closed it. */
export function outlived(known: Learned, age: number, now: number): Learned {
  const settled = settle(known, now)
  const { timeout, suspected } = settled
  if (suspected !== undefined && age >= clearlyLonger(suspected)) return { ...settled, suspected: undefined }
  return timeout !== undefined && age >= clearlyLonger(timeout) ? contradicted(settled, now - age, now) : settled
}

/** How long to watch a connection, counted from when it became idle. */
export function watchTime({ timeout }: Learned): number {
  return timeout === undefined ? 0 : ENOUGH_TO_SEE * clearlyLonger(timeout)
}

/** Whether a connection whose learned time is over should idle on, lent to nobody, to see when the server closes it. */
export function worthWatching({ timeout, confirmedAt }: Learned, now: number): boolean {
  if (timeout === undefined) return false
  const wait = Math.min(Math.max(LOOK_AGAIN * timeout, LOOK_AGAIN_EARLIEST), LOOK_AGAIN_LATEST)
  // After one that has outlived it: at once, until one confirms it or enough have disproved it.
  return now - confirmedAt >= wait
}

/** The ages behind the present timeout, which is the smallest of them; oldest first. */
export function samplesOf({ basis }: Learned): readonly number[] {
  return basis
}

/** Whether something else than an idle timer must have closed it: it had idled for longer before, or just as long. */
function isForeign(age: number, survived: number | undefined): boolean {
  if (survived === undefined) return false
  // A server that closes right after its response never leaves a connection to be reused.
  return age <= PRECISION || survived >= clearlyLonger(age)
}

function sampled(known: Learned, sample: Sample): Learned {
  const { timeout } = known
  const { age, idleSince } = sample
  const next = { ...known, recent: [...known.recent, sample].slice(-RECENT) }
  if (timeout !== undefined && age >= clearlyLonger(timeout)) return contradicted(next, idleSince, idleSince + age)
  if (timeout !== undefined && (age >= timeout || alike(age, timeout))) return confirmed(next, sample)
  // Idle since the same moment as one that counted already, and closed later than that: a timer would have closed both.
  if (known.recent.some((other) => Math.abs(other.idleSince - idleSince) < BURST)) return known
  return learn(
    next,
    next.recent.filter((each) => each.age < (timeout ?? Infinity)),
  )
}

function confirmed(known: Learned, { age, idleSince }: Sample): Learned {
  const basis = slide(known.basis, age)
  const timeout = Math.min(...basis)
  const at = idleSince + age
  // Outlived by one and confirmed by the next: there still is more than one kind of server.
  const refuted = known.refuted.map((each) =>
    known.survivals > 0 && same(each.timeout, timeout) ? { ...each, at } : each,
  )
  return { ...known, timeout, basis, confirmedAt: at, survivals: 0, refuted }
}

/**
 * The last ages; but the smallest stays, lest the timeout moves all the time, until the others agree with each other
 * better than with it: it was the odd one then, or the server has become a little slower.
 */
function slide(basis: readonly number[], age: number): readonly number[] {
  const all = [...basis, age]
  if (all.length <= RECENT) return all
  const [oldest = age, ...others] = all
  const smallest = Math.min(...others)
  const stays = oldest < smallest && smallest - oldest <= Math.max(PRECISION, Math.max(...others) - smallest)
  return stays ? [oldest, ...others.slice(1)] : others
}

/** A connection has outlived the timeout: idle since then, seen at. */
function contradicted(known: Learned, idleSince: number, at: number): Learned {
  const { timeout, refuted, confirmedAt, survivedAt } = known
  if (timeout === undefined) return known
  // Those side by side are one piece of evidence, and what was so before the last close at the timeout is none.
  if (idleSince + clearlyLonger(timeout) <= Math.max(confirmedAt, survivedAt)) return known
  const survivals = known.survivals + 1
  const before = refuted.find((each) => same(each.timeout, timeout))
  const times = before?.times ?? 0
  if (survivals < Math.min(PATIENCE * 2 ** times, MOST_PATIENCE)) return { ...known, survivals, survivedAt: at }
  const others = refuted.filter((each) => each !== before)
  const most = [...others, { timeout, times: times + 1, at }].slice(-MOST_REFUTED)
  const recent = known.recent.filter(({ age }) => age >= clearlyLonger(timeout))
  return learn({ ...unlearned(known), recent, refuted: most }, recent)
}

/** Takes the smallest age at which enough of the samples are alike; without any it stays as it was. */
function learn(known: Learned, samples: readonly Sample[]): Learned {
  const enough = ENOUGH + known.refuted.length
  const sorted = samples.toSorted((a, b) => a.age - b.age)
  const first = sorted.findIndex(({ age }, index) => alike(age, sorted[index + enough - 1]?.age ?? Infinity))
  const smallest = sorted[first]
  if (smallest === undefined) return known
  const cluster = samples.filter(({ age }) => age >= smallest.age && alike(smallest.age, age))
  const confirmedAt = Math.max(...cluster.map(({ age, idleSince }) => idleSince + age))
  return {
    ...known,
    timeout: smallest.age,
    basis: cluster.map(({ age }) => age),
    confirmedAt,
    survivals: 0,
    suspected: undefined,
  }
}

/** Without the timeout, and ready to learn from what the caller keeps. */
function unlearned({ burst, settlesAt }: Learned): Learned {
  return { ...nothingLearned, burst, settlesAt }
}

/** Drops what has not been seen again for too long: the server may have become another one meanwhile. */
function forget(known: Learned, now: number): Learned {
  const since = now - MEMORY
  const { confirmedAt, timeout, recent, refuted } = known
  const stale = timeout !== undefined && confirmedAt <= since
  const young = recent.filter(({ age, idleSince }) => idleSince + age > since)
  const kept = refuted.filter(({ at }) => at > since)
  if (!stale && young.length === recent.length && kept.length === refuted.length) return known
  const suspected = recent.length > 0 && young.length === 0 ? undefined : known.suspected
  return { ...(stale ? unlearned(known) : known), suspected, recent: young, refuted: kept }
}

/** Whether the larger may be the same timer as the smaller, seen through lateness. */
function alike(smaller: number, larger: number): boolean {
  return larger - smaller <= Math.max(PRECISION, smaller * SPREAD)
}

/** The age from which no timer of this length can be meant, not even one that is looked at once in a second. */
function clearlyLonger(age: number): number {
  return age + Math.max(PRECISION, age * SPREAD, Math.min(age, TICK))
}

/** Whether two may be the same timer, even one that is looked at once in a second. */
function same(one: number, other: number): boolean {
  return Math.max(one, other) < clearlyLonger(Math.min(one, other))
}
