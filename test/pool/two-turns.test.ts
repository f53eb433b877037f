import { describe, expect, it } from 'vitest'
import { idsOf, linkOf, PoolRig } from '../support/pool-rig.js'

describe('where the kernel cannot be asked, an idle connection', () => {
  it('is lent after two turns of the event loop, not after one', async () => {
    const rig = new PoolRig({}, { kernel: false })
    const [connection] = await rig.idle(1)
    rig.clock.advance(10)
    const waiter = rig.acquire()
    expect([waiter.waits, connection!.state]).toEqual([true, 'settling'])
    rig.clock.turn()
    expect(waiter.waits).toBe(true)
    rig.clock.turn()
    expect(waiter.connection.id).toBe(1)
    expect(rig.dialer.dials).toHaveLength(1)
    expect(rig.origin().counters).toMatchObject({ requests: 2, reused: 1 })
  })

  it('counts as idle meanwhile', async () => {
    const rig = new PoolRig({}, { kernel: false })
    await rig.idle(1)
    rig.clock.advance(10)
    rig.acquire()
    expect(rig.origin().state).toMatchObject({ active: 0, idle: 1, dialing: 0, waiting: 1 })
  })

  it('is lent at once in the millisecond in which it was released', async () => {
    const rig = new PoolRig({}, { kernel: false })
    await rig.idle(1)
    expect(rig.acquire().connection.id).toBe(1)
  })

  it('is closed by the FIN that these turns brought, and another is opened', async () => {
    const rig = new PoolRig({}, { kernel: false })
    const [connection] = await rig.idle(1)
    rig.clock.advance(10)
    const waiter = rig.acquire()
    linkOf(connection!).ends({ fin: true })
    rig.twoTurns()
    await rig.openAll()
    expect(rig.endings).toEqual([[1, 'server-fin']])
    expect(waiter.connection.id).toBe(2)
    expect(rig.origin().state).toMatchObject({ active: 1, idle: 0, dialing: 0, waiting: 0 })
  })

  it('is not lent when it was destroyed in these turns, and its close comes later', async () => {
    const rig = new PoolRig({}, { kernel: false })
    const [connection] = await rig.idle(1)
    rig.clock.advance(10)
    const waiter = rig.acquire()
    linkOf(connection!).breaks({ fin: true })
    rig.twoTurns()
    expect(waiter.waits).toBe(true)
    linkOf(connection!).report()
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
    expect(rig.origin().state).toMatchObject({ active: 1, idle: 0 })
  })

  it('goes back to the idle ones when the request has left', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 1_000 }, { kernel: false })
    await rig.idle(1)
    rig.clock.advance(10)
    rig.origin().cancel(rig.acquire())
    rig.twoTurns()
    expect(rig.origin().state).toMatchObject({ active: 0, idle: 1 })
    rig.clock.advance(989)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'idle-timeout']])
  })

  it('is not lent when its time ran out in these turns, long ones', async () => {
    const rig = new PoolRig({ keepAliveMargin: 50 }, { kernel: false })
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=5')
    rig.clock.advance(4_900)
    const waiter = rig.acquire()
    rig.clock.block(50)
    rig.twoTurns()
    expect(rig.endings).toEqual([[1, 'advertised-timeout']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it('expires before it is looked at: at 4 s as told, without a turn', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 4_000 }, { kernel: false })
    const [connection] = await rig.idle(1)
    // The timer is late: the loop was blocked.
    rig.core.agenda.cancel(connection!)
    rig.clock.advance(4_000)
    const waiter = rig.acquire()
    expect(rig.endings).toEqual([[1, 'idle-timeout']])
    expect([waiter.waits, rig.clock.turning]).toEqual([true, 0])
  })

  it('is overtaken by one that is released meanwhile', async () => {
    const rig = new PoolRig({}, { kernel: false })
    const [, busy] = await rig.connect(2)
    rig.release([...rig.origin().connections][0]!)
    rig.clock.advance(10)
    const waiter = rig.acquire()
    rig.release(busy!)
    expect(waiter.connection.id).toBe(2)
    rig.twoTurns()
    expect(rig.origin().state).toMatchObject({ active: 1, idle: 1, waiting: 0 })
  })
})

describe('where the kernel cannot be asked, idle connections', () => {
  it('are looked at one for each request, not all for one', async () => {
    const rig = new PoolRig({}, { kernel: false })
    const connections = await rig.idle(50)
    rig.clock.advance(10)
    rig.acquireMany(2)
    expect(connections.filter(({ state }) => state === 'settling')).toHaveLength(2)
  })

  it('are still reused last in, first out, after one was', async () => {
    const rig = new PoolRig({}, { kernel: false })
    await rig.idle(3)
    const order: number[] = []
    for (let n = 0; n < 3; n++) {
      rig.clock.advance(10)
      const waiter = rig.acquire()
      rig.twoTurns()
      order.push(waiter.connection.id)
    }
    expect(order).toEqual([3, 2, 1])
  })

  it('are still reused first in, first out, under fifo', async () => {
    const rig = new PoolRig({ scheduling: 'fifo' }, { kernel: false })
    await rig.idle(3)
    const order: number[] = []
    for (let n = 0; n < 3; n++) {
      rig.clock.advance(10)
      const waiter = rig.acquire()
      rig.twoTurns()
      order.push(waiter.connection.id)
    }
    expect(order).toEqual([1, 2, 3])
  })

  it('still make room for another origin in the order of their last use', async () => {
    const rig = new PoolRig({ maxTotalConnections: 3 }, { kernel: false })
    const connections = await rig.connect(3, 'a')
    for (const connection of connections) {
      rig.release(connection)
      rig.clock.advance(10)
    }
    // One of three is asked for and not taken after all.
    rig.origin('a').cancel(rig.acquire('a'))
    rig.twoTurns()
    rig.acquire('b')
    expect(rig.endings).toEqual([[1, 'surplus']])
    expect(idsOf(rig.origin('a').connections)).toEqual([2, 3])
  })

  it('serve as many requests as they are, and dials serve the rest', async () => {
    const rig = new PoolRig({}, { kernel: false })
    await rig.idle(2)
    rig.clock.advance(10)
    const waiters = rig.acquireMany(3)
    expect(rig.dialer.running).toHaveLength(1)
    rig.twoTurns()
    await rig.openAll()
    expect(waiters.map(({ connection }) => connection.id).sort()).toEqual([1, 2, 3])
  })
})
