import { describe, expect, it } from 'vitest'
import { AcquireTimeoutError } from '../../src/errors.js'
import { FakeWaiter } from '../support/fake-links.js'
import { linkOf, PoolRig, passed } from '../support/pool-rig.js'

describe('acquireTimeout', () => {
  it('250 refuses at 250 ms, not at 249', async () => {
    const rig = new PoolRig({ maxConnections: 1, acquireTimeout: 250 })
    await rig.connect(1)
    const waiter = rig.acquire()
    rig.clock.advance(249)
    expect(waiter.waits).toBe(true)
    rig.clock.advance(1)
    expect(waiter.refusals).toHaveLength(1)
    expect(waiter.refusals[0]).toBeInstanceOf(AcquireTimeoutError)
    expect(waiter.refusals[0]).toMatchObject({
      code: 'ERR_KEEPWISE_ACQUIRE_TIMEOUT',
      waited: 250,
      state: { origin: 'http://a', active: 1, idle: 0, dialing: 0, waiting: 1, maxConnections: 1 },
      message:
        'No connection to http://a within 250 ms (1 active, 0 idle, 0 dialing of at most 1 connections; 1 waiting). ' +
        'Raise maxConnections or acquireTimeout, send fewer requests at once, or make sure response bodies are read.',
    })
  })

  it('counts for each from its own arrival', async () => {
    const rig = new PoolRig({ maxConnections: 1, acquireTimeout: 250 })
    await rig.connect(1)
    const first = rig.acquire()
    rig.clock.advance(100)
    const second = rig.acquire()
    rig.clock.advance(150)
    expect([first.refusals.length, second.refusals.length]).toEqual([1, 0])
    rig.clock.advance(99)
    expect(second.waits).toBe(true)
    rig.clock.advance(1)
    expect(second.refusals).toHaveLength(1)
  })

  it('refuses while the dial for it hangs, and what the dial brings later is kept for others', async () => {
    const rig = new PoolRig({ acquireTimeout: 250 })
    const waiter = rig.acquire()
    rig.clock.advance(250)
    expect(waiter.refusals).toHaveLength(1)
    await rig.openAll()
    expect(rig.acquire().connection.id).toBe(1)
  })

  it('has the last connect error as its cause', async () => {
    const rig = new PoolRig({ maxConnections: 2, acquireTimeout: 250 })
    await rig.connect(1)
    const [first, second] = rig.acquireMany(2)
    const error = rig.dialer.running[0]!.fail()
    await passed()
    expect(first!.refusals).toEqual([error])
    rig.clock.advance(250)
    expect(second!.refusals[0]!.cause).toBe(error)
  })

  it('0 never refuses', async () => {
    const rig = new PoolRig({ maxConnections: 1, acquireTimeout: 0 })
    await rig.connect(1)
    const waiter = rig.acquire()
    rig.clock.advance(6 * 3_600_000)
    expect(waiter.waits).toBe(true)
  })

  it('does not touch one that was served, or left, in time', async () => {
    const rig = new PoolRig({ maxConnections: 1, acquireTimeout: 250 })
    const [connection] = await rig.connect(1)
    const served = rig.acquire()
    const left = rig.acquire()
    rig.clock.advance(100)
    rig.release(connection!)
    rig.origin().cancel(left)
    rig.clock.advance(1_000)
    expect([served.refusals, left.refusals]).toEqual([[], []])
  })

  it('holds for one who comes when the line was empty for a while', async () => {
    const rig = new PoolRig({ maxConnections: 1, acquireTimeout: 250 })
    await rig.connect(1)
    rig.origin().cancel(rig.acquire())
    rig.clock.advance(200)
    const waiter = rig.acquire()
    rig.clock.advance(249)
    expect(waiter.waits).toBe(true)
    rig.clock.advance(1)
    expect(waiter.refusals).toHaveLength(1)
  })

  it('counts from the first arrival of a request whose connection broke before it was sent', async () => {
    const rig = new PoolRig({ maxConnections: 1, acquireTimeout: 250 })
    const [connection] = await rig.idle(1)
    const waiter = rig.acquire()
    rig.clock.advance(100)
    linkOf(connection!).ends({ fin: true })
    rig.acquire('a', waiter)
    rig.clock.advance(149)
    expect(waiter.refusals).toEqual([])
    rig.clock.advance(1)
    expect(waiter.refusals).toHaveLength(1)
  })

  it('counts from the later time of one who was served in between, and comes again before all others', async () => {
    const rig = new PoolRig({ maxConnections: 1, acquireTimeout: 250 })
    const [busy] = await rig.connect(1)
    const again = rig.acquire()
    const others = rig.acquireMany(2)
    rig.release(busy!)
    expect(again.connection).toBe(busy)
    rig.clock.advance(100)
    rig.origin().discard(busy!, new Error('died'))
    again.waitingSince = rig.clock.now()
    rig.acquire('a', again)
    // Its place is the first; its time is over 100 ms after that of those behind it.
    rig.clock.advance(149)
    expect(others.map(({ refusals }) => refusals.length)).toEqual([0, 0])
    rig.clock.advance(1)
    expect(others).toMatchObject([{ refusals: [{ waited: 250 }] }, { refusals: [{ waited: 250 }] }])
    expect(again.refusals).toEqual([])
    rig.clock.advance(99)
    expect(again.refusals).toEqual([])
    rig.clock.advance(1)
    expect(again.refusals).toMatchObject([{ waited: 250 }])
    expect(rig.origin().waiting).toBe(0)
  })

  it('looks behind several who came again', async () => {
    const rig = new PoolRig({ maxConnections: 1, acquireTimeout: 250 })
    const [busy] = await rig.connect(1)
    const again = rig.acquireMany(3)
    for (const waiter of again) {
      rig.release(busy!)
      expect(waiter.connection).toBe(busy)
    }
    const first = rig.acquire()
    const second = rig.acquire()
    rig.clock.advance(50)
    // They come in another order, and each later.
    for (const waiter of [again[2]!, again[0]!, again[1]!]) {
      rig.clock.advance(50)
      waiter.waitingSince = rig.clock.now()
      rig.acquire('a', waiter)
    }
    const waits = (): boolean[] => [first, second, ...again].map(({ refusals }) => refusals.length === 0)
    rig.clock.advance(49)
    expect(waits()).toEqual([true, true, true, true, true])
    rig.clock.advance(1)
    expect(waits()).toEqual([false, false, true, true, true])
    rig.clock.advance(100)
    expect(waits()).toEqual([false, false, true, true, false])
    rig.clock.advance(50)
    expect(waits()).toEqual([false, false, false, true, false])
    rig.clock.advance(50)
    expect(waits()).toEqual([false, false, false, false, false])
  })

  it('refuses a thousand together with one timer', async () => {
    const rig = new PoolRig({ maxConnections: 1, acquireTimeout: 250 })
    await rig.connect(1)
    const waiters = rig.acquireMany(1_000)
    expect(rig.clock.timers).toBe(1)
    rig.clock.advance(250)
    expect(waiters.every(({ refusals }) => refusals.length === 1)).toBe(true)
  })

  it('lets a request that a refusal brings wait in its turn', async () => {
    const rig = new PoolRig({ maxConnections: 1, acquireTimeout: 250 })
    await rig.connect(1)
    const waiter = rig.acquire()
    const retry = new FakeWaiter()
    waiter.whenRefused = () => void rig.acquire('a', retry)
    rig.clock.advance(499)
    expect([waiter.refusals.length, retry.waits]).toEqual([1, true])
    rig.clock.advance(1)
    expect(retry.refusals).toHaveLength(1)
  })
})
