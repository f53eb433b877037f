/**
 * Which options a pool for this origin should have: those that differ from the defaults, each with its reason, and why the
 * others are right as they are. Pure; times in milliseconds.
 */
import { automaticMargin } from '../keepalive/margin.js'
import {
  firstToEnd,
  livenessThrough,
  type Middlebox,
  type MiddleboxName,
  middleboxes,
  named,
} from '../liveness/middleboxes.js'
import { type LivenessTriple, presets } from '../liveness/presets.js'
import { LIVENESS_DEFAULT, optionSpecs, type PoolOptions } from '../options/pool-options.js'
import type { Conditions, Facts } from './facts.js'
import { isHonest } from './findings.js'
import { seconds } from './words.js'

/** An option that differs from its default, and why. */
export interface Advice {
  readonly option: keyof PoolOptions
  readonly reason: string
}

export interface Recommendation {
  /** For `createPool`. */
  readonly options: PoolOptions
  /** One for each of them, in their order. */
  readonly reasons: readonly Advice[]
  /** Why others are right as they are. */
  readonly unchanged: readonly Advice[]
}

/** The idle time that a pool allows by itself, where it can ask the kernel. */
const AUTOMATIC_IDLE_TIME = 30_000
/** Times are rounded down to so many milliseconds. */
const STEP = 50
/** Ti: two to three times the longest silence. */
const SILENCES = 2.5

interface Part {
  readonly options: PoolOptions
  readonly reason: string
}

type Rule = (facts: Facts, conditions: Conditions) => Part

export function recommend(facts: Facts, conditions: Conditions): Recommendation {
  const options: PoolOptions = {}
  const reasons: Advice[] = []
  const unchanged: Advice[] = []
  for (const [option, rule] of rules) {
    const part = rule(facts, conditions)
    Object.assign(options, part.options)
    ;(Object.keys(part.options).length > 0 ? reasons : unchanged).push({ option, reason: part.reason })
  }
  return { options, reasons, unchanged }
}

const rules: readonly (readonly [keyof PoolOptions, Rule])[] = [
  ['through', through],
  ['keepAliveTimeout', keepAliveTimeout],
  ['keepAliveMaxTimeout', keepAliveMaxTimeout],
  ['keepAliveMargin', keepAliveMargin],
  ['maxRequests', maxRequests],
  ['liveness', liveness],
  ['headersTimeout', headersTimeout],
]

const asItIs = (reason: string): Part => ({ options: {}, reason })

function through(_facts: Facts, { through: names }: Conditions): Part {
  if (names.length === 0) return asItIs('nothing was named that stands in between (--through)')
  const boxes = names.map((name) => `${name} (${seconds(middleboxes[name].timeout)})`).join(', ')
  return { options: { through: [...names] }, reason: `what stands in between: ${boxes}` }
}

const marginOf = ({ cost }: Facts): number => automaticMargin(cost?.roundTrip ?? 0, 0, 0)

const roundedDown = (time: number): number => Math.max(0, Math.floor(time / STEP) * STEP)

/** How long a connection may idle, by what was seen and what is known of those in between. */
function idleLimit(facts: Facts, { through: names }: Conditions): number {
  const { idle } = facts
  if (idle === null) return 0
  const box = firstToEnd(
    names.map(named).filter(({ layer }) => layer === 7),
    undefined,
  )
  return roundedDown(Math.min(idle.atLeast, box?.timeout ?? Infinity) - marginOf(facts))
}

function keepAliveTimeout(facts: Facts, conditions: Conditions): Part {
  const { advertised, idle } = facts
  const { longestSilence = 0 } = conditions
  if (advertised !== null && !advertised.persists) return asItIs('the server keeps no connection')
  if (advertised?.timeout != null) return asItIs('the server advertises its timeout, which comes first')
  if (idle === null) return asItIs('the idle timeout was not measured')
  const limit = idleLimit(facts, conditions)
  const ends =
    idle.end === null ? 'lived for' : idle.end === 'fin' || idle.end === 'reset' ? 'are closed after' : 'are gone after'
  const seen = `idle connections ${ends} ${seconds(idle.atLeast)}`
  if (limit < AUTOMATIC_IDLE_TIME && idle.end !== null)
    return { options: { keepAliveTimeout: limit }, reason: `${seen}, and nobody says so: a little less` }
  if (limit < AUTOMATIC_IDLE_TIME || longestSilence <= AUTOMATIC_IDLE_TIME)
    return asItIs(`${seen}; 'auto' allows ${seconds(AUTOMATIC_IDLE_TIME)}`)
  return {
    options: { keepAliveTimeout: limit },
    reason: `${seen}, and pauses of ${seconds(longestSilence)} are to be expected, above the ${seconds(AUTOMATIC_IDLE_TIME)} of 'auto'`,
  }
}

function keepAliveMaxTimeout({ advertised, idle }: Facts): Part {
  if (advertised?.timeout == null) return asItIs('nothing is advertised')
  const honest = isHonest({ advertised, idle })
  if (honest !== false || idle === null) {
    return asItIs(`${seconds(advertised.timeout)} are advertised${honest ? ', and kept' : ''}`)
  }
  return {
    options: { keepAliveMaxTimeout: Math.max(1, roundedDown(idle.atLeast)) },
    reason: `${seconds(advertised.timeout)} are advertised, but idle connections end after ${seconds(idle.atLeast)}; the margin is taken off`,
  }
}

function keepAliveMargin(facts: Facts): Part {
  const trip = facts.cost?.roundTrip
  const known = trip == null ? '' : ` at this round trip (${trip.toFixed(1)} ms)`
  return asItIs(`'auto' is ${seconds(marginOf(facts))} or more${known}`)
}

function maxRequests({ requests }: Facts): Part {
  if (requests === null) return asItIs('requests were not counted')
  const { closedAfter, announced, promised, tried } = requests
  if (closedAfter === null)
    return asItIs(
      promised === null ? `${tried} requests went over one connection` : 'the server says how many it takes',
    )
  if (announced === false || (promised !== null && closedAfter < promised))
    return {
      options: { maxRequests: Math.max(1, closedAfter) },
      reason: `the server closes after ${closedAfter} requests${announced ? ', fewer than it says' : ' and does not say so'}`,
    }
  return asItIs(`the server says when it closes (after ${closedAfter} requests)`)
}

/** Those that are common in clouds, where nothing else is known. */
const COMMON = (['azure-lb', 'aws-nlb', 'gcp'] satisfies MiddleboxName[]).map(named)

/** What was seen to forget connections, if probes can keep it from doing so. */
function forgetful({ idle }: Facts): Middlebox[] {
  if (idle === null || (idle.end !== 'silence' && idle.end !== 'reset-on-request') || idle.acknowledged) return []
  return [{ timeout: idle.atLeast, layer: 4, ends: 'silence', advertises: false, source: 'seen' }]
}

function liveness(facts: Facts, { through: names, longestSilence }: Conditions): Part {
  const inBetween = names.map(named).filter(({ layer }) => layer === 4)
  const boxes: (Middlebox & { readonly name?: string })[] = [
    ...forgetful(facts),
    ...(inBetween.length > 0 ? inBetween : COMMON),
  ]
  const shortest = boxes.reduce((one, other) => (other.timeout < one.timeout ? other : one))
  const silence = longestSilence ?? facts.cost?.slowest ?? 0
  const usual = presets[LIVENESS_DEFAULT]
  // Half of the time, as the pool itself does: so that it can do without one probe that is lost.
  const ceiling = wholeSeconds(Math.min(shortest.timeout / 2, longestIdle(facts)))
  const automatic = livenessThrough(boxes, LIVENESS_DEFAULT)
  const wanted = silence * 2 <= usual.idle ? idleOf(automatic) : wholeSeconds(silence * SILENCES)
  const idle = Math.min(wanted, ceiling)
  const who = shortest.name ?? 'whatever is in between'
  if (idle === usual.idle)
    return asItIs(
      `'${LIVENESS_DEFAULT}': Ti ${seconds(idle)} is at least twice the longest silence (${seconds(silence)}), and below all that forgets`,
    )
  const interval = Math.min(Math.max(usual.interval, wholeSeconds((facts.cost?.roundTrip ?? 0) * 10)), idle)
  const forgets = `${who} forgets after ${seconds(shortest.timeout)}`
  const reason =
    idle < wanted || idle < usual.idle
      ? `Ti below half of the time after which a silent connection is gone: ${forgets}`
      : `Ti two to three times the longest silence (${seconds(silence)}), below the shortest timeout in between: ${forgets}`
  return { options: { liveness: { idle, interval, probes: usual.probes } }, reason }
}

const idleOf = (option: ReturnType<typeof livenessThrough>): number =>
  typeof option === 'object' ? (option as LivenessTriple).idle : presets[LIVENESS_DEFAULT].idle

/** Ti + Td x Nm has to be over before a request is given up. */
function longestIdle(facts: Facts): number {
  const { interval, probes } = presets[LIVENESS_DEFAULT]
  const slack = Math.max(interval, (facts.cost?.roundTrip ?? 0) * 10 + 1_000) * probes
  return optionSpecs.headersTimeout.default - slack
}

/** What the kernel takes. */
const wholeSeconds = (time: number): number => Math.min(32_767, Math.max(1, Math.floor(time / 1000))) * 1000

function headersTimeout({ cost }: Facts, { longestSilence }: Conditions): Part {
  const silence = Math.max(longestSilence ?? 0, cost?.slowest ?? 0)
  const usual = optionSpecs.headersTimeout.default
  if (silence * 2 <= usual) return asItIs(`${seconds(usual)} are at least twice the longest silence`)
  return {
    options: { headersTimeout: Math.min(2 ** 31 - 1, Math.ceil((silence * 2) / 1000) * 1000) },
    reason: `twice the longest silence (${seconds(silence)}): responses may take so long`,
  }
}
