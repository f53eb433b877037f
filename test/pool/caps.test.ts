import { describe, expect, it } from 'vitest'
import { codedError } from '../support/fake-links.js'
import { idsOf, linkOf, PoolRig } from '../support/pool-rig.js'

describe('maxConnections', () => {
  it('2 opens 2 for 50 requests at once, and serves them all', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const waiters = rig.acquireMany(50)
    await rig.openAll()
    for (let served = 0; served < 48; served++) {
      const active = [...rig.origin().connections].find(({ state }) => state === 'active')
      rig.release(active!)
    }
    expect(waiters.every(({ grants }) => grants.length === 1)).toBe(true)
    expect(rig.dialer.dials).toHaveLength(2)
    expect(rig.origin().counters).toMatchObject({ opened: 2, requests: 50, reused: 48 })
  })

  it('holds for each origin', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    rig.acquireMany(2, 'a')
    rig.acquireMany(2, 'b')
    await rig.openAll()
    expect([rig.origin('a').size, rig.origin('b').size]).toEqual([1, 1])
  })

  it('counts dials under way', () => {
    const rig = new PoolRig({ maxConnections: 3 })
    rig.acquireMany(5)
    expect(rig.origin().size).toBe(3)
  })

  it('has a new one dialed for those in line when one ends', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiter = rig.acquire()
    linkOf(connection!).ends({ error: codedError('ECONNRESET') })
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
    expect(rig.endings).toEqual([[1, 'reset']])
  })
})

describe('maxIdleConnections', () => {
  it('2 keeps 2, and closes the one that has idled for longest as surplus', async () => {
    const rig = new PoolRig({ maxIdleConnections: 2 })
    await rig.idle(4)
    expect(rig.endings).toEqual([
      [1, 'surplus'],
      [2, 'surplus'],
    ])
    expect(idsOf(rig.origin().connections)).toEqual([3, 4])
  })

  it('0 keeps none, but hands on to those who wait', async () => {
    const rig = new PoolRig({ maxIdleConnections: 0, maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiter = rig.acquire()
    rig.release(connection!)
    expect(waiter.connection.id).toBe(1)
    rig.release(connection!)
    expect(rig.endings).toEqual([[1, 'surplus']])
    expect(linkOf(connection!).destroyedByPool).toBe(true)
  })

  it('does not count those in use', async () => {
    const rig = new PoolRig({ maxIdleConnections: 1 })
    const connections = await rig.connect(3)
    rig.release(connections[0]!)
    expect(rig.origin().state).toMatchObject({ active: 2, idle: 1 })
    expect(rig.endings).toEqual([])
  })
})
