import { describe, expect, it } from 'vitest'
import { PoolRig } from '../support/pool-rig.js'

describe('maxLifetime', () => {
  it('closes an idle connection at 1000 ms of age, not at 999', async () => {
    const rig = new PoolRig({ maxLifetime: 1_000 })
    await rig.idle(1)
    rig.clock.advance(999)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'max-lifetime']])
  })

  it.each([
    [0, 1_000],
    [0.5, 950],
    [1, 900],
  ])('is shorter by chance, by 10 %% at most: chance %s gives %s ms', async (chance, lifetime) => {
    const rig = new PoolRig({ maxLifetime: 1_000 }, { random: () => chance })
    await rig.idle(1)
    rig.clock.advance(lifetime - 1)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'max-lifetime']])
  })

  it('differs between connections that were opened together', async () => {
    let calls = 0
    const rig = new PoolRig({ maxLifetime: 1_000 }, { random: () => (calls++ % 10) / 10 })
    const connections = await rig.connect(10)
    expect(new Set(connections.map(({ lifetimeEndsAt }) => lifetimeEndsAt)).size).toBe(10)
  })

  it('never closes under a request, but when that is answered', async () => {
    const rig = new PoolRig({ maxLifetime: 1_000 })
    await rig.idle(1)
    rig.clock.advance(999)
    const { connection } = rig.acquire()
    rig.clock.advance(60_000)
    expect(rig.endings).toEqual([])
    rig.release(connection)
    expect(rig.endings).toEqual([[1, 'max-lifetime']])
  })

  it('ends at its time though it was in use when the timer looked', async () => {
    const rig = new PoolRig({ maxLifetime: 1_000, keepAliveTimeout: 5_000 })
    await rig.idle(1)
    rig.clock.advance(500)
    const { connection } = rig.acquire()
    rig.clock.advance(300)
    rig.release(connection)
    rig.clock.advance(199)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'max-lifetime']])
  })

  it('is not lent past it when the timer was too late', async () => {
    const rig = new PoolRig({ maxLifetime: 1_000 })
    const [connection] = await rig.idle(1)
    rig.core.agenda.cancel(connection!)
    rig.clock.advance(1_000)
    rig.acquire()
    expect(rig.endings).toEqual([[1, 'max-lifetime']])
  })

  it('does not let one in line have a connection that has grown too old', async () => {
    const rig = new PoolRig({ maxLifetime: 1_000, maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiter = rig.acquire()
    rig.clock.advance(1_000)
    rig.release(connection!)
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it('Infinity has no end, whatever chance says', async () => {
    const rig = new PoolRig({}, { random: () => 1 })
    const [connection] = await rig.connect(1)
    expect(connection!.lifetimeEndsAt).toBe(Infinity)
  })
})
