import { describe, expect, it } from 'vitest'
import { AcquireTimeoutError, QueueFullError } from '../../src/errors.js'
import { idsOf, linkOf, PoolRig, passed } from '../support/pool-rig.js'

describe('a request that insists on a new connection', () => {
  it('has one opened for it though others are idle, and those stay', async () => {
    const rig = new PoolRig()
    await rig.idle(2)
    const waiter = rig.acquireNew()
    expect([waiter.waits, rig.dialer.running.length]).toEqual([true, 1])
    await rig.openAll()
    expect(waiter.connection).toMatchObject({ id: 3, reused: false, requests: 1 })
    expect(rig.origin().state).toMatchObject({ active: 1, idle: 2 })
    expect(rig.origin().counters).toMatchObject({ requests: 3, reused: 0, waits: 3 })
  })

  it('is not given one that was released meanwhile; that is kept', async () => {
    const rig = new PoolRig()
    const [busy] = await rig.connect(1)
    const waiter = rig.acquireNew()
    rig.release(busy!)
    expect([waiter.waits, busy!.state]).toEqual([true, 'idle'])
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it('is not given one that was given back unused', async () => {
    const rig = new PoolRig()
    const [unused] = await rig.connect(1)
    const waiter = rig.acquireNew()
    rig.origin().giveBack(unused!)
    expect(waiter.waits).toBe(true)
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it('has the first that is opened, also before those who came earlier and take any', async () => {
    const rig = new PoolRig()
    const others = rig.acquireMany(2)
    const waiter = rig.acquireNew()
    expect(rig.dialer.running).toHaveLength(3)
    rig.dialer.running[0]!.open()
    await passed()
    expect([waiter.grants.length, ...others.map(({ grants }) => grants.length)]).toEqual([1, 0, 0])
    await rig.openAll()
    expect(others.map(({ connection }) => connection.id)).toEqual([2, 3])
  })

  it('gets the dial that was under way for somebody who was served by another connection', async () => {
    const rig = new PoolRig()
    const [busy] = await rig.connect(1)
    const other = rig.acquire()
    rig.release(busy!)
    expect(other.connection).toBe(busy)
    const waiter = rig.acquireNew()
    expect(rig.dialer.running).toHaveLength(1)
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
    expect(rig.origin().size).toBe(2)
  })

  it('has one opened for it though an idle one is about to be free: that is looked at for somebody who has left', async () => {
    const rig = new PoolRig({}, { kernel: false })
    await rig.idle(1)
    rig.clock.advance(10)
    rig.origin().cancel(rig.acquire())
    expect(rig.origin().state).toMatchObject({ idle: 1, dialing: 0 })
    const waiter = rig.acquireNew()
    expect(rig.dialer.running).toHaveLength(1)
    rig.twoTurns()
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it('is served in the order of arrival among others of its kind, each by a connection of its own', async () => {
    const rig = new PoolRig()
    const waiters = [rig.acquireNew(), rig.acquireNew(), rig.acquireNew()]
    await rig.openAll()
    expect(waiters.map(({ connection }) => connection.id)).toEqual([1, 2, 3])
  })

  it('stands before later ones of its kind when it comes again', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [busy] = await rig.connect(1)
    const first = rig.acquire()
    const second = rig.acquireNew()
    rig.origin().cancel(first)
    first.wantsNew = true
    rig.acquire('a', first)
    rig.release(busy!)
    await rig.openAll()
    expect([first.grants.length, second.grants.length]).toEqual([1, 0])
  })

  it('is not looked at before its first write: nobody can have closed it', async () => {
    const rig = new PoolRig()
    const waiter = rig.acquireNew()
    await rig.openAll()
    const before = linkOf(waiter.connection).inspections
    rig.clock.advance(200)
    expect(rig.origin().confirm(waiter.connection, true)).toBe(true)
    expect(linkOf(waiter.connection)).toMatchObject({ inspections: before, underRequest: false })
  })
})

describe('at maxConnections, a request that insists on a new connection', () => {
  it('has an idle one make room, the one idle for longest', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const [first, second] = await rig.connect(2)
    rig.release(second!)
    rig.clock.advance(10)
    rig.release(first!)
    const waiter = rig.acquireNew()
    expect(rig.endings).toEqual([[2, 'surplus']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(3)
    expect(first!.state).toBe('idle')
  })

  it('has one make room as soon as it comes back, and no other', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const [first, second] = await rig.connect(2)
    const waiter = rig.acquireNew()
    expect(rig.dialer.running).toEqual([])
    rig.release(first!)
    expect(rig.endings).toEqual([[1, 'surplus']])
    rig.release(second!)
    expect(second!.state).toBe('idle')
    await rig.openAll()
    expect(waiter.connection.id).toBe(3)
  })

  it('has one make room that settled for somebody who has left', async () => {
    const rig = new PoolRig({ maxConnections: 1 }, { kernel: false })
    await rig.idle(1)
    rig.clock.advance(10)
    const other = rig.acquire()
    const waiter = rig.acquireNew()
    rig.origin().cancel(other)
    rig.twoTurns()
    expect(rig.endings).toEqual([[1, 'surplus']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it('is served when the connection breaks that was in use', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [busy] = await rig.connect(1)
    const waiter = rig.acquireNew()
    rig.origin().discard(busy!, new Error('broke'))
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it('and all the others are served one after the other, with no more connections than it takes', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    let [free] = await rig.connect(1)
    const insisting = [rig.acquire(), rig.acquireNew(), rig.acquireNew(), rig.acquire()].slice(1, 3)
    const givenNew: boolean[] = []
    for (const waiter of insisting) waiter.whenGranted = ({ reused }) => givenNew.push(!reused)
    for (let left = 3; left >= 0; left--) {
      rig.release(free!)
      await rig.openAll()
      expect(rig.origin()).toMatchObject({ size: 1, waiting: left })
      free = [...rig.origin().connections][0]
    }
    expect(givenNew).toEqual([true, true])
    expect(rig.dialer.dials).toHaveLength(3)
  })
})

describe('at maxTotalConnections, a request that insists on a new connection', () => {
  it('has the least recently used idle one make room, be it its own', async () => {
    const rig = new PoolRig({ maxTotalConnections: 2 })
    await rig.idle(1, 'a')
    rig.clock.advance(10)
    await rig.idle(1, 'b')
    const waiter = rig.acquireNew('a')
    expect(rig.endings).toEqual([[1, 'surplus']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(3)
  })

  it("has its origin's connection make room when that comes back", async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    const [busy] = await rig.connect(1)
    const waiter = rig.acquireNew()
    rig.release(busy!)
    expect(rig.endings).toEqual([[1, 'surplus']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it("has another origin's connection make room when that comes back", async () => {
    const rig = new PoolRig({ maxTotalConnections: 2 })
    const [other] = await rig.connect(1, 'b')
    await rig.connect(1, 'a')
    const waiter = rig.acquireNew('a')
    rig.release(other!)
    expect(rig.endings).toEqual([[1, 'surplus']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(3)
  })

  it('keeps no connection that is of no use to it from an origin that waits for the slot', async () => {
    const rig = new PoolRig({ maxTotalConnections: 2 })
    const [busy] = await rig.connect(1, 'a')
    const [other] = await rig.connect(1, 'c')
    rig.clock.advance(1)
    const more = rig.acquire('c')
    const waiter = rig.acquireNew('a')
    rig.release(busy!)
    expect(rig.endings).toEqual([[1, 'surplus']])
    await rig.openAll()
    expect([more.grants.length, waiter.grants.length]).toEqual([1, 0])
    rig.release(other!)
    await rig.openAll()
    expect(waiter.connection.origin.key).toBe('http://a')
  })
})

describe('a request that insists on a new connection is refused', () => {
  it('when its dial fails, though another is idle, which stays so', async () => {
    const rig = new PoolRig()
    await rig.idle(1)
    const waiter = rig.acquireNew()
    const error = rig.dialer.running[0]!.fail()
    await passed()
    expect(waiter.refusals).toEqual([error])
    expect(rig.origin().state).toMatchObject({ idle: 1, dialing: 0, waiting: 0 })
  })

  it('one for each dial that fails, the first first, while something is open', async () => {
    const rig = new PoolRig()
    await rig.connect(1)
    const [first, second] = [rig.acquireNew(), rig.acquireNew()]
    const error = rig.dialer.running[1]!.fail()
    await passed()
    expect([first.refusals, second.refusals]).toEqual([[error], []])
    await rig.openAll()
    expect(second.grants).toHaveLength(1)
  })

  it('not, when a dial is left for it', async () => {
    const rig = new PoolRig()
    await rig.connect(1)
    const other = rig.acquire()
    const insisting = rig.acquireNew()
    const error = rig.dialer.running[0]!.fail()
    await passed()
    expect([other.refusals, insisting.refusals]).toEqual([[error], []])
    await rig.openAll()
    expect(insisting.connection.id).toBe(2)
  })

  it('with all the others when nothing is open and nothing under way', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const other = rig.acquire()
    const insisting = [rig.acquireNew(), rig.acquireNew()]
    const error = rig.dialer.running[0]!.fail()
    await passed()
    for (const { refusals } of [other, ...insisting]) expect(refusals).toEqual([error])
    expect(rig.origin().quiet).toBe(true)
  })

  it('at 250 ms of acquireTimeout 250, not at 249, with the number of all who wait', async () => {
    const rig = new PoolRig({ maxConnections: 1, acquireTimeout: 250 })
    await rig.connect(1)
    const waiter = rig.acquireNew()
    rig.clock.advance(100)
    rig.acquire()
    rig.clock.advance(149)
    expect(waiter.waits).toBe(true)
    rig.clock.advance(1)
    expect(waiter.refusals).toMatchObject([{ waited: 250, state: { active: 1, waiting: 2 } }])
    expect(waiter.refusals[0]).toBeInstanceOf(AcquireTimeoutError)
    expect(rig.origin().waiting).toBe(1)
  })

  it('when as many wait as may, in one line and the other', async () => {
    const rig = new PoolRig({ maxConnections: 1, maxWaiting: 2 })
    await rig.connect(1)
    rig.acquire()
    const [taken, refused] = [rig.acquireNew(), rig.acquireNew()]
    const alsoRefused = rig.acquire()
    expect([taken.waits, rig.origin().waiting]).toEqual([true, 2])
    for (const { refusals } of [refused, alsoRefused]) expect(refusals[0]).toBeInstanceOf(QueueFullError)
  })

  it('not for a full line when it comes again: it had its place', async () => {
    const rig = new PoolRig({ maxConnections: 1, maxWaiting: 1 })
    const [busy] = await rig.connect(1)
    const again = rig.acquire()
    rig.release(busy!)
    expect(again.connection).toBe(busy)
    const waiter = rig.acquire()
    again.wantsNew = true
    rig.origin().discard(again.connection, new Error('died'))
    rig.acquire('a', again)
    await rig.openAll()
    expect(again.grants).toHaveLength(2)
    expect(waiter.refusals).toEqual([])
  })

  it('when the pool is destroyed', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    await rig.connect(1)
    const waiter = rig.acquireNew()
    const error = new Error('enough')
    void rig.core.destroy(error)
    expect(waiter.refusals).toEqual([error])
    expect(rig.acquireNew().refusals).toEqual([error])
    expect(rig.dialer.running).toEqual([])
  })
})

describe('a request that insists on a new connection and leaves', () => {
  it('is not served any more; what was opened for it is kept for others', async () => {
    const rig = new PoolRig()
    await rig.connect(1)
    const waiter = rig.acquireNew()
    rig.origin().cancel(waiter)
    expect(rig.origin().waiting).toBe(0)
    await rig.openAll()
    expect([waiter.grants, waiter.refusals]).toEqual([[], []])
    expect(rig.acquire().connection.id).toBe(2)
  })

  it('takes no connection with it when nothing was opened for it yet', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [busy] = await rig.connect(1)
    rig.origin().cancel(rig.acquireNew())
    rig.release(busy!)
    expect(rig.origin().state).toMatchObject({ idle: 1, dialing: 0 })
    expect(rig.endings).toEqual([])
  })

  it('needs no slot any more', async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    const [busy] = await rig.connect(1, 'b')
    rig.origin('a').cancel(rig.acquireNew('a'))
    expect(rig.core.slots.next).toBeUndefined()
    rig.release(busy!)
    expect(busy!.state).toBe('idle')
  })
})

describe('while the pool is being closed, a request that insists on a new connection', () => {
  it('is served, and nothing else is kept until then', async () => {
    const rig = new PoolRig()
    const [busy] = await rig.connect(1)
    const waiter = rig.acquireNew()
    let closed = false
    void rig.core.close().then(() => (closed = true))
    rig.release(busy!)
    expect(rig.endings).toEqual([[1, 'pool-closed']])
    await rig.openAll()
    rig.release(waiter.connection)
    await passed()
    expect(closed).toBe(true)
  })

  it('keeps its dial', async () => {
    const rig = new PoolRig()
    await rig.idle(1)
    const waiter = rig.acquireNew()
    void rig.core.close()
    expect(rig.endings).toEqual([[1, 'pool-closed']])
    expect(rig.dialer.running).toHaveLength(1)
    await rig.openAll()
    expect(waiter.grants).toHaveLength(1)
  })
})

describe('both lines together', () => {
  it('are counted, told and drained as one', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const connections = await rig.connect(2)
    const told: number[] = []
    rig.core.events.on('wait', ({ waiting }) => told.push(waiting))
    let drained = 0
    rig.core.listen({ opened() {}, ended() {}, dialFailed() {}, drained: () => drained++ })
    rig.acquire()
    rig.acquireNew()
    expect(told).toEqual([1, 2])
    expect(rig.origin()).toMatchObject({ waiting: 2, congested: true })
    expect(rig.origin().state.waiting).toBe(2)
    rig.origin().needDrain = true
    for (const connection of connections) rig.release(connection)
    expect([rig.origin().waiting, drained]).toEqual([1, 0])
    await rig.openAll()
    expect([rig.origin().waiting, drained]).toEqual([0, 1])
  })

  it('have connections opened for them as if they were one', async () => {
    const rig = new PoolRig({ maxConnections: 4 })
    rig.acquireMany(2)
    rig.acquireNew()
    rig.acquire()
    rig.acquireNew()
    expect(rig.origin().state).toMatchObject({ dialing: 4, waiting: 5 })
  })

  it('are looked at anew when one was opened for the one: a failure had held up the other', async () => {
    const rig = new PoolRig({ maxConnections: 3 })
    rig.acquireMany(3)
    const insisting = rig.acquireNew()
    rig.dialer.running[0]!.fail()
    await passed()
    expect(rig.origin().state).toMatchObject({ dialing: 2, waiting: 3 })
    rig.dialer.running[0]!.open()
    await passed()
    expect(insisting.grants).toHaveLength(1)
    expect(rig.origin().state).toMatchObject({ active: 1, dialing: 2, waiting: 2 })
  })

  it('leave the connection to the one that can use it', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const [first, second] = await rig.connect(2)
    const insisting = rig.acquireNew()
    const other = rig.acquire()
    rig.release(first!)
    rig.release(second!)
    expect(other.connection).toBe(second)
    expect(rig.endings).toEqual([[1, 'surplus']])
    await rig.openAll()
    expect(idsOf([insisting.connection])).toEqual([3])
  })
})
