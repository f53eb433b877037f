/**
 * What holds between any two steps of a pool, whatever has happened: the caps, the accounts, the lists, the deadlines.
 */
import { expect } from 'vitest'
import { idleDeadline, untaughtAllowance } from '../../../src/keepalive/expiry.js'
import type { Connection } from '../../../src/pool/connection.js'
import type { OriginPool } from '../../../src/pool/origin-pool.js'
import type { CloseReason } from '../../../src/reasons.js'
import { statsOf } from '../../../src/telemetry/stats.js'
import { linkOf } from '../pool-rig.js'
import type { PoolModel } from './pool-model.js'

const STEPS_BETWEEN_ACCOUNTS = 5

const sumOf = <T>(items: Iterable<T>, number: (item: T) => number): number => {
  let sum = 0
  for (const item of items) sum += number(item)
  return sum
}

/** Everything that is wrong after a step. */
export function violationsOf(model: PoolModel): string[] {
  const found = model.violations
  const wrong = (what: string): void => model.violate(what)
  for (const origin of model.rig.core.origins) {
    checkCaps(model, origin, wrong)
    checkLine(model, origin, wrong)
    for (const connection of origin.connections) checkConnection(model, connection, wrong)
  }
  const { connections, ended } = model.books
  for (const id of ended) checkEnded(connections.get(id), wrong)
  ended.clear()
  checkSlots(model, wrong)
  // What was miscounted stays so.
  if (model.steps % STEPS_BETWEEN_ACCOUNTS === 0 || model.rig.core.closing) checkAccounts(model, wrong)
  checkLists(model, wrong)
  model.lessons.check(model.origins, wrong)
  model.deaths.check()
  if (model.rig.clock.timers > 1) wrong(`${model.rig.clock.timers} timers`)
  return found
}

type Wrong = (what: string) => void

function checkCaps(model: PoolModel, origin: OriginPool, wrong: Wrong): void {
  const { maxConnections, maxIdleConnections, maxWaiting, connect } = model.rig.core.options
  const { active, idle, dialing, waiting } = origin.state
  if (origin.size > maxConnections) wrong(`${origin.key} has ${origin.size} of ${maxConnections} connections`)
  const kept = idle - watchedOf(origin).length - suspectsOf(origin)
  if (kept > maxIdleConnections && settlingOf(origin) === 0) wrong(`${kept} idle of ${maxIdleConnections}`)
  const running = model.rig.dialer.running.filter(({ target }) => target === origin.target).length
  if (running > connect.concurrency) wrong(`${running} dials at once`)
  if (running > dialing) wrong(`${running} dials run, ${dialing} are counted`)
  if (running < Math.min(dialing, connect.concurrency)) wrong(`${running} dials run of ${dialing}, and more could`)
  const again = model.lines.at(origin).filter(({ comesAgain }) => comesAgain).length
  if (waiting - again > maxWaiting) wrong(`${waiting} waiting`)
  const states = [...origin.connections].map(({ state }) => state)
  if (states.includes('closed')) wrong('a closed connection is among the open ones')
  if (states.filter((state) => state === 'active').length !== active) wrong(`${active} active, not ${states}`)
  if (states.filter((state) => state !== 'active').length !== idle) wrong(`${idle} idle, ${states}`)
  const usable = states.filter((state) => state !== 'watched' && state !== 'suspect').length
  if (origin.usable !== usable) wrong(`${origin.usable} usable, ${states}`)
  if (model.rig.core.closing && states.some((state) => state === 'idle' || state === 'watched' || state === 'suspect'))
    wrong(`the pool is being closed, and connections are ${states}`)
  for (const connection of origin.connections)
    if (connection.state === 'active' && !model.holders.has(connection) && !connection.link.destroyed)
      wrong(`${connection.id} is active, and nobody has it`)
}

/** Nobody waits without need. */
function checkLine(model: PoolModel, origin: OriginPool, wrong: Wrong): void {
  const { core, clock } = model.rig
  const { maxConnections, maxTotalConnections, acquireTimeout } = core.options
  const { dialing, waiting } = origin.state
  const line = model.lines.at(origin)
  if (waiting !== line.length) wrong(`${waiting} are in line at ${origin.key}, it should be ${line.length}`)
  const forNew = model.lines.forNewAt(origin).length
  const idle = [...origin.connections].filter(({ state }) => state === 'idle').length
  const supply = dialing + settlingOf(origin)
  const isShort = waiting > supply || forNew > dialing
  const need = `${waiting} wait at ${origin.key}, ${forNew} of them for a new one; ${supply} come, ${dialing} of them new`
  if (isShort && idle > 0) wrong(`${need}; and ${idle} are idle`)
  if (isShort && watchedOf(origin).length > 0) wrong(`${need}; and one is watched`)
  // After a failed dial, with nothing open, the dials that are left decide.
  const decided = origin.connections.size === 0 && dialing > 0
  const capped = decided || origin.size >= maxConnections || core.slots.used >= maxTotalConnections
  if (isShort && origin.size >= maxConnections && suspectsOf(origin) > 0) wrong(`${need}; and one is suspect`)
  if (isShort && !capped) wrong(`${need}; and the caps allow more`)
  for (const { number, waitingSince } of line)
    if (acquireTimeout > 0 && clock.now() - waitingSince >= acquireTimeout) wrong(`${number} has waited for too long`)
}

function checkConnection(model: PoolModel, connection: Connection, wrong: Wrong): void {
  const { state, id } = connection
  const link = linkOf(connection)
  const now = model.rig.clock.now()
  if (link.parked !== (state !== 'active')) wrong(`${id} is ${state} and ${link.parked ? '' : 'not '}parked`)
  if ((connection.idleNode.list !== undefined) !== (state === 'idle')) wrong(`${id} is ${state} and in the wrong list`)
  if (link.gone) wrong(`${id} was let go and is still here`)
  if (state === 'watched') checkWatched(connection, now, wrong)
  if (state !== 'idle') return
  if (connection.wakeAt > idleDeadline(connection)) wrong(`${id} would not expire in time`)
  if (now >= idleDeadline(connection)) wrong(`${id} idles past its deadline`)
}

/** It is kept for no longer than it might have idled if nothing had been learned. */
function checkWatched(connection: Connection, now: number, wrong: Wrong): void {
  const { id, idleSince, lifetimeEndsAt, wakeAt, closeReason, answered } = connection
  if (closeReason !== undefined) wrong(`${id} is watched, and was to be closed: ${closeReason}`)
  if (answered === 0) wrong(`${id} is watched, and was never used`)
  const end = Math.min(idleSince + untaughtAllowance(connection), lifetimeEndsAt)
  if (wakeAt > end) wrong(`${id} would be watched for too long`)
  if (now >= end) wrong(`${id} is watched for too long`)
}

/** One that has ended is nowhere any more; `undefined` for one that did not last for a step. */
function checkEnded(connection: Connection | undefined, wrong: Wrong): void {
  if (connection === undefined) return
  const { id, state, link, place, wakeAt, idleNode, poolNode } = connection
  if (state !== 'closed') wrong(`${id} has ended and is ${state}`)
  if (place !== -1 || wakeAt !== Infinity) wrong(`${id} has ended and is on the agenda`)
  if (idleNode.list !== undefined || poolNode?.list !== undefined) wrong(`${id} has ended and is in a list`)
  if (!link.destroyed && !linkOf(connection).gone) wrong(`${id} has ended and its link is open`)
}

function checkSlots(model: PoolModel, wrong: Wrong): void {
  const { slots, origins, options, idle } = model.rig.core
  const size = sumOf(origins, (origin) => origin.size)
  if (slots.used !== size) wrong(`${slots.used} slots are taken for ${size} connections`)
  if (size > options.maxTotalConnections) wrong(`${size} of ${options.maxTotalConnections} connections in all`)
  const { next } = slots
  if (next === undefined) return
  if (slots.used < options.maxTotalConnections) wrong(`${next.key} waits for a slot, and one is free`)
  if (idle !== undefined && idle.size > 0) wrong(`${next.key} waits for a slot, and ${idle.size} connections idle`)
  for (const origin of model.rig.core.origins)
    if (origin.size === 0 && origin.state.waiting > 0 && next.size > 0)
      wrong(`${origin.key} has nothing and stands behind ${next.key}, which has ${next.size}`)
}

function checkAccounts(model: PoolModel, wrong: Wrong): void {
  const { core } = model.rig
  const { books } = model
  const stats = statsOf(core)
  const equal = (what: string, actual: number, expected: number): void => {
    if (actual !== expected) wrong(`${what}: ${actual}, it should be ${expected}`)
  }
  equal('requests', stats.requests, books.grants)
  equal('reused', stats.reused, books.reused)
  equal('replayed', stats.replayed, books.replayed)
  equal('waits', stats.waits, books.waits)
  equal('opened', stats.opened, books.opened)
  equal('dial failures', stats.dialFailures, books.dialFailures)
  equal('lifetime', stats.lifetime, books.lifetime)
  for (const [reason, count] of Object.entries(stats.closed))
    equal(reason, count, books.closed.get(reason as CloseReason) ?? 0)
  equal('open', stats.opened - sumOf(Object.values(stats.closed), (count) => count), stats.active + stats.idle)
  equal('dead', stats.closed.dead, model.deaths.dead)
  equal('waiting', stats.waiting, model.waiting.length)
  equal('pending', stats.pending, model.waiting.length + model.holders.size + model.dying.size)
}

/** The pool's own list of what is idle, watched and suspect ones among them, the least recently used one first. */
function checkLists(model: PoolModel, wrong: Wrong): void {
  const { idle, origins } = model.rig.core
  if (idle === undefined) return
  const listed = [...idle]
  const open = [...origins].flatMap(({ connections }) => [...connections])
  const all = open.filter(({ state }) => state === 'idle' || state === 'watched' || state === 'suspect')
  if (listed.length !== all.length || !all.every((each) => listed.includes(each)))
    wrong(`${listed.length} are in the list of the idle, ${all.length} are idle`)
  for (const [index, { idleSince }] of listed.entries())
    if (idleSince < (listed[index - 1]?.idleSince ?? 0)) wrong('the list of the idle is not in the order of their use')
}

/** Idle ones that are being looked at. */
function settlingOf(origin: OriginPool): number {
  return [...origin.connections].filter(({ state }) => state === 'settling').length
}

/** Those whose peer owes an answer. */
function suspectsOf(origin: OriginPool): number {
  return [...origin.connections].filter(({ state }) => state === 'suspect').length
}

/** Those that are kept to see when the server closes them. */
function watchedOf(origin: OriginPool): Connection[] {
  return [...origin.connections].filter(({ state }) => state === 'watched')
}

/** Nothing is left of a pool that was closed or destroyed. */
export function expectNothingLeft(model: PoolModel): void {
  const { core, clock, dialer } = model.rig
  expect(core.over).toBe(true)
  expect([core.slots.used, core.pending, model.waiting.length]).toEqual([0, 0, 0])
  expect([model.holders.size, model.dying.size]).toEqual([0, 0])
  for (const origin of core.origins) expect(origin.quiet).toBe(true)
  expect(dialer.running).toHaveLength(0)
  expect(core.slots.next).toBeUndefined()
  const { opened, closed, active, idle } = statsOf(core)
  expect([sumOf(Object.values(closed), (count) => count), active, idle]).toEqual([opened, 0, 0])
  // Two turns and half a minute for what looks lazily.
  clock.turn()
  clock.turn()
  clock.advance(40_000)
  expect([clock.timers, clock.turning]).toEqual([0, 0])
}
