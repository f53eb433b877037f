import { describe, expect, it } from 'vitest'
import { codedError } from '../support/fake-links.js'
import { PoolRig, passed } from '../support/pool-rig.js'

describe('warm', () => {
  it('4 opens 4 connections and leaves them idle', async () => {
    const rig = new PoolRig()
    const warmed = rig.origin().warm(4)
    expect(rig.dialer.running).toHaveLength(4)
    await rig.openAll()
    await warmed
    expect(rig.origin().state).toMatchObject({ active: 0, idle: 4, dialing: 0 })
    expect(rig.acquire().connection.reused).toBe(true)
  })

  it('opens what is missing only', async () => {
    const rig = new PoolRig()
    await rig.connect(1)
    await rig.idle(1)
    const warmed = rig.origin().warm(5)
    expect(rig.dialer.running).toHaveLength(3)
    await rig.openAll()
    await warmed
    expect(rig.origin().state).toMatchObject({ active: 1, idle: 4 })
  })

  it('opens nothing where enough is open', async () => {
    const rig = new PoolRig()
    await rig.idle(3)
    await rig.origin().warm(2)
    expect(rig.dialer.dials).toHaveLength(3)
  })

  it('opens no more than maxConnections', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const warmed = rig.origin().warm(10)
    await rig.openAll()
    await warmed
    expect(rig.origin().state).toMatchObject({ idle: 2 })
  })

  it('opens no more than maxTotalConnections, and closes nobody else for it', async () => {
    const rig = new PoolRig({ maxTotalConnections: 3 })
    await rig.idle(2, 'b')
    const warmed = rig.origin('a').warm(10)
    await rig.openAll()
    await warmed
    expect([rig.origin('a').size, rig.origin('b').size, rig.endings.length]).toEqual([1, 2, 0])
  })

  it('opens nothing while another origin waits for a slot', async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    await rig.connect(1, 'b')
    rig.acquire('c')
    await rig.origin('a').warm(1)
    expect(rig.origin('a').size).toBe(0)
  })

  it('rejects with the first connect error, and keeps what was opened', async () => {
    const rig = new PoolRig()
    const warmed = rig.origin().warm(3)
    const [first, second, third] = rig.dialer.running
    first!.open()
    const error = second!.fail(codedError('ECONNREFUSED'))
    third!.fail(codedError('ETIMEDOUT'))
    await expect(warmed).rejects.toBe(error)
    expect(rig.origin().state).toMatchObject({ idle: 1, dialing: 0 })
    expect(rig.origin().counters.dialFailures).toBe(2)
  })

  it('is not dropped when nobody waits: a queued dial ahead of need starts all the same', async () => {
    const rig = new PoolRig({ connect: { concurrency: 1 } })
    const warmed = rig.origin().warm(3)
    await rig.openAll()
    await warmed
    expect(rig.origin().state.idle).toBe(3)
  })

  it('serves those who wait first', async () => {
    const rig = new PoolRig({ maxConnections: 3 })
    const waiter = rig.acquire()
    const warmed = rig.origin().warm(3)
    expect(rig.dialer.running).toHaveLength(3)
    // A dial ahead of need is done before that of the waiter.
    rig.dialer.running[2]!.open()
    await passed()
    expect(waiter.grants).toHaveLength(1)
    await rig.openAll()
    await warmed
    expect(rig.origin().state).toMatchObject({ active: 1, idle: 2 })
  })

  it('has those who come meanwhile take its connections instead of dialing', async () => {
    const rig = new PoolRig()
    const warmed = rig.origin().warm(2)
    const waiters = rig.acquireMany(2)
    expect(rig.dialer.dials).toHaveLength(2)
    await rig.openAll()
    await warmed
    expect(waiters.every(({ grants }) => grants.length === 1)).toBe(true)
  })

  it('has all 4 open though a dial for a request was queued, and not needed in the end', async () => {
    const rig = new PoolRig({ connect: { concurrency: 1 } })
    const waiters = rig.acquireMany(2)
    const warmed = rig.origin().warm(4)
    for (const waiter of waiters) rig.origin().cancel(waiter)
    await rig.openAll()
    await warmed
    expect(rig.origin().state).toMatchObject({ active: 0, dialing: 0 })
    expect(rig.origin().state.idle).toBeGreaterThanOrEqual(4)
  })

  it('waits for dials that are under way already', async () => {
    const rig = new PoolRig()
    const first = rig.origin().warm(2)
    let done = false
    const second = rig
      .origin()
      .warm(2)
      .then(() => (done = true))
    await passed()
    expect(done).toBe(false)
    await rig.openAll()
    await Promise.all([first, second])
    expect(rig.origin().state.idle).toBe(2)
  })

  it('expires like any other that idles', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 1_000 })
    const warmed = rig.origin().warm(2)
    await rig.openAll()
    await warmed
    rig.clock.advance(999)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.reasons).toEqual(['idle-timeout', 'idle-timeout'])
  })
})
