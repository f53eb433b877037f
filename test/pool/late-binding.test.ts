import { describe, expect, it } from 'vitest'
import { PoolRig, passed } from '../support/pool-rig.js'

describe('a request that waits', () => {
  it('takes a connection that is freed before its dial is done', async () => {
    const rig = new PoolRig()
    const [busy] = await rig.connect(1)
    const waiter = rig.acquire()
    expect(rig.dialer.running).toHaveLength(1)
    rig.release(busy!)
    expect(waiter.connection.id).toBe(busy!.id)
  })

  it('leaves its dial to become an idle connection then', async () => {
    const rig = new PoolRig()
    const [busy] = await rig.connect(1)
    rig.acquire()
    rig.release(busy!)
    await rig.openAll()
    expect(rig.origin().state).toMatchObject({ active: 1, idle: 1, dialing: 0, waiting: 0 })
    // And the next one has it at once.
    expect(rig.acquire().connection.id).toBe(2)
  })

  it('leaves its dial to whoever comes next', async () => {
    const rig = new PoolRig()
    const [busy] = await rig.connect(1)
    rig.acquire()
    rig.release(busy!)
    const next = rig.acquire()
    expect(rig.dialer.dials).toHaveLength(2)
    await rig.openAll()
    expect(next.connection.id).toBe(2)
  })

  it('has its dial dropped when it had not begun and nobody needs it', async () => {
    const rig = new PoolRig({ connect: { concurrency: 1 } })
    const [busy] = await rig.connect(1)
    const [first, second] = rig.acquireMany(2)
    expect(rig.origin().state.dialing).toBe(2)
    expect(rig.dialer.running).toHaveLength(1)
    rig.release(busy!)
    expect(first!.connection.id).toBe(busy!.id)
    await rig.openAll()
    expect(second!.connection.id).toBe(2)
    // The second dial's turn came, and it did not start.
    expect(rig.dialer.dials).toHaveLength(2)
    expect(rig.origin().state).toMatchObject({ active: 2, idle: 0, dialing: 0 })
    expect(rig.origin().counters).toMatchObject({ opened: 2, dialFailures: 0 })
    expect(rig.core.slots.used).toBe(2)
  })

  it('takes whichever dial is done first', async () => {
    const rig = new PoolRig()
    const [first, second] = rig.acquireMany(2)
    rig.dialer.dials[1]!.open()
    await passed()
    expect(first!.grants).toHaveLength(1)
    expect(second!.waits).toBe(true)
    rig.dialer.dials[0]!.open()
    await passed()
    expect(second!.connection.id).toBe(2)
  })
})

describe('a connection that nobody has used', () => {
  it('counts as reused once it has idled: its peer may have closed it meanwhile', async () => {
    const rig = new PoolRig()
    const waiter = rig.acquire()
    rig.origin().cancel(waiter)
    await rig.openAll()
    rig.clock.advance(3_000)
    const { connection } = rig.acquire()
    expect(connection.reused).toBe(true)
    expect(rig.origin().counters).toMatchObject({ requests: 1, reused: 1 })
  })

  it('does not count as reused when it is lent as soon as it is open', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    expect(connection!.reused).toBe(false)
    expect(rig.origin().counters).toMatchObject({ requests: 1, reused: 0 })
  })
})
