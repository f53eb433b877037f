import { describe, expect, it } from 'vitest'
import { PoolRig, passed } from '../support/pool-rig.js'

describe('maxTotalConnections', () => {
  it('is never exceeded, over all origins, dials included', async () => {
    const rig = new PoolRig({ maxTotalConnections: 3 })
    for (const name of ['a', 'b', 'c', 'd']) rig.acquireMany(2, name)
    expect(rig.core.slots.used).toBe(3)
    await rig.openAll()
    expect(rig.core.slots.used).toBe(3)
    expect([...rig.core.origins].map(({ size }) => size).reduce((sum, size) => sum + size)).toBe(3)
  })

  it('has the least recently used idle connection of another origin make room', async () => {
    const rig = new PoolRig({ maxTotalConnections: 3 })
    const connections = [...(await rig.connect(1, 'a')), ...(await rig.connect(1, 'b')), ...(await rig.connect(1, 'c'))]
    for (const connection of connections) {
      rig.release(connection)
      rig.clock.advance(10)
    }
    // Used again, the first is not the least recently used one any more.
    rig.release(rig.acquire('a').connection)
    const waiter = rig.acquire('d')
    expect(rig.endings).toEqual([[2, 'surplus']])
    await rig.openAll()
    expect(waiter.connection.origin.key).toBe('http://d')
  })

  it('closes no idle connection for a request that has one of its own', async () => {
    const rig = new PoolRig({ maxTotalConnections: 2 })
    await rig.idle(1, 'a')
    await rig.idle(1, 'b')
    expect(rig.acquire('b').connection.id).toBe(2)
    expect(rig.endings).toEqual([])
  })

  it('closes none while there is room', async () => {
    const rig = new PoolRig({ maxTotalConnections: 3 })
    await rig.idle(2, 'a')
    rig.acquire('b')
    expect(rig.endings).toEqual([])
  })

  it('makes a request wait where all are in use, and serves it with the slot of the first that is released', async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    const [connection] = await rig.connect(1, 'a')
    const waiter = rig.acquire('b')
    expect([waiter.waits, rig.dialer.running.length]).toEqual([true, 0])
    rig.release(connection!)
    expect(rig.endings).toEqual([[1, 'surplus']])
    await rig.openAll()
    expect(waiter.connection.origin.key).toBe('http://b')
  })

  it('gives the slot of one that ended to whoever waits, at once', async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    const [connection] = await rig.connect(1, 'a')
    rig.acquire('b')
    rig.origin('a').discard(connection!, new Error('broke'))
    expect(rig.dialer.running.map(({ target }) => target.origin)).toEqual(['http://b'])
  })

  it('gives the slot of a dial that failed to whoever waits', async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    rig.acquire('a')
    rig.acquire('b')
    rig.dialer.running[0]!.fail()
    await passed()
    expect(rig.dialer.running.map(({ target }) => target.origin)).toEqual(['http://b'])
  })

  it('gives the slot of a dial that was dropped to whoever waits', async () => {
    const rig = new PoolRig({ maxTotalConnections: 3, connect: { concurrency: 1 } })
    const [busy] = await rig.connect(1, 'a')
    rig.acquireMany(2, 'a')
    const waiter = rig.acquire('b')
    expect(rig.core.slots.used).toBe(3)
    // One in line is served, so one of the two dials is not needed: the queued one is dropped when its turn comes.
    rig.release(busy!)
    rig.dialer.running[0]!.open()
    await passed()
    await rig.openAll()
    expect(waiter.connection.origin.key).toBe('http://b')
  })

  it('forgets an origin whose request has left the line', async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    const [connection] = await rig.connect(1, 'a')
    rig.origin('b').cancel(rig.acquire('b'))
    rig.release(connection!)
    expect(rig.origin('a').state.idle).toBe(1)
    expect(rig.endings).toEqual([])
  })

  it('keeps an idle connection when the origin in line was served by one of its own meanwhile', async () => {
    const rig = new PoolRig({ maxTotalConnections: 2 })
    const [a] = await rig.connect(1, 'a')
    const [b] = await rig.connect(1, 'b')
    const waiter = rig.acquire('b')
    rig.release(b!)
    expect(waiter.connection.id).toBe(b!.id)
    rig.release(a!)
    expect(rig.origin('a').state.idle).toBe(1)
  })

  it('keeps an idle connection when what the origin in line still has under way is enough for it', async () => {
    const rig = new PoolRig({ maxTotalConnections: 3 })
    const [a] = await rig.connect(1, 'a')
    const [b] = await rig.connect(1, 'b')
    // One dial, and one more that is wanted and has no slot.
    rig.acquireMany(2, 'b')
    expect(rig.core.slots.next).toBe(rig.origin('b'))
    rig.release(b!)
    rig.release(a!)
    expect(rig.endings).toEqual([])
    expect(rig.origin('a').state.idle).toBe(1)
  })
})

describe('a connection that comes back while the line is served', () => {
  it('goes to the origin that waits for its slot, when the last in line has left meanwhile', async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    const [connection] = await rig.connect(1, 'a')
    const [first, second] = rig.acquireMany(2, 'a')
    const other = rig.acquire('b')
    first!.whenGranted = (given) => {
      rig.origin('a').giveBack(given)
      rig.origin('a').cancel(second!)
    }
    rig.release(connection!)
    expect(rig.endings).toEqual([[1, 'surplus']])
    await rig.openAll()
    expect(other.grants).toHaveLength(1)
  })
})

describe('no origin starves under maxTotalConnections', () => {
  it('one that has no connection gets the next slot, before a busy one gets another', async () => {
    const rig = new PoolRig({ maxTotalConnections: 2 })
    const [first] = await rig.connect(2, 'a')
    rig.acquire('a')
    rig.clock.advance(1)
    const late = rig.acquire('b')
    rig.origin('a').discard(first!, new Error('broke'))
    await rig.openAll()
    expect(late.grants).toHaveLength(1)
  })

  it('one that has no connection gets that of a busy one when its request is older than all in line there', async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    const [connection] = await rig.connect(1, 'a')
    const first = rig.acquire('a')
    rig.clock.advance(10)
    const other = rig.acquire('b')
    rig.clock.advance(10)
    rig.acquireMany(5, 'a')
    rig.release(connection!)
    expect(first.grants).toHaveLength(1)
    rig.release(connection!)
    expect(rig.endings).toEqual([[1, 'surplus']])
    await rig.openAll()
    expect(other.grants).toHaveLength(1)
  })

  it('all of ten are served in turns by one slot, although each has requests in line without end', async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    const names = Array.from({ length: 10 }, (_, index) => `origin${index}`)
    const served = new Map(names.map((name) => [name, 0]))
    for (let round = 0; round < 100; round++) {
      for (const name of names) rig.acquire(name)
      rig.clock.advance(1)
      await rig.openAll()
      for (const origin of rig.core.origins)
        for (const connection of origin.connections)
          if (connection.state === 'active') {
            served.set(origin.target.hostname, served.get(origin.target.hostname)! + 1)
            rig.release(connection)
          }
    }
    expect(Math.min(...served.values())).toBeGreaterThanOrEqual(9)
    expect(Math.max(...served.values())).toBeLessThanOrEqual(11)
  })

  it('one that lost its connection is not stuck behind another that has some and waits for more', async () => {
    const rig = new PoolRig({ maxTotalConnections: 3 })
    const [x] = await rig.connect(1, 'x')
    const [y] = await rig.connect(1, 'y')
    const [z] = await rig.connect(1, 'z')
    // All have one, and all want another.
    for (const name of ['x', 'y', 'z']) rig.acquireMany(2, name)
    const old = rig.acquire('z')
    // z loses its only one; x was first in line for slots.
    rig.origin('z').discard(z!, new Error('broke'))
    await rig.openAll()
    // From now on x and y are busy without end: whenever one is released, somebody is in line who came later.
    for (let round = 0; round < 20; round++) {
      rig.clock.advance(10)
      rig.acquireMany(2, 'x')
      rig.acquireMany(2, 'y')
      for (const name of ['x', 'y', 'z'])
        for (const connection of [...rig.origin(name).connections]) rig.release(connection)
      await rig.openAll()
    }
    expect(old.grants).toHaveLength(1)
    expect([x!.id, y!.id]).toEqual([1, 2])
  })
})
