/**
 * Keepalive-aware connection pooling: `import { createPool } from 'keepwise'`.
 *
 * @module keepwise
 */
import './builtin-fetch-first.js'
import { systemClock } from './clock.js'
import { loadNative } from './liveness/native.js'
import { type PoolOptions, resolveOptions } from './options/pool-options.js'
import { Pool } from './pool.js'
import { printIfAsked } from './telemetry/debug.js'

printIfAsked()

/**
 * Makes a pool of persistent HTTP/1.1 connections. Nothing is opened until the first request.
 *
 * @throws OptionError for an unknown option or a value it cannot take
 */
export function createPool(options?: PoolOptions): Pool {
  return new Pool(resolveOptions(options), { clock: systemClock, native: loadNative() })
}

export type { PoolHttpAgent, PoolHttpsAgent } from './agent/agents.js'
export {
  type AcquireMessage,
  type ChannelMessage,
  type ChannelMessages,
  channelNames,
  type DialMessage,
  tracingNames,
} from './channels.js'
export { HttpAgent, HttpsAgent } from './drop-in.js'
export {
  AcquireTimeoutError,
  ClosedError,
  ConnectError,
  ConnectionError,
  KeepwiseError,
  type KeepwiseErrorCode,
  OptionError,
  type OriginState,
  PeerDeadError,
  QueueFullError,
} from './errors.js'
export type { PoolEvent, PoolEvents } from './events.js'
export type { Capabilities } from './liveness/capabilities.js'
export { type DeathCause, deathCauses, type PeerEvidence } from './liveness/evidence.js'
export { type Middlebox, type MiddleboxName, middleboxes } from './liveness/middleboxes.js'
export type { LivenessOption, LivenessPreset, LivenessTriple, LivenessTuning } from './liveness/presets.js'
export { presets as livenessPresets } from './liveness/presets.js'
export type { AppliedLiveness } from './liveness/settings.js'
export type { SystemLiveness } from './liveness/system.js'
export type { Meter } from './meter.js'
export type { HttpAgentOptions, HttpsAgentOptions } from './options/agent-options.js'
export type { ConnectOptions } from './options/connect.js'
export type { PoolOptions } from './options/pool-options.js'
export type { Pool } from './pool.js'
export { type CloseReason, closeReasons } from './reasons.js'
export type { PoolIdentity } from './registry.js'
export type { ReplayLevel, ReplayRefusal } from './replay/permission.js'
export type { Evidence, Verdict } from './replay/verdict.js'
export type { ConnectionSnapshot } from './snapshot.js'
export type { Explained, Explanation } from './telemetry/explain.js'
export type { Counts, Gauges, PoolStats } from './telemetry/stats.js'
export type { Warning, WarningCode } from './telemetry/warnings.js'
