/**
 * What is wrong with settings, though each of them is a good value by itself: they contradict each other, or what is known of
 * the world. Pure. Said in `explain()`; nothing is changed on its account.
 */
import { firstToEnd, keepsAwake, type Middlebox, type MiddleboxName, named } from '../liveness/middleboxes.js'
import type { LivenessPlan } from '../liveness/presets.js'
import type { AppliedLiveness } from '../liveness/settings.js'
import { probedAfter, type SystemLiveness } from '../liveness/system.js'
import type { ResolvedOptions } from '../options/pool-options.js'

/** What is wrong: `docs/tuning.md` explains each. */
export type WarningCode =
  | 'forgotten'
  | 'closed-sooner'
  | 'above-through'
  | 'above-advertised'
  | 'margin-too-small'
  | 'timeout-first'
  | 'chatty'
  | 'system-slow'
  | 'user-timeout'
  | 'not-as-asked'
  | 'no-kernel'

/** Settings that contradict each other, or what is known of the world. */
export interface Warning {
  /** What to match on. */
  readonly code: WarningCode
  /** What is the matter, in numbers, and what to do. */
  readonly message: string
}

type Box = Middlebox & { readonly name: string }

type Settings = Pick<
  ResolvedOptions,
  'keepAliveTimeout' | 'keepAliveMargin' | 'headersTimeout' | 'idleLimit' | 'learn' | 'replay'
>

/** Times in milliseconds. */
export interface Situation extends Settings {
  /** What is said to be in between. */
  readonly through: readonly Box[]
  readonly plan: LivenessPlan
  readonly system: SystemLiveness
  /** On the newest connection; undefined while there is none. */
  readonly applied: AppliedLiveness | undefined
  /** Ti + Td x Nm; undefined where nothing probes. */
  readonly deadAfter: number | undefined
  /** How long a connection may idle. */
  readonly idleTimeout: number
  readonly advertisedTimeout: number | undefined
  /** Round-trip time of the newest connection; 0 while it is unknown. */
  readonly rtt: number
  /** Whether the kernel can be asked; undefined if unknown. */
  readonly kernel: boolean | undefined
  /** Longest time that a response was waited for; undefined if unknown. */
  readonly longestWait: number | undefined
}

type Rule = (situation: Situation) => string | undefined

/** All rules; each returns its message, or undefined where it has nothing to say. */
const rules: Readonly<Record<WarningCode, Rule>> = {
  forgotten,
  'closed-sooner': closedSooner,
  'above-through': aboveThrough,
  'above-advertised': aboveAdvertised,
  'margin-too-small': marginTooSmall,
  'timeout-first': timeoutFirst,
  chatty,
  'system-slow': systemSlow,
  'user-timeout': userTimeout,
  'not-as-asked': notAsAsked,
  'no-kernel': noKernel,
}

export function warningsOf(situation: Situation): Warning[] {
  return Object.entries(rules).flatMap(([code, rule]) => {
    const message = rule(situation)
    return message === undefined ? [] : [{ code: code as WarningCode, message }]
  })
}

/** Those that nobody has to name to have in the way: what a cloud puts there. */
const COMMON = (['azure-lb', 'aws-nlb', 'gcp'] satisfies MiddleboxName[]).map(named)

/** Ti; undefined where nothing probes. */
const idleOf = ({ plan, system }: Situation): number | undefined => probedAfter(plan, () => system)

function forgotten(situation: Situation): string | undefined {
  const { through, idleTimeout, headersTimeout } = situation
  const idle = idleOf(situation)
  const isNamed = through.length > 0
  // A connection is silent while it idles, and while its response is waited for.
  const silence = isNamed ? Math.max(idleTimeout, headersTimeout || Infinity) : idleTimeout
  const forgetful = (isNamed ? through : COMMON).filter(({ layer, timeout }) => layer === 4 && timeout < silence)
  const box = firstToEnd(forgetful, idle)
  if (box === undefined) return undefined
  const probing = idle === undefined ? 'nothing probes it' : `it is probed after ${idle} ms only`
  const what = isNamed ? `${box.name} forgets` : `${box.name}, for one, forgets`
  const advice = isNamed ? '' : ', or say in "through" what stands in between'
  return (
    `A connection may be silent for ${limitless(silence)}, but ${what} one after ${box.timeout} ms, and ${probing}: ` +
    `let "liveness.idle" be at most ${Math.floor(box.timeout / 2000) * 1000}${advice}.`
  )
}

const limitless = (time: number): string => (time === Infinity ? 'any time' : `${time.toFixed(0)} ms`)

function closedSooner({ through, idleTimeout, advertisedTimeout }: Situation): string | undefined {
  if (advertisedTimeout === undefined) return undefined
  const box = firstToEnd(
    through.filter(({ layer, timeout }) => layer === 7 && timeout <= idleTimeout),
    undefined,
  )
  if (box === undefined) return undefined
  return (
    `A connection may idle for ${idleTimeout.toFixed(0)} ms, as the server advertised, but ${box.name} closes it after ` +
    `${box.timeout} ms: have it advertise less, or set "keepAliveMaxTimeout" below ${box.timeout}.`
  )
}

function aboveThrough({ keepAliveTimeout, idleLimit, advertisedTimeout }: Situation): string | undefined {
  if (advertisedTimeout !== undefined || idleLimit === undefined || keepAliveTimeout === 'auto') return undefined
  if (keepAliveTimeout <= idleLimit.timeout) return undefined
  const { name, timeout, layer } = idleLimit
  return (
    `"keepAliveTimeout" is ${keepAliveTimeout}, but ${name} ${layer === 7 ? 'closes' : 'forgets'} connections that are ` +
    `silent for ${timeout} ms, which holds: lower it, or take ${name} out of "through" if it is set up otherwise.`
  )
}

function aboveAdvertised({ keepAliveTimeout, advertisedTimeout }: Situation): string | undefined {
  if (advertisedTimeout === undefined || keepAliveTimeout === 'auto' || keepAliveTimeout <= advertisedTimeout)
    return undefined
  return (
    `"keepAliveTimeout" is ${keepAliveTimeout}, but the server advertises ${advertisedTimeout} ms, which holds: ` +
    'to keep connections for longer, raise it in the server.'
  )
}

function marginTooSmall({ keepAliveMargin, rtt }: Situation): string | undefined {
  if (keepAliveMargin === 'auto' || keepAliveMargin >= rtt) return undefined
  return (
    `"keepAliveMargin" is ${keepAliveMargin}, but a round trip takes ${rtt.toFixed(1)} ms: a request may arrive when the ` +
    'server has closed. Leave it to "auto".'
  )
}

function timeoutFirst({ deadAfter, headersTimeout }: Situation): string | undefined {
  if (deadAfter === undefined || headersTimeout === 0 || deadAfter <= headersTimeout) return undefined
  return (
    `A dead peer is known after ${deadAfter} ms (Ti + Td x Nm), but "headersTimeout" gives a request up after ` +
    `${headersTimeout} ms: its caller learns of a timeout, not of a death. Lower Ti, Td or Nm.`
  )
}

/** Ti is to be two to three times as long as the longest silence that is to be expected. */
function chatty(situation: Situation): string | undefined {
  const { longestWait } = situation
  const idle = idleOf(situation)
  if (longestWait === undefined || idle === undefined || idle >= 2 * longestWait) return undefined
  return (
    `Responses were waited for up to ${longestWait.toFixed(0)} ms, and a connection that is silent for ${idle} ms is ` +
    'probed: harmless, but chatty. Ti ("liveness.idle") can be two to three times the longest wait, as long as that is ' +
    'below the shortest timeout in between.'
  )
}

function systemSlow({ plan, system, deadAfter }: Situation): string | undefined {
  if (plan.kind !== 'system' || COMMON.every((box) => keepsAwake(box, system.idle))) return undefined
  return (
    `"liveness" is "system", and the system probes after ${system.idle} ms: a dead peer is known after ${deadAfter} ms, ` +
    'and load balancers and NATs forget a silent connection long before. Use a preset.'
  )
}

function userTimeout({ plan, deadAfter = 0 }: Situation): string | undefined {
  if (plan.kind !== 'set' || !plan.userTimeout) return undefined
  const { userTimeout: timeout } = plan
  const early = timeout < deadAfter ? `, sooner than the ${deadAfter} ms of Ti + Td x Nm` : ''
  return (
    `"liveness.userTimeout" ends a connection whose peer has acknowledged nothing for ${timeout} ms${early}, also one ` +
    'that lives and has only stopped reading; and it stands in for Nm.'
  )
}

function notAsAsked({ plan, applied }: Situation): string | undefined {
  if (plan.kind !== 'set' || applied === undefined || applied.source === 'unsupported') return undefined
  const wrong = (['idle', 'interval', 'probes', 'userTimeout'] as const).filter(
    (field) =>
      plan[field] !== undefined && (!applied.enabled || (plan[field] || undefined) !== (applied[field] || undefined)),
  )
  if (wrong.length === 0) return undefined
  const values = wrong.map((field) => `${field} ${plan[field]} (there: ${applied[field] ?? 'unknown'})`).join(', ')
  return (
    `TCP keepalive is not on the sockets as it was asked for: ${values}. ` +
    'It takes koffi on Linux, or for all but userTimeout Node 24.19 or 26.4.'
  )
}

function noKernel({ kernel, learn, replay }: Situation): string | undefined {
  if (kernel !== false) return undefined
  const lost = [
    ...(replay === 'proven' || replay === 'closing' ? [`"replay" is "${replay}", but nothing can be proven`] : []),
    ...(learn ? ['"learn" is on, but sees closes only when JavaScript does'] : []),
  ]
  if (lost.length === 0) return undefined
  return `The kernel cannot be asked about connections: ${lost.join('; ')}. \`capabilities.why\` says what is missing.`
}
