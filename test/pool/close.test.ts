import { describe, expect, it } from 'vitest'
import { ClosedError } from '../../src/errors.js'
import { codedError, FakeWaiter } from '../support/fake-links.js'
import { linkOf, PoolRig, passed } from '../support/pool-rig.js'

interface Closing {
  readonly done: boolean
}

/** Closes the pool; `done` says whether that is over. */
function closing(rig: PoolRig): Closing {
  const state = { done: false }
  void rig.core.close().then(() => (state.done = true))
  return state
}

/** Nothing is left to happen that would end it later. */
async function expectOver(...all: Closing[]): Promise<void> {
  await passed()
  expect(all.map(({ done }) => done)).toEqual(all.map(() => true))
}

describe('close', () => {
  it('is over at once where nothing is open', async () => {
    const rig = new PoolRig()
    rig.origin()
    await expectOver(closing(rig))
    expect(rig.core).toMatchObject({ closing: true, over: true })
  })

  it('closes what is idle, of all origins', async () => {
    const rig = new PoolRig()
    await rig.idle(2, 'a')
    await rig.idle(1, 'b')
    await expectOver(closing(rig))
    expect(rig.reasons).toEqual(['pool-closed', 'pool-closed', 'pool-closed'])
    expect(rig.core.slots.used).toBe(0)
  })

  it('waits for what runs, and closes it when it comes back', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    const closed = closing(rig)
    await passed()
    expect([closed.done, connection!.state]).toEqual([false, 'active'])
    rig.release(connection!)
    await expectOver(closed)
    expect(rig.endings).toEqual([[1, 'pool-closed']])
  })

  it('serves those who wait', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiters = rig.acquireMany(2)
    const closed = closing(rig)
    for (const waiter of waiters) {
      rig.release(connection!)
      expect(waiter.connection.id).toBe(1)
    }
    await passed()
    expect(closed.done).toBe(false)
    rig.release(connection!)
    await expectOver(closed)
    expect(rig.endings).toEqual([[1, 'pool-closed']])
  })

  it('has connections dialed for those who wait', async () => {
    const rig = new PoolRig()
    const waiter = rig.acquire()
    const closed = closing(rig)
    await rig.openAll()
    rig.release(waiter.connection)
    await expectOver(closed)
    expect(rig.endings).toEqual([[1, 'pool-closed']])
  })

  it('waits for requests that have no connection at the moment', async () => {
    const rig = new PoolRig()
    rig.core.taken()
    const closed = closing(rig)
    await passed()
    expect(closed.done).toBe(false)
    rig.core.settled()
    await expectOver(closed)
  })

  it('is over when all who waited were refused', async () => {
    const rig = new PoolRig()
    const waiters = rig.acquireMany(2)
    const closed = closing(rig)
    for (const dial of rig.dialer.running) dial.fail()
    await expectOver(closed)
    expect(waiters.every(({ refusals }) => refusals.length === 1)).toBe(true)
  })

  it('gives up dials that nobody waits for', async () => {
    const rig = new PoolRig({ connect: { concurrency: 2 } })
    for (const waiter of rig.acquireMany(3)) rig.origin().cancel(waiter)
    await expectOver(closing(rig))
    expect(rig.dialer.dials.map(({ state }) => state)).toEqual(['cancelled', 'cancelled'])
  })

  it('gives up dials ahead of need: warm rejects', async () => {
    const rig = new PoolRig()
    const warmed = rig.origin().warm(2)
    const closed = closing(rig)
    await expect(warmed).rejects.toBeInstanceOf(ClosedError)
    await expectOver(closed)
  })

  it('closes a new connection whose request has left meanwhile', async () => {
    const rig = new PoolRig()
    const waiter = rig.acquire()
    const closed = closing(rig)
    rig.origin().cancel(waiter)
    for (const dial of rig.dialer.running) dial.open()
    await expectOver(closed)
    expect(rig.core.slots.used).toBe(0)
    expect(rig.origin().counters.closed['pool-closed']).toBe(rig.origin().counters.opened)
  })

  it('closes what is given back unused', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    const closed = closing(rig)
    rig.origin().giveBack(connection!)
    await expectOver(closed)
    expect(rig.endings).toEqual([[1, 'pool-closed']])
  })

  it('closes what the last one in line gives back within its grant', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiter = new FakeWaiter()
    waiter.whenGranted = (given) => rig.origin().giveBack(given)
    rig.acquire('a', waiter)
    const closed = closing(rig)
    rig.release(connection!)
    await expectOver(closed)
    expect([waiter.grants.length, rig.endings]).toEqual([1, [[1, 'pool-closed']]])
  })

  it('closes an idle connection that was being looked at, when nobody wants it after all', async () => {
    const rig = new PoolRig({}, { kernel: false })
    await rig.idle(1)
    rig.clock.advance(10)
    rig.origin().cancel(rig.acquire())
    const closed = closing(rig)
    rig.twoTurns()
    await expectOver(closed)
    expect(rig.endings).toEqual([[1, 'pool-closed']])
  })

  it('lets a request whose connection broke before it was sent have another', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    rig.core.taken()
    const waiter = rig.acquire()
    const closed = closing(rig)
    linkOf(connection!).ends({ error: codedError('ECONNRESET') })
    rig.acquire('a', waiter)
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
    rig.core.settled()
    rig.release(waiter.connection)
    await expectOver(closed)
  })

  it('is over although a warm found no room for a connection', async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    const [connection] = await rig.connect(1, 'a')
    await rig.origin('b').warm(1)
    const closed = closing(rig)
    rig.release(connection!)
    await expectOver(closed)
  })

  it('can be called again, before and after it is over', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    const [first, second] = [closing(rig), closing(rig)]
    rig.release(connection!)
    await expectOver(first, second)
    await expectOver(closing(rig))
    expect(rig.endings).toHaveLength(1)
  })

  it('leaves no timer', async () => {
    const rig = new PoolRig({ acquireTimeout: 0 })
    await rig.idle(3)
    await expectOver(closing(rig))
    rig.clock.advance(1_000)
    expect(rig.clock.timers).toBe(0)
  })
})

describe('destroy', () => {
  const error = new ClosedError('destroyed')

  it('closes what runs and what is idle, and refuses who waits, with its error', async () => {
    const rig = new PoolRig({ maxConnections: 2 })
    const [active] = await rig.connect(1)
    const [idle] = await rig.idle(1)
    const waiters = [...rig.acquireMany(1), ...rig.acquireMany(3)]
    rig.core.destroy(error)
    expect(rig.reasons).toEqual(['pool-closed', 'pool-closed'])
    for (const connection of [active!, idle!]) expect(linkOf(connection).destroyedWith).toBe(error)
    expect(waiters[0]!.connection.id).toBe(2)
    for (const waiter of waiters.slice(1)) expect(waiter.refusals).toEqual([error])
    expect(rig.core).toMatchObject({ closing: true, destroyed: true, over: true })
  })

  it('gives up dials, those in the queue as well', async () => {
    const rig = new PoolRig({ connect: { concurrency: 2 } })
    const waiters = rig.acquireMany(5)
    rig.core.destroy(error)
    await passed()
    expect(rig.dialer.dials.map(({ state }) => state)).toEqual(['cancelled', 'cancelled'])
    expect(waiters.every(({ refusals }) => refusals.length === 1)).toBe(true)
    expect(rig.origin().quiet).toBe(true)
    expect(rig.core.slots.used).toBe(0)
  })

  it('is no connect failure: none is counted, and its error stays as it is', async () => {
    const rig = new PoolRig()
    const failed: Error[] = []
    const nothing = (): void => {}
    rig.core.listen({ opened: nothing, ended: nothing, drained: nothing, dialFailed: (_, each) => failed.push(each) })
    rig.acquireMany(2)
    const own = new Error('going away')
    rig.core.destroy(own)
    await passed()
    expect(own.cause).toBeUndefined()
    expect([failed, rig.origin().counters.dialFailures]).toEqual([[], 0])
  })

  it('closes a connection that was opened in the same moment', async () => {
    const rig = new PoolRig()
    const waiter = rig.acquire()
    const link = rig.dialer.running[0]!.open()
    rig.core.destroy(error)
    await passed()
    expect([link.destroyed, waiter.grants.length, waiter.refusals.length]).toEqual([true, 0, 1])
    expect(rig.core.slots.used).toBe(0)
  })

  it('dials for nobody, though slots become free in the middle of it', async () => {
    const rig = new PoolRig({ maxTotalConnections: 1 })
    await rig.connect(1, 'a')
    const waiter = rig.acquire('b')
    rig.core.destroy(error)
    expect(waiter.refusals).toEqual([error])
    expect(rig.dialer.dials).toHaveLength(1)
  })

  it('refuses a request that comes again because its connection broke before it was sent', async () => {
    const rig = new PoolRig()
    await rig.idle(1)
    const waiter = rig.acquire()
    rig.core.destroy(error)
    rig.acquire('a', waiter)
    await passed()
    expect(waiter.refusals).toEqual([error])
    expect(rig.dialer.dials).toHaveLength(1)
  })

  it('ends a close that waits', async () => {
    const rig = new PoolRig()
    await rig.connect(1)
    const closed = closing(rig)
    rig.core.destroy(error)
    await expectOver(closed)
  })

  it('twice does no more than once', async () => {
    const rig = new PoolRig()
    await rig.connect(2)
    rig.core.destroy(error)
    rig.core.destroy(new Error('again'))
    expect(rig.endings).toHaveLength(2)
  })

  it('leaves nothing to wake', async () => {
    const rig = new PoolRig()
    await rig.idle(3)
    rig.acquireMany(5)
    rig.core.destroy(error)
    await passed()
    rig.clock.advance(30_000)
    expect(rig.clock.timers).toBe(0)
  })
})
