/**
 * Puts Ti, Td and Nm on a socket, and what belongs to them; reads all of it back, and says what is really there.
 *
 * Node sets all three since 24.19 and 26.4 (nodejs/node#63825). Before, `setKeepAlive` takes Ti only and silently sets
 * Td to 1 s and Nm to 10; the native setter then puts the other two right. Without either, Ti is all there is.
 *
 * What belongs to them takes native access: a cap on the pauses between retransmissions, and `userTimeout` if asked for.
 */
import { Socket } from 'node:net'
import type { Native } from './native.js'
import type { LivenessPlan, LivenessSetting } from './presets.js'
import { retransmitCap, systemRetries } from './retransmission.js'
import {
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_RTO_MAX_MS,
  TCP_USER_TIMEOUT,
} from './socket-options.js'
import { systemLiveness } from './system.js'

/** TCP keepalive as it stands on one socket; times in milliseconds. */
export interface AppliedLiveness {
  /** Whether it is on. */
  readonly enabled: boolean
  /** Ti: silence before the first probe. */
  readonly idle: number | undefined
  /** Td: time between unanswered probes. */
  readonly interval: number | undefined
  /** Nm: unanswered probes until the peer counts as dead. */
  readonly probes: number | undefined
  /** Longest pause between two retransmissions; undefined where the kernel has no such setting (before Linux 6.15). */
  readonly retransmitInterval: number | undefined
  /** TCP_USER_TIMEOUT; 0 if it is not set. */
  readonly userTimeout: number | undefined
  /**
   * How these values are known: `kernel` read back from the socket, `node` set by Node and not readable here,
   * `idle-only` only Ti could be set, `off` switched off, `unsupported` not a TCP socket.
   */
  readonly source: 'kernel' | 'node' | 'idle-only' | 'off' | 'unsupported'
}

/** Whether this Node's `setKeepAlive` takes interval and count. */
export const nodeSetsTriple: boolean = Socket.prototype.setKeepAlive.length >= 4

type SetTriple = (enable: boolean, idle: number, interval: number, probes: number) => void

const unsupported: AppliedLiveness = Object.freeze({
  enabled: false,
  idle: undefined,
  interval: undefined,
  probes: undefined,
  retransmitInterval: undefined,
  userTimeout: undefined,
  source: 'unsupported',
})

const off: AppliedLiveness = Object.freeze({ ...unsupported, source: 'off' })

/**
 * Applies a plan to a connected socket.
 *
 * @param fd its descriptor; -1 where there is none (Windows, TLS over a JavaScript stream)
 */
export function applyLiveness(
  socket: Socket,
  fd: number,
  plan: LivenessPlan,
  native: Native | undefined,
): AppliedLiveness {
  const kernel = fd >= 0 ? native : undefined
  if (socket.remoteFamily === undefined) return unsupported
  switch (plan.kind) {
    case 'off':
      socket.setKeepAlive(false)
      return off
    case 'system':
      return applySystem(socket, fd, kernel)
    case 'set':
      return applyTriple(socket, fd, plan, kernel)
  }
}

/**
 * Puts back on a socket what `applyLiveness` has set, or found there, and somebody has changed since.
 *
 * @param applied what `applyLiveness` returned
 */
export function restoreLiveness(
  socket: Socket,
  fd: number,
  plan: LivenessPlan,
  native: Native | undefined,
  { idle, interval, probes }: AppliedLiveness,
): void {
  applyLiveness(socket, fd, plan, native)
  // What was found is nobody's plan, and would stay as it is now.
  if (plan.kind !== 'system' || native === undefined || idle === undefined || interval === undefined) return
  native.setInt(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle / 1000)
  native.setInt(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval / 1000)
  if (probes !== undefined) native.setInt(fd, IPPROTO_TCP, TCP_KEEPCNT, probes)
}

/** Switches keepalive on and leaves the values alone. */
function applySystem(socket: Socket, fd: number, native: Native | undefined): AppliedLiveness {
  if (native?.setInt(fd, SOL_SOCKET, SO_KEEPALIVE, 1) === 0) return readBack(fd, native) ?? off
  // Node cannot switch it on without setting Ti, so it is given the system's own values.
  const system = systemLiveness()
  return applyTriple(socket, fd, { kind: 'set', ...system }, undefined)
}

function applyTriple(socket: Socket, fd: number, plan: LivenessSetting, native: Native | undefined): AppliedLiveness {
  const { idle, interval, probes, userTimeout = 0 } = plan
  if (nodeSetsTriple) (socket.setKeepAlive as SetTriple)(true, idle, interval, probes)
  else socket.setKeepAlive(true, idle)
  if (native === undefined) {
    if (nodeSetsTriple) return shared({ ...unsupported, enabled: true, idle, interval, probes, source: 'node' })
    return shared({ ...unsupported, enabled: true, idle, source: 'idle-only' })
  }
  if (!nodeSetsTriple) {
    native.setInt(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval / 1000)
    native.setInt(fd, IPPROTO_TCP, TCP_KEEPCNT, probes)
  }
  capRetransmissions(fd, plan, native)
  if (userTimeout > 0) native.setInt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, userTimeout)
  return readBack(fd, native) ?? unsupported
}

/** Of each plan: it is the same for all sockets of a pool. */
const caps = new WeakMap<LivenessSetting, number>()

/** Has what is not acknowledged asked about every Td or so. Never less often than the system would have it. */
function capRetransmissions(fd: number, plan: LivenessSetting, native: Native): void {
  let cap = caps.get(plan)
  if (cap === undefined) {
    cap = retransmitCap(plan, systemRetries()) ?? Infinity
    caps.set(plan, cap)
  }
  // -1 where there is no such option: then nothing is above it.
  if (native.getInt(fd, IPPROTO_TCP, TCP_RTO_MAX_MS) > cap) native.setInt(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, cap)
}

/** What the kernel has on the socket; undefined if it is not a TCP socket any more. */
function readBack(fd: number, native: Native): AppliedLiveness | undefined {
  const enabled = native.getInt(fd, SOL_SOCKET, SO_KEEPALIVE)
  const idle = native.getInt(fd, IPPROTO_TCP, TCP_KEEPIDLE)
  if (enabled < 0 || idle < 0) return undefined
  return shared({
    enabled: enabled === 1,
    idle: idle * 1000,
    interval: native.getInt(fd, IPPROTO_TCP, TCP_KEEPINTVL) * 1000,
    probes: native.getInt(fd, IPPROTO_TCP, TCP_KEEPCNT),
    retransmitInterval: known(native.getInt(fd, IPPROTO_TCP, TCP_RTO_MAX_MS)),
    userTimeout: known(native.getInt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT)),
    source: 'kernel',
  })
}

const known = (value: number): number | undefined => (value < 0 ? undefined : value)

let last = unsupported

/** The same object for the same values: thousands of sockets are tuned alike. */
function shared(applied: AppliedLiveness): AppliedLiveness {
  const fields = Object.keys(last) as (keyof AppliedLiveness)[]
  if (fields.some((field) => applied[field] !== last[field])) last = Object.freeze(applied)
  return last
}
