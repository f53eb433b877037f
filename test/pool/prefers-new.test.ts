import { describe, expect, it } from 'vitest'
import { FakeWaiter } from '../support/fake-links.js'
import { linkOf, PoolRig, passed } from '../support/pool-rig.js'

const careful = (): FakeWaiter => new FakeWaiter({ prefersNew: true })

describe('where nothing could be proven, a request that must not be repeated', () => {
  it('has a connection opened for it rather than one that idled for 500 ms', async () => {
    const rig = new PoolRig({}, { kernel: false })
    const [old] = await rig.idle(1)
    rig.clock.advance(500)
    const waiter = rig.acquire('a', careful())
    expect([old!.state, rig.dialer.running.length]).toEqual(['idle', 1])
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
    expect(rig.origin().state).toMatchObject({ active: 1, idle: 1, waiting: 0 })
  })

  it('has the idle one, after two turns, at 499 ms', async () => {
    const rig = new PoolRig({}, { kernel: false })
    await rig.idle(1)
    rig.clock.advance(499)
    const waiter = rig.acquire('a', careful())
    rig.twoTurns()
    expect(waiter.connection.id).toBe(1)
    expect(rig.dialer.dials).toHaveLength(1)
  })

  it('has the one that was used last, though older ones are there', async () => {
    const rig = new PoolRig({}, { kernel: false })
    const [first] = await rig.idle(2)
    rig.clock.advance(600)
    rig.acquire()
    rig.twoTurns()
    const [used] = [...rig.origin().connections].filter((connection) => connection !== first)
    rig.release(used!)
    const waiter = rig.acquire('a', careful())
    expect(waiter.connection).toBe(used)
  })

  it('has one that comes back before the new one is open', async () => {
    const rig = new PoolRig({}, { kernel: false })
    const [, busy] = await rig.connect(2)
    rig.release([...rig.origin().connections][0]!)
    rig.clock.advance(600)
    const waiter = rig.acquire('a', careful())
    rig.release(busy!)
    rig.twoTurns()
    expect(waiter.connection).toBe(busy)
  })

  it('has the old one when the dial fails', async () => {
    const rig = new PoolRig({}, { kernel: false })
    await rig.idle(1)
    rig.clock.advance(600)
    const waiter = rig.acquire('a', careful())
    rig.dialer.running[0]!.fail()
    await passed()
    expect(waiter.refusals).toEqual([])
    rig.twoTurns()
    expect(waiter.connection.id).toBe(1)
    expect(rig.origin().counters.dialFailures).toBe(1)
  })

  it('has the old one at maxConnections', async () => {
    const rig = new PoolRig({ maxConnections: 2 }, { kernel: false })
    await rig.connect(1)
    await rig.idle(1)
    rig.clock.advance(600)
    const waiter = rig.acquire('a', careful())
    rig.twoTurns()
    expect(waiter.connection.id).toBe(2)
    expect(rig.endings).toEqual([])
  })

  it('has the old one at maxTotalConnections: nobody makes room for a wish', async () => {
    const rig = new PoolRig({ maxTotalConnections: 2 }, { kernel: false })
    await rig.idle(1, 'b')
    await rig.idle(1, 'a')
    rig.clock.advance(600)
    const waiter = rig.acquire('a', careful())
    rig.twoTurns()
    expect(waiter.connection.id).toBe(2)
    expect(rig.endings).toEqual([])
  })

  it('waits no longer than others do', async () => {
    const rig = new PoolRig({ acquireTimeout: 250 }, { kernel: false })
    await rig.idle(1)
    rig.clock.advance(600)
    const waiter = rig.acquire('a', careful())
    rig.clock.advance(250)
    expect(waiter.refusals).toMatchObject([{ code: 'ERR_KEEPWISE_ACQUIRE_TIMEOUT', waited: 250 }])
  })

  it('opens nothing when it is turned away for a full line', async () => {
    const rig = new PoolRig({ maxConnections: 3, maxWaiting: 1 }, { kernel: false })
    await rig.idle(1)
    rig.clock.advance(600)
    const [first, second] = [careful(), careful()]
    rig.acquireNew()
    rig.acquire('a', first)
    rig.acquire('a', second)
    expect([first, second].map(({ refusals }) => refusals.length)).toEqual([1, 1])
    expect(rig.origin().state).toMatchObject({ idle: 1, dialing: 1 })
  })

  it('may be any other request where it does not matter', async () => {
    const rig = new PoolRig({}, { kernel: false })
    await rig.idle(1)
    rig.clock.advance(3_000)
    const waiter = rig.acquire()
    rig.twoTurns()
    expect(waiter.connection.id).toBe(1)
    expect(rig.dialer.dials).toHaveLength(1)
  })
})

describe('where the kernel can be asked, a request that must not be repeated', () => {
  it('has an idle connection, however old', async () => {
    const rig = new PoolRig()
    await rig.idle(1)
    rig.clock.advance(29_000)
    expect(rig.acquire('a', careful()).connection.id).toBe(1)
  })

  /** A server that has closed one connection which idled for 3 s, and one that idles. */
  const suspicious = async (): Promise<PoolRig> => {
    const rig = new PoolRig()
    const [closed] = await rig.idle(1)
    rig.clock.advance(3_000)
    linkOf(closed!).ends({ fin: true, finAge: 0 })
    await rig.idle(1)
    rig.endings.length = 0
    return rig
  }

  it('has a new one at 2950 ms where the server is suspected of closing after 3000, not at 2949', async () => {
    for (const [idle, id] of [
      [2_949, 2],
      [2_950, 3],
    ] as const) {
      const rig = await suspicious()
      rig.clock.advance(idle)
      const waiter = rig.acquire('a', careful())
      await rig.openAll()
      expect(waiter.connection.id).toBe(id)
      expect(rig.endings).toEqual([])
    }
  })

  it('leaves that one to requests that can be repeated', async () => {
    const rig = await suspicious()
    rig.clock.advance(3_500)
    expect(rig.acquire().connection.id).toBe(2)
  })
})

describe('where one close has made a server suspicious, a request that must not be repeated', () => {
  const suspect = async (rig: PoolRig): Promise<void> => {
    const [closed] = await rig.idle(1)
    rig.clock.advance(1_000)
    linkOf(closed!).ends({ fin: true, finAge: 0 })
  }

  it('has a connection opened for it, once the idle ones are as old, less the margin', async () => {
    const rig = new PoolRig()
    await suspect(rig)
    const [idle] = await rig.idle(1)
    rig.clock.advance(949)
    const early = rig.acquire('a', careful())
    expect(early.connection).toBe(idle)
    rig.release(idle!)
    rig.clock.advance(950)
    const late = rig.acquire('a', careful())
    await rig.openAll()
    expect(late.connection).not.toBe(idle)
  })

  it('has the idle one again as soon as one has clearly outlived the suspicion', async () => {
    const rig = new PoolRig()
    await suspect(rig)
    const [older, newer] = await rig.connect(2)
    rig.release(older!)
    rig.clock.advance(1_100)
    rig.release(newer!)
    rig.clock.advance(1_000)
    const waiter = rig.acquire('a', careful())
    expect(waiter.connection).toBe(newer)
    expect(older!.suspectedTimeout).toBeUndefined()
  })
})
