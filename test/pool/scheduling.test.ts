import { describe, expect, it } from 'vitest'
import { idsOf, linkOf, PoolRig } from '../support/pool-rig.js'

describe('which idle connection is reused', () => {
  it('is the one that went idle last, by default', async () => {
    const rig = new PoolRig()
    await rig.idle(3)
    expect(idsOf(rig.acquireMany(3).map(({ connection }) => connection))).toEqual([3, 2, 1])
  })

  it('is the one that has idled for longest, under fifo', async () => {
    const rig = new PoolRig({ scheduling: 'fifo' })
    await rig.idle(3)
    expect(idsOf(rig.acquireMany(3).map(({ connection }) => connection))).toEqual([1, 2, 3])
  })

  it('goes by when each became idle, not by when it was opened', async () => {
    const rig = new PoolRig()
    const [first, second, third] = await rig.connect(3)
    for (const connection of [second!, third!, first!]) rig.release(connection)
    expect(idsOf(rig.acquireMany(3).map(({ connection }) => connection))).toEqual([1, 3, 2])
  })

  it('is one and the same for twenty requests in a row', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    for (let n = 0; n < 19; n++) rig.release(rig.acquire().connection)
    expect(connection!.requests).toBe(20)
    expect(rig.origin().counters).toMatchObject({ opened: 1, requests: 20, reused: 19, waits: 1 })
  })

  it('has only those that are needed in use under lifo, so that the others expire', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 1_000 })
    await rig.idle(3)
    for (let n = 0; n < 25; n++) {
      rig.release(rig.acquire().connection)
      rig.clock.advance(50)
    }
    expect(idsOf(rig.origin().connections)).toEqual([3])
    expect(rig.reasons).toEqual(['idle-timeout', 'idle-timeout'])
  })
})

describe('a link', () => {
  it('is parked while its connection is idle, and only then', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    const link = linkOf(connection!)
    expect(link.parked).toBe(false)
    rig.release(connection!)
    expect(link.parked).toBe(true)
    rig.acquire()
    expect(link.parked).toBe(false)
  })

  it('is not parked where a face looks after it itself', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    connection!.engine = { attach: () => {}, detach: () => {} }
    rig.release(connection!)
    expect(linkOf(connection!).parked).toBe(false)
    // Nor unparked, which would throw.
    expect(rig.acquire().connection.id).toBe(1)
  })

  it('that is destroyed is not handed out, though its close was not reported yet', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    linkOf(connection!).breaks({ fin: true })
    const waiter = rig.acquire()
    expect(waiter.waits).toBe(true)
    linkOf(connection!).report()
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
    expect(rig.endings).toEqual([[1, 'server-fin']])
  })

  it('that is destroyed is not counted as active', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    linkOf(connection!).breaks({ fin: true })
    rig.acquire()
    expect(rig.origin().state.active).toBe(0)
  })
})
