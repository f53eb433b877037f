import { describe, expect, it } from 'vitest'
import { PoolRig, passed } from '../support/pool-rig.js'

describe('dials of one origin', () => {
  it('are one for each request that finds nothing idle', () => {
    const rig = new PoolRig()
    rig.acquireMany(3)
    expect(rig.dialer.running).toHaveLength(3)
    expect(rig.origin().state).toMatchObject({ dialing: 3, waiting: 3 })
  })

  it('are at most 4 at once where concurrency is 4, and the others follow as these end', async () => {
    const rig = new PoolRig({ connect: { concurrency: 4 } })
    const waiters = rig.acquireMany(10)
    let most = 0
    for (let done = 0; done < 10; done++) {
      const { running } = rig.dialer
      most = Math.max(most, running.length)
      expect(running).toHaveLength(Math.min(4, 10 - done))
      running[0]!.open()
      await passed()
    }
    expect(most).toBe(4)
    expect(waiters.every(({ grants }) => grants.length === 1)).toBe(true)
  })

  it('are 32 at once by default', () => {
    const rig = new PoolRig()
    rig.acquireMany(100)
    expect(rig.dialer.running).toHaveLength(32)
    expect(rig.origin().state.dialing).toBe(100)
  })

  it('do not wait for those of another origin', () => {
    const rig = new PoolRig({ connect: { concurrency: 1 } })
    rig.acquire('a')
    rig.acquire('a')
    rig.acquire('b')
    expect(rig.dialer.running.map(({ target }) => target.origin)).toEqual(['http://a', 'http://b'])
  })

  it('go on after one that failed', async () => {
    const rig = new PoolRig({ connect: { concurrency: 1 } })
    const [first, second] = rig.acquireMany(2)
    const error = rig.dialer.running[0]!.fail()
    await passed()
    expect(first!.refusals).toEqual([error])
    rig.dialer.running[0]!.open()
    await passed()
    expect(second!.connection.id).toBe(1)
  })

  it('are counted with their time, failures included', async () => {
    const rig = new PoolRig()
    rig.acquireMany(2)
    rig.clock.advance(30)
    rig.dialer.running[0]!.open()
    await passed()
    rig.clock.advance(70)
    rig.dialer.running[0]!.fail()
    await passed()
    expect(rig.origin().counters).toMatchObject({ opened: 1, dialFailures: 1, dialTime: 30 + 100 })
  })

  it('that were queued are not charged for the time in the queue', async () => {
    const rig = new PoolRig({ connect: { concurrency: 1 } })
    rig.acquireMany(2)
    rig.clock.advance(100)
    rig.dialer.running[0]!.open()
    await passed()
    rig.clock.advance(10)
    rig.dialer.running[0]!.open()
    await passed()
    expect(rig.origin().counters.dialTime).toBe(110)
  })

  it('fail where the dialer throws: a local address that is none, for instance', async () => {
    const broken = new TypeError('Invalid IP address: nowhere')
    const dial = (): never => {
      throw broken
    }
    const rig = new PoolRig({}, { dial })
    const waiter = rig.acquire()
    await passed()
    expect(waiter.refusals).toEqual([broken])
    expect(rig.origin().state).toMatchObject({ dialing: 0, waiting: 0 })
    expect(rig.core.slots.used).toBe(0)
  })
})

describe('a connection that was opened', () => {
  it('is told of, with what is known of it', async () => {
    const rig = new PoolRig()
    const told: unknown[] = []
    rig.core.events.on('open', (event) => told.push(event))
    rig.acquire()
    await rig.openAll()
    expect(told).toMatchObject([{ connection: { id: 1, origin: 'http://a', requests: 0, age: 0 } }])
  })

  it('has its round trip from the kernel at once, and of the variance what is not the first guess of half of it', async () => {
    const rig = new PoolRig()
    const { makeLink } = rig.dialer
    rig.dialer.makeLink = () => {
      const link = makeLink()
      Object.assign(link.kernel!, { rtt: 40, rttVariance: 22 })
      return link
    }
    const [connection] = await rig.connect(1)
    expect(connection).toMatchObject({ rtt: 40, rttVariance: 2 })
  })

  it('has the next number, whatever its origin', async () => {
    const rig = new PoolRig()
    await rig.connect(1, 'a')
    await rig.connect(1, 'b')
    const [third] = await rig.connect(1, 'a')
    expect(third!.id).toBe(3)
  })
})
