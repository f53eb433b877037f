/**
 * What holds for one origin, and where each value comes from: the answer to "why was my connection closed after 4.95 s?".
 */

import { idleAllowance, idleReason } from '../keepalive/expiry.js'
import { SMALLEST_MARGIN } from '../keepalive/margin.js'
import { named } from '../liveness/middleboxes.js'
import { type LivenessPlan, type LivenessTuning, planOf } from '../liveness/presets.js'
import type { AppliedLiveness } from '../liveness/settings.js'
import { type SystemLiveness, systemLiveness } from '../liveness/system.js'
import { deadAfter } from '../liveness/vital-signs.js'
import type { OriginPool } from '../pool/origin-pool.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { ConnectionSnapshot } from '../snapshot.js'
import type { Target } from '../wire/link.js'
import { type Warning, warningsOf } from './warnings.js'

/** A value, who decided it, and in words how it came about. */
export interface Explained<Source extends string> {
  /** Milliseconds, or a number of requests. */
  readonly value: number
  /** Who decided. */
  readonly source: Source
  /** How it came about, in words. */
  readonly because: string
}

/** What holds for one origin, and where it comes from: what `pool.explain` returns. */
export interface Explanation {
  /** `https://example.com` */
  readonly origin: string
  /** How long a connection to it may idle. At or below 0: connections are not kept. */
  readonly idleTimeout: Explained<'advertised' | 'advertised, capped' | 'learned' | 'through' | 'option' | 'automatic'>
  /** What the servers have taught, for each address that closes connections sooner than is allowed otherwise. */
  readonly learned: readonly {
    /** IP address of the server; empty for a Unix domain socket. */
    readonly address: string
    /** Milliseconds of idleness after which it closes. */
    readonly timeout: number
    /** The idle times it was taken from. */
    readonly samples: readonly number[]
  }[]
  /** Already taken off an advertised or learned timeout, or one that `through` knows of. */
  readonly margin: Explained<'option' | 'automatic'>
  /** Requests on one connection. */
  readonly maxRequests: Explained<'advertised' | 'option'>
  /** TCP keepalive: what was asked for, what stands on the sockets, and the system's own values. */
  readonly liveness: {
    /** What the option comes to. */
    readonly asked: LivenessTuning | 'off' | 'system'
    /** As read back from the newest connection; undefined while there is none. */
    readonly applied: AppliedLiveness | undefined
    /** The operating system's own values. */
    readonly system: SystemLiveness
    /** After how many milliseconds of silence a dead peer is known; undefined when nothing probes. */
    readonly deadAfter: number | undefined
    /** Probes that the connections there are now send in an hour, at most: if all of them are silent all the time. */
    readonly probesPerHour: number
  }
  /** Settings that contradict each other, or what is known of the world: `docs/tuning.md` lists them. */
  readonly warnings: readonly Warning[]
  /** Those that are open. */
  readonly connections: readonly ConnectionSnapshot[]
}

/** What the pool itself does not know. */
export interface Observed {
  /** Whether the kernel can be asked about a connection; undefined if unknown. */
  readonly kernel?: boolean | undefined
  /** Longest time in milliseconds that a response was waited for; undefined if unknown. */
  readonly longestWait?: number | undefined
}

export function explain(core: PoolCore, target: Target, key: string, observed: Observed = {}): Explanation {
  const now = core.clock.now()
  const pool = core.peek(key)
  const connections = [...(pool?.connections ?? [])]
  const newest = connections.at(-1)
  const margin = core.margin(newest ?? { rtt: 0, rttVariance: 0 }, now)
  const learned = learnedOf(pool)
  const advertisedTimeout = pool?.hints.advertisedTimeout
  const idle = idleTimeout(core, { advertisedTimeout, learned, margin })
  const plan = planOf(core.options.liveness)
  const applied = newest?.link.liveness
  const liveness = explainLiveness(plan, applied, connections.length)
  const { system, deadAfter } = liveness
  const { options } = core
  return {
    origin: target.origin,
    idleTimeout: idle,
    learned,
    margin: explainMargin(core, margin),
    maxRequests: maxRequests(core, pool?.hints.total),
    liveness,
    warnings: warningsOf({
      ...options,
      ...{ plan, applied, system, deadAfter, advertisedTimeout, idleTimeout: idle.value },
      through: options.through.map(named),
      rtt: newest?.rtt ?? 0,
      kernel: observed.kernel,
      longestWait: observed.longestWait,
    }),
    connections: connections.map((connection) => connection.snapshot(now)),
  }
}

function learnedOf(pool: OriginPool | undefined): Explanation['learned'] {
  return Array.from(pool?.lessons?.known() ?? [], ({ address, timeout, samples }) => ({ address, timeout, samples }))
}

interface IdleSources {
  readonly advertisedTimeout: number | undefined
  readonly learned: Explanation['learned']
  readonly margin: number
}

function idleTimeout(core: PoolCore, sources: IdleSources): Explanation['idleTimeout'] {
  const { advertisedTimeout, learned, margin } = sources
  const { keepAliveTimeout: option, keepAliveMaxTimeout, idleLimit } = core.options
  const { keepAliveTimeout } = core
  // Of several addresses, the one that closes first.
  const [first] = [...learned].sort((a, b) => a.timeout - b.timeout)
  const learnedTimeout = first?.timeout
  const limits = { advertisedTimeout, learnedTimeout, keepAliveTimeout, keepAliveMaxTimeout, margin }
  const facts = { ...limits, throughTimeout: idleLimit?.timeout, idleSince: 0, lifetimeEndsAt: 0 }
  const value = idleAllowance(facts)
  if (first !== undefined && idleReason(facts) === 'learned-timeout')
    return {
      value,
      source: 'learned',
      because:
        `the server at ${first.address} was seen to close connections that idled for ${first.timeout} ms` +
        `, less a margin of ${margin.toFixed(1)} ms`,
    }
  if (advertisedTimeout === undefined && idleLimit !== undefined && value < keepAliveTimeout)
    return {
      value,
      source: 'through',
      because:
        `the server advertised nothing; ${idleLimit.name} ${idleLimit.layer === 7 ? 'closes' : 'forgets'} connections` +
        ` that are silent for ${idleLimit.timeout} ms, less a margin of ${margin.toFixed(1)} ms`,
    }
  if (advertisedTimeout === undefined)
    return option === 'auto'
      ? { value, source: 'automatic', because: 'the server advertised nothing; keepAliveTimeout is "auto"' }
      : { value, source: 'option', because: `the server advertised nothing; keepAliveTimeout is ${option}` }
  const capped = advertisedTimeout > keepAliveMaxTimeout
  return {
    value,
    source: capped ? 'advertised, capped' : 'advertised',
    because:
      `the server advertised ${advertisedTimeout} ms` +
      `${capped ? `, keepAliveMaxTimeout is ${keepAliveMaxTimeout} ms` : ''}, less a margin of ${margin.toFixed(1)} ms`,
  }
}

function explainMargin(core: PoolCore, value: number): Explanation['margin'] {
  return core.options.keepAliveMargin === 'auto'
    ? {
        value,
        source: 'automatic',
        because: `round-trip time + 4 x its variance + the event loop's lag, at least ${SMALLEST_MARGIN} ms`,
      }
    : { value, source: 'option', because: 'keepAliveMargin' }
}

function maxRequests(core: PoolCore, total: number | undefined): Explanation['maxRequests'] {
  const option = core.options.maxRequests
  return total !== undefined && total < option
    ? { value: total, source: 'advertised', because: `the server allows ${total} requests on a connection` }
    : { value: option, source: 'option', because: 'maxRequests' }
}

const HOUR = 3_600_000

function explainLiveness(
  plan: LivenessPlan,
  applied: AppliedLiveness | undefined,
  connections: number,
): Explanation['liveness'] {
  const system = systemLiveness()
  if (plan.kind === 'off') return { asked: 'off', applied, system, deadAfter: undefined, probesPerHour: 0 }
  const { kind, ...asked } = plan
  const { idle, interval, probes } = plan.kind === 'set' ? plan : system
  return {
    asked: kind === 'set' ? (asked as LivenessTuning) : 'system',
    applied,
    system,
    deadAfter: deadAfter({ idle, interval, probes }),
    probesPerHour: Math.ceil((connections * HOUR) / (applied?.idle ?? idle)),
  }
}
