import { describe, expect, it } from 'vitest'
import { ConnectError } from '../../src/errors.js'
import { codedError, FakeWaiter } from '../support/fake-links.js'
import { linkOf, PoolRig, passed } from '../support/pool-rig.js'

describe('a connect failure', () => {
  it('fails everybody in line with its error when nothing else is open or under way', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const waiters = rig.acquireMany(5)
    const error = rig.dialer.running[0]!.fail()
    await passed()
    for (const waiter of waiters) expect(waiter.refusals).toEqual([error])
    expect(rig.dialer.dials).toHaveLength(1)
    expect(rig.origin().state).toMatchObject({ active: 0, idle: 0, dialing: 0, waiting: 0 })
    expect(rig.core.slots.used).toBe(0)
  })

  it('fails only the first in line while other dials are under way, and the last of these fails the rest', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const waiters = rig.acquireMany(5)
    rig.dialer.running[0]!.fail()
    await passed()
    expect(waiters.map(({ refusals }) => refusals.length)).toEqual([1, 0, 0, 0, 0])
    // No new dial for the others: the one that is left decides.
    expect(rig.dialer.dials).toHaveLength(2)
    const last = rig.dialer.running[0]!.fail(codedError('EHOSTUNREACH'))
    await passed()
    for (const waiter of waiters.slice(1)) expect(waiter.refusals).toEqual([last])
  })

  it('fails only the first in line while a connection is open, and one more is dialed for the others', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const [busy] = await rig.connect(1)
    const [first, second] = rig.acquireMany(2)
    rig.dialer.running[0]!.fail()
    await passed()
    expect([first!.refusals.length, second!.refusals.length]).toEqual([1, 0])
    expect(rig.dialer.running).toHaveLength(1)
    rig.release(busy!)
    expect(second!.connection.id).toBe(busy!.id)
  })

  it('fails nobody when what is under way is enough for all in line', async () => {
    const rig = new PoolRig()
    const [busy] = await rig.connect(1)
    const [first, second] = rig.acquireMany(2)
    rig.release(busy!)
    expect(first!.connection.id).toBe(1)
    // Two dials, one waiter.
    rig.dialer.running[0]!.fail()
    await passed()
    expect(second!.waits).toBe(true)
    await rig.openAll()
    expect(second!.connection.id).toBe(2)
  })

  it('fails nobody when nobody waits any more', async () => {
    const rig = new PoolRig()
    rig.origin().cancel(rig.acquire())
    rig.dialer.running[0]!.fail()
    await passed()
    expect(rig.origin().counters.dialFailures).toBe(1)
    expect(rig.origin().quiet).toBe(true)
  })

  it('has as its cause what the origin was like: code, state, time', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    rig.acquireMany(2)
    rig.clock.advance(120)
    const error = rig.dialer.running[0]!.fail(codedError('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1'))
    await passed()
    expect(error.cause).toBeInstanceOf(ConnectError)
    expect(error.cause).toMatchObject({
      code: 'ERR_KEEPWISE_CONNECT',
      elapsed: 120,
      state: { origin: 'http://a', active: 0, dialing: 0, waiting: 2 },
      message:
        'Could not connect to http://a: connect ECONNREFUSED 127.0.0.1:1 after 120 ms ' +
        '(0 active, 0 idle, 0 dialing of at most 1 connections; 2 waiting).',
    })
  })

  it('keeps the cause it already has', async () => {
    const rig = new PoolRig()
    rig.acquire()
    const cause = new Error('deeper')
    const error = rig.dialer.running[0]!.fail(new Error('failed', { cause }))
    await passed()
    expect(error.cause).toBe(cause)
  })

  it('is named by its code where it has no message, as the one of several addresses has', async () => {
    const rig = new PoolRig()
    rig.acquire()
    const error = rig.dialer.running[0]!.fail(codedError('ECONNREFUSED', ''))
    await passed()
    expect((error.cause as Error).message).toContain('ECONNREFUSED after 0 ms')
  })

  it('does not fail what its victims send in its place: that is dialed for anew', async () => {
    const rig = new PoolRig()
    const first = rig.acquire()
    const retry = new FakeWaiter()
    first.whenRefused = () => void rig.acquire('a', retry)
    rig.dialer.running[0]!.fail()
    await passed()
    expect(retry.refusals).toEqual([])
    await rig.openAll()
    expect(retry.connection.id).toBe(1)
  })

  it('leaves no slot taken, and the next request dials again', async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    rig.acquire()
    rig.dialer.running[0]!.fail()
    await passed()
    const waiter = rig.acquire()
    await rig.openAll()
    expect(waiter.connection.id).toBe(1)
    rig.release(waiter.connection)
    expect(linkOf(waiter.connection).parked).toBe(true)
  })
})
