/**
 * What holds for one origin, and where each value comes from: the answer to "why was my connection closed after 4.95 s?".
 */

import { idleAllowance, idleReason } from '../keepalive/expiry.js'
import { SMALLEST_MARGIN } from '../keepalive/margin.js'
import { planOf } from '../liveness/presets.js'
import type { AppliedLiveness } from '../liveness/settings.js'
import { type SystemLiveness, systemLiveness } from '../liveness/system.js'
import type { OriginPool } from '../pool/origin-pool.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { ConnectionSnapshot } from '../snapshot.js'
import type { Target } from '../wire/link.js'

/** A value, who decided it, and in words how it came about. */
export interface Explained<Source extends string> {
  /** Milliseconds, or a number of requests. */
  readonly value: number
  readonly source: Source
  readonly because: string
}

export interface Explanation {
  readonly origin: string
  /** How long a connection to it may idle. At or below 0: connections are not kept. */
  readonly idleTimeout: Explained<'advertised' | 'advertised, capped' | 'learned' | 'option' | 'automatic'>
  /** What the servers have taught, for each address that closes connections sooner than is allowed otherwise. */
  readonly learned: readonly {
    readonly address: string
    /** Milliseconds of idleness after which it closes. */
    readonly timeout: number
    /** The idle times it was taken from. */
    readonly samples: readonly number[]
  }[]
  /** Already taken off an advertised or learned timeout. */
  readonly margin: Explained<'option' | 'automatic'>
  /** Requests on one connection. */
  readonly maxRequests: Explained<'advertised' | 'option'>
  /** TCP keepalive: what was asked for, what stands on the sockets, and the system's own values. */
  readonly liveness: {
    readonly asked: { readonly idle: number; readonly interval: number; readonly probes: number } | 'off' | 'system'
    /** As read back from the newest connection; undefined while there is none. */
    readonly applied: AppliedLiveness | undefined
    readonly system: SystemLiveness
    /** After how many milliseconds of silence a dead peer is known; undefined when nothing probes. */
    readonly deadAfter: number | undefined
  }
  readonly connections: readonly ConnectionSnapshot[]
}

export function explain(core: PoolCore, target: Target, key: string): Explanation {
  const now = core.clock.now()
  const pool = core.peek(key)
  const connections = [...(pool?.connections ?? [])]
  const newest = connections.at(-1)
  const margin = core.margin(newest ?? { rtt: 0, rttVariance: 0 }, now)
  const learned = learnedOf(pool)
  return {
    origin: target.origin,
    idleTimeout: idleTimeout(core, { advertisedTimeout: pool?.hints.advertisedTimeout, learned, margin }),
    learned,
    margin: explainMargin(core, margin),
    maxRequests: maxRequests(core, pool?.hints.total),
    liveness: explainLiveness(core, newest?.link.liveness),
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
  const { keepAliveTimeout: option, keepAliveMaxTimeout } = core.options
  const { keepAliveTimeout } = core
  // Of several addresses, the one that closes first.
  const [first] = [...learned].sort((a, b) => a.timeout - b.timeout)
  const learnedTimeout = first?.timeout
  const limits = { advertisedTimeout, learnedTimeout, keepAliveTimeout, keepAliveMaxTimeout, margin }
  const facts = { ...limits, idleSince: 0, lifetimeEndsAt: 0 }
  const value = idleAllowance(facts)
  if (first !== undefined && idleReason(facts) === 'learned-timeout')
    return {
      value,
      source: 'learned',
      because:
        `the server at ${first.address} was seen to close connections that idled for ${first.timeout} ms` +
        `, less a margin of ${margin.toFixed(1)} ms`,
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

function explainLiveness(core: PoolCore, applied: AppliedLiveness | undefined): Explanation['liveness'] {
  const plan = planOf(core.options.liveness)
  const system = systemLiveness()
  if (plan.kind === 'off') return { asked: 'off', applied, system, deadAfter: undefined }
  const { idle, interval, probes } = plan.kind === 'set' ? plan : system
  return {
    asked: plan.kind === 'set' ? { idle, interval, probes } : 'system',
    applied,
    system,
    deadAfter: idle + interval * probes,
  }
}
