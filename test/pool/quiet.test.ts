import { describe, expect, it } from 'vitest'
import { statsOf } from '../../src/telemetry/stats.js'
import { FakeWaiter } from '../support/fake-links.js'
import { PoolRig } from '../support/pool-rig.js'

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, number) => total + number, 0)

describe('an origin', () => {
  it('is quiet when nothing is open or under way and nobody waits', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 100 })
    const origin = rig.origin()
    expect(origin.quiet).toBe(true)
    const waiter = rig.acquire()
    expect(origin.quiet).toBe(false)
    await rig.openAll()
    rig.release(waiter.connection)
    expect(origin.quiet).toBe(false)
    rig.clock.advance(100)
    expect(origin.quiet).toBe(true)
  })

  it('is the same whenever its key is asked for', () => {
    const rig = new PoolRig()
    expect(rig.origin('a')).toBe(rig.origin('a'))
    expect(rig.origin('b')).not.toBe(rig.origin('a'))
    expect(rig.core.peek('http://a')).toBe(rig.origin('a'))
    expect(rig.core.peek('http://c')).toBeUndefined()
  })
})

describe('of quiet origins', () => {
  /** One request each to so many origins, whose connections then expire. */
  async function visit(rig: PoolRig, count: number, prefix = 'origin'): Promise<void> {
    for (let n = 0; n < count; n++) rig.acquire(`${prefix}${n}`)
    await rig.openAll()
    for (const origin of rig.core.origins)
      if (origin.target.hostname.startsWith(prefix))
        for (const connection of origin.connections) rig.release(connection)
    rig.clock.advance(1_000)
  }

  it('1000 are remembered, and the one that has been quiet for longest goes first', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 100 })
    await visit(rig, 1_000)
    expect([...rig.core.origins]).toHaveLength(1_000)
    rig.origin('one more')
    expect([...rig.core.origins]).toHaveLength(1_000)
    expect(rig.core.peek('http://origin0')).toBeUndefined()
    expect(rig.core.peek('http://origin1')).toBeDefined()
  })

  it('those that are forgotten stay in the totals', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 100 })
    await visit(rig, 1_500)
    const { totals } = rig.core
    expect(totals).toMatchObject({ requests: 1_500, opened: 1_500, waits: 1_500 })
    expect(totals.closed['idle-timeout']).toBe(1_500)
    const stats = statsOf(rig.core)
    expect(Object.keys(stats.origins)).toHaveLength(1_000)
    expect([stats.requests, stats.opened, stats.active, stats.idle]).toEqual([1_500, 1_500, 0, 0])
    expect(sum(Object.values(stats.origins).map(({ requests }) => requests))).toBe(1_000)
  })

  it('those that have something open are not counted, nor forgotten', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 100 })
    const [connection] = await rig.connect(1, 'busy')
    await visit(rig, 1_200, 'passing')
    expect(rig.core.peek('http://busy')).toBe(connection!.origin)
    expect([...rig.core.origins]).toHaveLength(1_001)
  })

  it('one that was forgotten while somebody held it comes back with its next request, and counts once', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 100 })
    const held = rig.origin('held')
    const waiter = rig.acquire('held')
    await rig.openAll()
    rig.release(waiter.connection)
    rig.clock.advance(1_000)
    await visit(rig, 1_000)
    expect([held.forgotten, rig.core.peek('http://held')]).toEqual([true, undefined])
    const current = rig.core.current(held)
    expect(current).not.toBe(held)
    expect(rig.core.peek('http://held')).toBe(current)
    rig.acquire('held', waiter)
    await rig.openAll()
    rig.release(waiter.connection)
    expect(rig.core.totals.requests).toBe(1_002)
    await rig.core.close()
    expect(rig.core.totals.closed['pool-closed']).toBe(1)
  })

  it('one that was forgotten, and made anew meanwhile, is not beyond close, caps and numbers', async () => {
    const rig = new PoolRig({ keepAliveTimeout: 100, maxConnections: 1 })
    const held = rig.origin('twice')
    await visit(rig, 1_000)
    const anew = rig.origin('twice')
    await rig.connect(1, 'twice')
    // Somebody still has the old one in hand.
    expect(rig.core.current(held)).toBe(anew)
    rig.core.current(held).acquire(new FakeWaiter())
    await rig.openAll()
    expect(held.size + anew.size).toBe(1)
    const { active, origins } = statsOf(rig.core)
    expect([active, origins['http://twice']?.active]).toEqual([1, 1])
    for (const origin of [held, anew]) for (const connection of origin.connections) rig.release(connection)
    for (const origin of [held, anew]) for (const connection of origin.connections) rig.release(connection)
    await rig.core.close()
    expect(rig.core.slots.used).toBe(0)
  })
})
