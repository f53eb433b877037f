import { describe, expect, it } from 'vitest'
import { QueueFullError } from '../../src/errors.js'
import { codedError, FakeWaiter } from '../support/fake-links.js'
import { linkOf, PoolRig, passed } from '../support/pool-rig.js'

describe('the line of an origin', () => {
  it('is served in the order of arrival', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const order: number[] = []
    const waiters = Array.from({ length: 5 }, (_, index) => {
      const waiter = new FakeWaiter()
      waiter.whenGranted = () => void order.push(index)
      return rig.acquire('a', waiter)
    })
    for (let n = 0; n < 5; n++) {
      expect(order).toHaveLength(n)
      rig.release(connection!)
    }
    expect(order).toEqual([0, 1, 2, 3, 4])
    expect(waiters.every(({ grants }) => grants.length === 1)).toBe(true)
  })

  it('is not overtaken by one who comes while a connection is handed over', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const [first, second] = rig.acquireMany(2)
    const late = new FakeWaiter()
    first!.whenGranted = () => void rig.acquire('a', late)
    rig.release(connection!)
    rig.release(connection!)
    expect([second!.grants.length, late.waits]).toEqual([1, true])
    rig.release(connection!)
    expect(late.connection.id).toBe(connection!.id)
  })

  it('is in the order of arrival, also for one who comes from within the arrival of another', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.idle(1)
    rig.clock.advance(10)
    linkOf(connection!).kernel!.established = false
    const inner = new FakeWaiter()
    rig.core.events.on('close', () => void rig.acquire('a', inner))
    const outer = rig.acquire()
    await rig.openAll()
    expect([outer.grants.length, inner.grants.length]).toEqual([1, 0])
  })

  it('counts who waited, and for how long', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    rig.acquireMany(2)
    rig.clock.advance(30)
    rig.release(connection!)
    rig.clock.advance(40)
    rig.release(connection!)
    expect(rig.origin().counters).toMatchObject({ waits: 3, waitTime: 30 + 70, requests: 3, reused: 2 })
  })

  it('tells of each who has to wait, with their number', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const told: unknown[] = []
    rig.core.events.on('wait', (event) => told.push(event))
    rig.acquireMany(3)
    expect(told).toEqual([1, 2, 3].map((waiting) => ({ origin: 'http://a', waiting })))
  })

  it('takes maxWaiting requests, 3, and refuses the fourth at once', async () => {
    const rig = new PoolRig({ maxConnections: 1, maxWaiting: 3 })
    await rig.connect(1)
    const waiters = rig.acquireMany(3)
    const fourth = rig.acquire()
    expect(waiters.every(({ waits }) => waits)).toBe(true)
    expect(fourth.refusals).toHaveLength(1)
    expect(fourth.refusals[0]).toBeInstanceOf(QueueFullError)
    expect(fourth.refusals[0]).toMatchObject({
      code: 'ERR_KEEPWISE_QUEUE_FULL',
      state: { origin: 'http://a', active: 1, idle: 0, dialing: 0, waiting: 3, maxConnections: 1 },
      message:
        'Too many requests wait for http://a: maxWaiting is 3 (1 active, 0 idle, 0 dialing of at most 1 connections; ' +
        '3 waiting). Send fewer requests at once, or raise maxConnections or maxWaiting.',
    })
    expect(rig.origin().counters.waits).toBe(4)
  })

  it('has room again when one is served, or leaves', async () => {
    const rig = new PoolRig({ maxConnections: 1, maxWaiting: 1 })
    const [connection] = await rig.connect(1)
    const first = rig.acquire()
    rig.release(connection!)
    const second = rig.acquire()
    expect([first.grants.length, second.waits]).toEqual([1, true])
    rig.origin().cancel(second)
    expect(rig.acquire().waits).toBe(true)
  })

  it('counts the limit for each origin', async () => {
    const rig = new PoolRig({ maxConnections: 1, maxWaiting: 1 })
    await rig.connect(1, 'a')
    await rig.connect(1, 'b')
    expect([rig.acquire('a').waits, rig.acquire('b').waits]).toEqual([true, true])
  })

  it('is congested while more wait than connections are on their way', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const origin = rig.origin()
    rig.acquireMany(2)
    expect(origin.congested).toBe(false)
    rig.acquire()
    expect(origin.congested).toBe(true)
  })
})

describe('a request that leaves the line', () => {
  it('is not served any more, and the one behind it is', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const [first, second, third] = rig.acquireMany(3)
    rig.origin().cancel(second!)
    rig.release(connection!)
    rig.release(connection!)
    expect([first, second, third].map((waiter) => waiter!.grants.length)).toEqual([1, 0, 1])
    expect(second!.refusals).toEqual([])
  })

  it('can do so twice, and after it was served', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiter = rig.acquire()
    rig.origin().cancel(waiter)
    rig.origin().cancel(waiter)
    rig.release(connection!)
    const served = rig.acquire()
    rig.origin().cancel(served)
    expect(rig.origin().state).toMatchObject({ active: 1, waiting: 0 })
  })

  it('may be the last: those who were told to hold back hear of it, once', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const nothing = (): void => {}
    let drained = 0
    rig.core.listen({ opened: nothing, ended: nothing, dialFailed: nothing, drained: () => drained++ })
    await rig.connect(1)
    const waiters = rig.acquireMany(2)
    rig.origin().needDrain = true
    rig.origin().cancel(waiters[0]!)
    expect(drained).toBe(0)
    rig.origin().cancel(waiters[1]!)
    rig.origin().cancel(rig.acquire())
    expect(drained).toBe(1)
  })
})

describe('a request whose connection broke before anything was sent', () => {
  it('stands in front when it comes again, even where the line is full', async () => {
    const rig = new PoolRig({ maxConnections: 1, maxWaiting: 1 })
    await rig.idle(1)
    const again = rig.acquire()
    const other = rig.acquire()
    linkOf(again.connection).ends({ fin: true })
    rig.acquire('a', again)
    expect(again.refusals).toEqual([])
    await rig.openAll()
    expect([again.grants.length, other.waits]).toEqual([2, true])
  })

  it('stands in a line that is full, though nobody has come after it', async () => {
    const rig = new PoolRig({ maxConnections: 2, maxWaiting: 1 })
    await rig.idle(1)
    const kept = rig.acquire()
    await rig.connect(1)
    rig.release(kept.connection)
    rig.release([...rig.origin().connections][1]!)
    const waiters = rig.acquireMany(2)
    const connections = waiters.map(({ connection }) => connection)
    for (const connection of connections) linkOf(connection).ends({ fin: true })
    for (const waiter of waiters) rig.acquire('a', waiter)
    expect(waiters.map(({ refusals }) => refusals.length)).toEqual([0, 0])
    await rig.openAll()
    expect(waiters.map(({ grants }) => grants.length)).toEqual([2, 2])
  })

  it('stands behind others of its kind that are older', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const connections = await rig.idle(2)
    const older = rig.acquire()
    rig.clock.advance(5)
    const younger = rig.acquire()
    rig.acquire()
    for (const connection of connections) linkOf(connection).ends({ fin: true })
    rig.acquire('a', older)
    rig.acquire('a', younger)
    rig.dialer.running[0]!.open()
    await passed()
    expect([older.grants.length, younger.grants.length]).toEqual([2, 1])
  })
})

describe('a connection that is given back because nothing was sent on it', () => {
  it('goes to the next in line, and does not count as a request', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiter = rig.acquire()
    rig.origin().giveBack(connection!)
    expect(waiter.connection.id).toBe(connection!.id)
    expect(connection!.requests).toBe(1)
    expect(rig.origin().counters).toMatchObject({ requests: 1, reused: 0 })
  })

  it('goes to the last of 10 000 in line when all before it give it back within their grant', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiters = rig.acquireMany(10_000)
    for (const waiter of waiters.slice(0, -1)) waiter.whenGranted = (given) => rig.origin().giveBack(given)
    rig.release(connection!)
    expect(waiters.every(({ grants }) => grants.length === 1)).toBe(true)
    expect(waiters.at(-1)!.connection.state).toBe('active')
    expect(rig.origin().counters.requests).toBe(2)
    expect(rig.endings).toEqual([])
  })

  it('is kept where nobody waits, also when only those that somebody waits for are kept to be handed on', async () => {
    const rig = new PoolRig({ maxConnections: 1, maxIdleConnections: 0 })
    const [connection] = await rig.connect(1)
    const waiters = rig.acquireMany(3)
    for (const waiter of waiters.slice(0, 2)) waiter.whenGranted = (given) => rig.origin().giveBack(given)
    rig.release(connection!)
    expect(waiters[2]!.connection.id).toBe(connection!.id)
    rig.origin().giveBack(connection!)
    expect(rig.endings).toEqual([[1, 'surplus']])
  })

  it('is looked at again before the next in line has it, if it took until its time was over', async () => {
    const rig = new PoolRig({ maxConnections: 1, keepAliveMargin: 50 })
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=5')
    expect(rig.acquire().connection.id).toBe(connection!.id)
    const next = rig.acquire()
    rig.clock.block(4_950)
    rig.origin().giveBack(connection!)
    expect(rig.endings).toEqual([[1, 'advertised-timeout']])
    await rig.openAll()
    expect(next.connection.id).toBe(2)
  })

  it('is closed if it was to retire', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    connection!.retire('server-close')
    rig.origin().giveBack(connection!)
    expect(rig.endings).toEqual([[1, 'server-close']])
  })
})

describe('what a caller does while it is served', () => {
  it('cannot stop the pool by throwing: the caller is refused with what it threw, the connection closed', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const [thrower, next, last] = rig.acquireMany(3)
    const thrown = new Error('thrown by a caller')
    thrower!.whenGranted = () => {
      throw thrown
    }
    rig.release(connection!)
    expect(thrower!.refusals).toEqual([thrown])
    expect(rig.endings).toEqual([[1, 'error']])
    await rig.openAll()
    rig.release(next!.connection)
    expect(last!.connection.id).toBe(2)
  })

  it('may take the last one out of the line, from within the close of a broken connection', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const [first, second] = await rig.connect(2)
    const [served, last] = rig.acquireMany(2)
    // Served, it gives back what it got, and another that breaks before it is lent again.
    served!.whenGranted = (given) => {
      rig.origin().giveBack(given)
      rig.origin().giveBack(second!)
      linkOf(second!).breaks({ fin: true })
    }
    rig.core.events.on('close', () => rig.origin().cancel(last!))
    rig.release(first!)
    expect(rig.endings).toEqual([[2, 'server-fin']])
    expect(last!.grants).toHaveLength(0)
    expect(rig.origin().state).toMatchObject({ active: 0, idle: 1 })
    expect(rig.acquire().connection.id).toBe(1)
  })

  it('may end another connection', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const [first, second] = await rig.connect(2)
    const waiter = rig.acquire()
    waiter.whenGranted = () => linkOf(second!).ends({ error: codedError('ECONNRESET') })
    rig.release(first!)
    expect(waiter.connection.id).toBe(first!.id)
    expect(rig.origin().state).toMatchObject({ active: 1, idle: 0, dialing: 0, waiting: 0 })
  })
})
