import { describe, expect, it } from 'vitest'
import type { PoolEvents } from '../../src/events.js'
import { statsOf } from '../../src/telemetry/stats.js'
import { FakeWaiter } from '../support/fake-links.js'
import { PoolRig } from '../support/pool-rig.js'

const replay = {
  method: 'POST',
  verdict: 'refused',
  evidence: { written: 9, sent: 9, acknowledged: 0, fin: true, reset: true, requestTimeout: false, watched: 12 },
  attempt: 1,
} as const

describe('a request that is sent again', () => {
  it('is counted for its origin and the pool', () => {
    const rig = new PoolRig()
    rig.origin('a').replays(replay)
    rig.origin('a').replays({ ...replay, attempt: 2 })
    rig.origin('b').replays(replay)
    const stats = statsOf(rig.core)
    expect(stats.replayed).toBe(3)
    expect([stats.origins['http://a']!.replayed, stats.origins['http://b']!.replayed]).toEqual([2, 1])
  })

  it('is counted when its origin is forgotten', () => {
    const rig = new PoolRig()
    rig.origin().replays(replay)
    for (let n = 0; n < 1000; n++) rig.origin(`other${n}`)
    expect(rig.core.peek('http://a')).toBeUndefined()
    expect(statsOf(rig.core).replayed).toBe(1)
  })

  it('is told with its origin', () => {
    const rig = new PoolRig()
    const told: Parameters<PoolEvents['replay']>[0][] = []
    rig.core.events.on('replay', (event) => told.push(event))
    rig.origin().replays(replay)
    expect(told).toEqual([{ origin: 'http://a', ...replay }])
  })

  it('counts as another request that was given a connection', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    const waiter = rig.acquire()
    rig.origin().discard(connection!, new Error('died'))
    rig.origin().replays(replay)
    rig.acquire('a', waiter)
    await rig.openAll()
    expect(rig.origin().counters).toMatchObject({ requests: 3, reused: 1, replayed: 1, waits: 2 })
  })
})

describe('a request of which it is not known yet whether it can be sent again', () => {
  it('is refused when the pool is destroyed', () => {
    const rig = new PoolRig()
    const [first, second] = [new FakeWaiter(), new FakeWaiter()]
    rig.core.onTrial.add(first)
    rig.core.onTrial.add(second)
    // As requests do that are settled.
    for (const waiter of [first, second]) waiter.whenRefused = () => void rig.core.onTrial.delete(waiter)
    const error = new Error('enough')
    void rig.core.destroy(error)
    expect([first.refusals, second.refusals]).toEqual([[error], [error]])
    expect(rig.core.onTrial.size).toBe(0)
  })

  it('keeps the pool from being over', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    rig.core.taken()
    const waiter = rig.acquire()
    rig.origin().discard(connection!, new Error('died'))
    rig.core.onTrial.add(waiter)
    let closed = false
    const close = rig.core.close().then(() => (closed = true))
    await new Promise(setImmediate)
    expect(closed).toBe(false)
    rig.core.onTrial.delete(waiter)
    rig.core.settled()
    await close
    expect(rig.core.over).toBe(true)
  })
})
