import { describe, expect, it } from 'vitest'
import { PoolRig } from '../support/pool-rig.js'

describe('what an origin advertised last', () => {
  it('holds for its new connections until their first response', async () => {
    const rig = new PoolRig({ keepAliveMargin: 50, maxConnections: 2 })
    const [first] = await rig.connect(1)
    rig.acquire()
    rig.release(first!, 'timeout=2')
    // The dial for the one who was served by the first: a connection that nobody has used.
    await rig.openAll()
    expect(rig.origin().state).toMatchObject({ active: 1, idle: 1 })
    rig.clock.advance(1_949)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[2, 'advertised-timeout']])
  })

  it('is replaced by what the first response says', async () => {
    const rig = new PoolRig({ keepAliveMargin: 50 })
    const [first] = await rig.connect(1)
    rig.release(first!, 'timeout=2')
    rig.acquire()
    const [second] = await rig.connect(1)
    expect(second!.advertisedTimeout).toBe(2_000)
    rig.release(second!, 'timeout=8')
    rig.clock.advance(7_949)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[2, 'advertised-timeout']])
  })

  it('is forgotten with a first response that says nothing: keepAliveTimeout holds then', async () => {
    const rig = new PoolRig({ keepAliveMargin: 50, keepAliveTimeout: 300 })
    const [first] = await rig.connect(1)
    rig.release(first!, 'timeout=20')
    rig.acquire()
    const [second] = await rig.connect(1)
    rig.release(second!)
    rig.clock.advance(299)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[2, 'idle-timeout']])
  })

  it('says nothing of another origin', async () => {
    const rig = new PoolRig()
    const [first] = await rig.connect(1, 'a')
    rig.release(first!, 'timeout=2')
    const [other] = await rig.connect(1, 'b')
    expect(other!.advertisedTimeout).toBeUndefined()
  })

  it('is of two connections what was heard last', async () => {
    const rig = new PoolRig()
    const [first, second] = await rig.connect(2)
    rig.release(first!, 'timeout=2')
    rig.release(second!, 'timeout=9')
    expect(rig.origin().hints.advertisedTimeout).toBe(9_000)
    expect([first!.advertisedTimeout, second!.advertisedTimeout]).toEqual([2_000, 9_000])
  })

  it('does not change with a header that names no timeout', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=2')
    rig.acquire()
    rig.release(connection!, 'max=7')
    expect([rig.origin().hints.advertisedTimeout, connection!.advertisedTimeout]).toEqual([2_000, 2_000])
    expect(connection!.remaining).toBe(7)
  })

  it('never includes max: each connection has its own', async () => {
    const rig = new PoolRig()
    const [first] = await rig.connect(1)
    rig.release(first!, 'timeout=5, max=2')
    rig.acquire()
    const [second] = await rig.connect(1)
    expect(second!.remaining).toBe(Infinity)
  })
})

describe('what a server advertised of another hop, without Connection: keep-alive', () => {
  it.each([
    ['longer than keepAliveTimeout, does not count', 'timeout=60', 3_000],
    ['shorter than keepAliveTimeout, holds', 'timeout=2', 2_000],
  ])('%s', async (_, header, timeout) => {
    const rig = new PoolRig({ keepAliveTimeout: 3_000, keepAliveMargin: 50 })
    const [connection] = await rig.connect(1)
    rig.origin().hints.heard(connection!, header, false)
    rig.origin().release(connection!)
    expect([connection!.advertisedTimeout, rig.origin().hints.advertisedTimeout]).toEqual([timeout, timeout])
    rig.clock.advance(timeout - 51)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.reasons).toHaveLength(1)
  })
})
