import { describe, expect, it } from 'vitest'
import { idsOf, PoolRig } from '../support/pool-rig.js'

describe('maxRequests', () => {
  it('3 closes a connection after its third request, not after its second', async () => {
    const rig = new PoolRig({ maxRequests: 3 })
    const [connection] = await rig.idle(1)
    rig.release(rig.acquire().connection)
    expect(rig.endings).toEqual([])
    expect(rig.acquire().connection.closeReason).toBe('max-requests')
    rig.release(connection!)
    expect(rig.endings).toEqual([[1, 'max-requests']])
    expect(connection!.requests).toBe(3)
  })

  it('1 uses each connection once', async () => {
    const rig = new PoolRig({ maxRequests: 1, maxConnections: 1 })
    const waiters = rig.acquireMany(3)
    for (const waiter of waiters) {
      await rig.openAll()
      rig.release(waiter.connection)
    }
    expect(idsOf(waiters.map(({ connection }) => connection))).toEqual([1, 2, 3])
    expect(rig.reasons).toEqual(['max-requests', 'max-requests', 'max-requests'])
  })

  it('does not count a request that was not sent after all', async () => {
    const rig = new PoolRig({ maxRequests: 2 })
    const [connection] = await rig.idle(1)
    expect(connection!.requests).toBe(1)
    rig.origin().giveBack(rig.acquire().connection)
    // Said to be the last on it, so it goes; but nothing was used up before that.
    expect(rig.origin().counters.requests).toBe(1)
  })
})

describe('a max that counts down', () => {
  it('lets the last permitted request go out knowing that it is the last', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    const sent: (string | undefined)[] = []
    for (const max of [2, 1]) {
      rig.release(connection!, `timeout=5, max=${max}`)
      sent.push(rig.acquire().connection.closeReason)
    }
    // After max=1 one more is permitted: it is the one that is told to close.
    expect(sent).toEqual([undefined, 'advertised-max'])
    rig.release(connection!)
    expect(rig.endings).toEqual([[1, 'advertised-max']])
    expect(connection!.requests).toBe(3)
  })

  it('of 0 closes at once', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=5, max=0')
    expect(rig.endings).toEqual([[1, 'advertised-max']])
  })

  it('has nobody wait behind the last one: who stands in line gets another connection', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const [last, next] = rig.acquireMany(2)
    rig.release(connection!, 'max=1')
    expect(last!.connection.id).toBe(1)
    rig.release(connection!)
    await rig.openAll()
    expect(next!.connection.id).toBe(2)
  })

  it('is obeyed to the end where it is Apache with 5: 5 requests, 4 by count and the last with close', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    for (let max = 4; max >= 1; max--) {
      rig.release(connection!, `timeout=5, max=${max}`)
      expect(rig.acquire().connection.id).toBe(1)
    }
    expect(connection!.closeReason).toBe('advertised-max')
    rig.release(connection!)
    expect([connection!.requests, rig.reasons]).toEqual([5, ['advertised-max']])
  })
})

describe('a max that is a constant total', () => {
  it('of 5 permits 5 requests, not 6', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    let requests = 1
    while (rig.endings.length === 0) {
      rig.release(connection!, 'timeout=5, max=5')
      if (rig.endings.length === 0) {
        rig.acquire()
        requests++
      }
      expect(requests).toBeLessThan(10)
    }
    expect(requests).toBe(5)
    expect(rig.endings).toEqual([[1, 'advertised-max']])
  })

  it('is remembered for the next connections of the origin, and not of others', async () => {
    const rig = new PoolRig()
    const [first] = await rig.connect(1)
    rig.release(first!, 'max=100')
    rig.acquire()
    rig.release(first!, 'max=100')
    expect(rig.origin().hints.constantMax).toBe(true)
    rig.acquire()
    const [second] = await rig.connect(1)
    rig.release(second!, 'max=100')
    expect(second!.remaining).toBe(99)
    const [other] = await rig.connect(1, 'b')
    rig.release(other!, 'max=100')
    expect(other!.remaining).toBe(100)
  })
})

describe('a connection that the server gave no max', () => {
  it('has no limit', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    for (let n = 0; n < 1_000; n++) {
      rig.release(connection!, 'timeout=5')
      rig.acquire()
    }
    expect([connection!.requests, connection!.remaining]).toEqual([1_001, Infinity])
  })
})
