/**
 * What must be true of a connection when it is granted, and when a request is written on it. Knows when connections came
 * back, and who has looked at them since.
 */
import { idleAllowance } from '../../../src/keepalive/expiry.js'
import { isDoubtful } from '../../../src/keepalive/reuse.js'
import type { Connection } from '../../../src/pool/connection.js'
import { modelLinkOf } from './link.js'

type Wrong = (what: string) => void

/** Milliseconds after which a response may have waited for a blocked event loop, with a FIN behind it. */
const LONG_EXCHANGE = 500
/** Milliseconds of idling after which a connection is looked at once more just before the write. */
const LONG_IDLE = 100

export class GrantChecks {
  /** When connections came back last, and whether that itself was a reason to look at them. */
  readonly #back = new Map<Connection, { at: number; step: number; looked: boolean }>()
  /** In which step connections were seen settling last. */
  readonly #settledIn = new Map<Connection, number>()

  /** A response was complete: after a long exchange the connection is looked at. */
  answered(connection: Connection, at: number, step: number): void {
    this.#back.set(connection, { at, step, looked: at - connection.grantedAt >= LONG_EXCHANGE })
  }

  /** It came back unused: the kernel is asked; where there is none it was looked at in its grant, if that is now. */
  unused(connection: Connection, at: number, step: number): void {
    const looked = modelLinkOf(connection).kernel !== undefined || at > connection.grantedAt
    this.#back.set(connection, { at, step, looked })
  }

  settling(connection: Connection, step: number): void {
    this.#settledIn.set(connection, step)
  }

  /**
   * Nothing is granted that is over, past its allowance, or that the kernel would have warned of.
   *
   * @param left requests that its server still permits
   */
  granted(connection: Connection, left: number, now: number, wrong: Wrong): void {
    const link = modelLinkOf(connection)
    if (connection.state !== 'active') wrong(`it is ${connection.state}`)
    if (link.destroyed || link.gone) wrong('its link is destroyed')
    if (link.parked) wrong('its link is parked')
    if (connection.remaining < 1 || left < 1) wrong('the server permits no more requests')
    if (left === 1 && connection.closeReason !== 'advertised-max')
      wrong('this is the last request, and it does not know')
    // A new one cannot be too old.
    if (!connection.reused || now === connection.openedAt) return
    if (now >= connection.lifetimeEndsAt) wrong('its lifetime is over')
    const allowed = idleAllowance(connection)
    if (now - connection.idleSince >= allowed) wrong(`it idled for ${now - connection.idleSince} of ${allowed} ms`)
    this.#lookedAt(connection, allowed, now, wrong)
  }

  /** In the millisecond in which it came back nobody needs to look, unless that itself was a reason to. */
  #lookedAt(connection: Connection, allowed: number, now: number, wrong: Wrong): void {
    const { at, step, looked } = this.#back.get(connection) ?? { at: connection.openedAt, step: 0, looked: false }
    if (now === at && !looked) return
    const link = modelLinkOf(connection)
    if (link.kernel === undefined) {
      if ((this.#settledIn.get(connection) ?? -1) < step) wrong('nobody has looked at it')
      return
    }
    const isExcused = link.excusedAt === now
    if (link.faulty && !isExcused && (now > at || link.faultStep < step)) wrong('the kernel knew better')
    const silent = now - link.lastDataAt
    if (silent >= allowed) wrong(`its last data came ${silent} ms ago, allowed ${allowed}`)
  }

  /** Nothing is written on one that has idled, and of which it is known by now that it is over. */
  written(connection: Connection, now: number, wrong: Wrong): void {
    const idle = now - connection.idleSince
    if (!connection.reused || now === connection.grantedAt || idle < LONG_IDLE) return
    if (modelLinkOf(connection).faulty) wrong('the kernel knew better')
    if (idle >= idleAllowance(connection)) wrong(`it idled for ${idle} ms`)
  }
}

/** Of several idle connections the chosen one is that which `scheduling` says. */
export function checkChoice(
  chosen: Connection | undefined,
  idle: readonly Connection[],
  scheduling: 'lifo' | 'fifo',
  wrong: Wrong,
): void {
  if (chosen === undefined || !idle.includes(chosen)) return
  const better = idle.find(({ state, idleSince }) => {
    const first = scheduling === 'lifo' ? idleSince > chosen.idleSince : idleSince < chosen.idleSince
    return state === 'idle' && first
  })
  if (better !== undefined) wrong(`${better.id} was before it`)
}

/** One that must not be repeated is given no connection that is in doubt, when it is the first choice and another could be opened. */
export function checkNoDoubt(
  chosen: Connection | undefined,
  idle: readonly Connection[],
  now: number,
  wrong: Wrong,
): void {
  if (chosen === undefined || idle.length !== 1 || idle[0] !== chosen) return
  if (isDoubtful(chosen, chosen.link.provable, now)) wrong(`it idled for ${now - chosen.idleSince} ms`)
}
