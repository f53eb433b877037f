import { describe, expect, it } from 'vitest'
import { idsOf, linkOf, PoolRig } from '../support/pool-rig.js'

describe('an idle connection', () => {
  it('is closed by the timer at 150 ms of keepAliveTimeout, not at 149', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 150 })
    const [connection] = await rig.idle(1)
    rig.clock.advance(149)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'idle-timeout']])
    expect(linkOf(connection!).destroyedByPool).toBe(true)
  })

  it('is closed at 30 s where nothing was said, by the server or by option', async () => {
    const rig = new PoolRig()
    await rig.idle(1)
    rig.clock.advance(29_999)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'idle-timeout']])
  })

  it('is closed 4950 ms after a response that advertised 5 s, with the margin of 50', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 100 })
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=5')
    rig.clock.advance(4_949)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'advertised-timeout']])
  })

  it('is closed earlier by the margin that is set: 5000 - 1200', async () => {
    const rig = new PoolRig({ keepAliveMargin: 1_200 })
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=5')
    rig.clock.advance(3_799)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'advertised-timeout']])
  })

  it('is closed earlier by what the kernel has observed of the way: 5000 - (200 + 4 x 25)', async () => {
    const rig = new PoolRig()
    const { makeLink } = rig.dialer
    rig.dialer.makeLink = () => {
      const link = makeLink()
      // The first guess is half a round trip.
      Object.assign(link.kernel!, { rtt: 200, rttVariance: 100 + 25 })
      return link
    }
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=5')
    rig.clock.advance(4_699)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'advertised-timeout']])
  })

  it('is closed earlier by the lag of an event loop that was blocked', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    // The heartbeat of the pool is 600 ms late.
    rig.clock.block(1_600)
    rig.release(connection!, 'timeout=5')
    expect(connection!.margin).toBe(600)
    rig.clock.advance(4_400)
    expect(rig.endings).toEqual([[1, 'advertised-timeout']])
  })

  it('is closed at keepAliveMaxTimeout, less the margin, where the server allows more', async () => {
    const rig = new PoolRig({ keepAliveMaxTimeout: 10_000, keepAliveMargin: 100 })
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=3600')
    rig.clock.advance(9_899)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'advertised-timeout']])
  })

  it('counts from the last time it became idle', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 150 })
    await rig.idle(1)
    rig.clock.advance(100)
    const { connection } = rig.acquire()
    rig.clock.advance(400)
    rig.release(connection)
    rig.clock.advance(149)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'idle-timeout']])
  })

  it('is never closed under a request, however long that takes', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 150 })
    await rig.idle(1)
    const { connection } = rig.acquire()
    rig.clock.advance(3_600_000)
    expect([connection.state, rig.endings]).toEqual(['active', []])
  })

  it('obeys what the last response said, shorter or longer', async () => {
    const rig = new PoolRig({ keepAliveMargin: 50 })
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=20')
    rig.acquire()
    rig.release(connection!, 'timeout=2')
    rig.clock.advance(1_000)
    rig.acquire()
    rig.release(connection!, 'timeout=10')
    rig.clock.advance(9_949)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'advertised-timeout']])
    expect(connection!.requests).toBe(3)
  })

  it('stays with what its server said when a later response says nothing', async () => {
    const rig = new PoolRig({ keepAliveMargin: 50, keepAliveTimeout: 60_000 })
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=2')
    rig.acquire()
    rig.release(connection!)
    rig.clock.advance(1_950)
    expect(rig.endings).toEqual([[1, 'advertised-timeout']])
  })

  it.each(['timeout=0', 'timeout=1'])(
    'is not kept at all where %s is not longer than the margin of 1000',
    async (said) => {
      const rig = new PoolRig({ keepAliveMargin: 1_000 })
      const [connection] = await rig.connect(1)
      rig.release(connection!, said)
      expect(rig.endings).toEqual([[1, 'advertised-timeout']])
    },
  )

  it('is not kept at all under keepAliveTimeout 0, unless the server advertises', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 0 })
    const [first, second] = await rig.connect(2)
    rig.release(first!)
    rig.release(second!, 'timeout=5')
    expect(rig.endings).toEqual([[1, 'idle-timeout']])
    expect(idsOf(rig.origin().connections)).toEqual([2])
  })

  it('is found expired before reuse when the timer was too late, and another is opened', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 150 })
    const [connection] = await rig.idle(1)
    rig.core.agenda.cancel(connection!)
    rig.clock.advance(150)
    const waiter = rig.acquire()
    expect(rig.endings).toEqual([[1, 'idle-timeout']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it('is told of when it becomes idle', async () => {
    const rig = new PoolRig()
    const told: unknown[] = []
    rig.core.events.on('idle', (event) => told.push(event))
    await rig.idle(1)
    expect(told).toMatchObject([{ connection: { id: 1, idle: 0, requests: 1 } }])
  })
})

describe('the timer of a pool', () => {
  it('is one, however many connections idle', async () => {
    const rig = new PoolRig()
    await rig.idle(250)
    expect(rig.clock.timers).toBe(1)
  })

  it('closes those that are due and leaves the others', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 150 })
    const connections = await rig.connect(3)
    for (const connection of connections) {
      rig.release(connection)
      rig.clock.advance(40)
    }
    const closedAt: number[] = []
    const start = rig.clock.now()
    rig.core.events.on('close', () => closedAt.push(rig.clock.now() - start))
    rig.clock.advance(1_000)
    expect(closedAt).toEqual([30, 70, 110])
  })

  it('leaves nothing behind when all connections are gone', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 150 })
    await rig.idle(5)
    // The last look is for those who might have waited for 30 s.
    rig.clock.advance(30_000)
    expect([rig.endings.length, rig.clock.timers]).toEqual([5, 0])
  })

  it('lets a closed connection go at once', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    expect(connection!.place).toBeGreaterThanOrEqual(0)
    linkOf(connection!).ends({ fin: true })
    expect([connection!.place, connection!.wakeAt]).toEqual([-1, Infinity])
  })
})
