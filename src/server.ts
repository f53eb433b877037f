/**
 * Keep-alive that tells the truth, for node:http and node:https servers and whatever is built on them:
 * `import { keepAlive } from 'keepwise/server'`.
 *
 * @module keepwise/server
 */
import type { Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import { systemClock } from './clock.js'
import { loadNative } from './liveness/native.js'
import { announcerOfThisNode } from './server/announce.js'
import { type KeptServer, keep } from './server/kept-server.js'
import type { KeepAliveOptions } from './server/options.js'

/**
 * Has a server say on every response how long the connection may idle and how many more requests it takes, and keep to
 * it; tunes TCP keepalive on accepted sockets; and finds clients that have died. Call it before or after `listen`.
 *
 * @throws OptionError for an unknown option, a value it cannot take, and for what is no server or is kept already
 */
export function keepAlive(server: HttpServer | HttpsServer, options?: KeepAliveOptions): KeptServer {
  return keep(server, options, { clock: systemClock, native: loadNative().native, announcer: announcerOfThisNode() })
}

export { KeepwiseError, OptionError } from './errors.js'
export type { DeathCause, PeerEvidence } from './liveness/evidence.js'
export type { LivenessOption, LivenessPreset, LivenessTriple } from './liveness/presets.js'
export { presets as livenessPresets } from './liveness/presets.js'
export type { AppliedLiveness } from './liveness/settings.js'
export type { ServerEvent, ServerEvents } from './server/events.js'
export type { KeptServer } from './server/kept-server.js'
export type { CloseOptions, KeepAliveOptions } from './server/options.js'
export type { ClientSnapshot, During } from './server/snapshot.js'
export type { Left, ServerStats } from './server/stats.js'
