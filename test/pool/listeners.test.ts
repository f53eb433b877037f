import { afterEach, describe, expect, it, vi } from 'vitest'
import { ClosedError } from '../../src/errors.js'
import { linkOf, PoolRig, passed } from '../support/pool-rig.js'

afterEach(() => {
  vi.restoreAllMocks()
})

const fails = (): never => {
  throw new Error('thrown by a listener')
}

describe('a listener that throws', () => {
  it('harms neither the pool nor other listeners, and is warned of', async () => {
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const rig = new PoolRig({ maxConnections: 1, keepAliveTimeout: 100 })
    const heard: string[] = []
    for (const event of ['open', 'idle', 'close', 'wait'] as const) {
      rig.core.events.on(event, fails)
      rig.core.events.on(event, () => heard.push(event))
    }
    const [connection] = await rig.connect(1)
    const waiter = rig.acquire()
    rig.release(connection!)
    rig.release(waiter.connection)
    rig.clock.advance(100)
    expect(heard).toEqual(['wait', 'open', 'wait', 'idle', 'close'])
    expect(rig.origin().quiet).toBe(true)
    expect(warnings).toHaveBeenCalledTimes(5)
    expect(warnings.mock.calls[0]![0]).toMatch(/^A listener of the "wait" event threw: Error: thrown by a listener/)
  })
})

describe('a listener that ends the pool', () => {
  it.each(['open', 'idle', 'close', 'wait'] as const)('when it hears %s leaves nothing open', async (event) => {
    const rig = new PoolRig({ maxConnections: 2 })
    let heard = 0
    const [first, second] = await rig.idle(2)
    rig.core.events.on(event, () => {
      heard++
      rig.core.destroy(new ClosedError('destroyed'))
    })
    if (event === 'close') linkOf(first!).ends({ fin: true })
    else if (event === 'idle') rig.release(rig.acquire().connection)
    else {
      linkOf(first!).ends({ fin: true })
      linkOf(second!).ends({ fin: true })
      const waiter = rig.acquire()
      await rig.openAll()
      expect([waiter.grants.length, waiter.refusals.length]).toEqual([0, 1])
    }
    await passed()
    expect(heard).toBeGreaterThan(0)
    expect([rig.core.slots.used, rig.origin().size, rig.origin().state.waiting]).toEqual([0, 0, 0])
  })
})

describe('an error of a dial', () => {
  it.each([
    ['that is frozen', Object.freeze(new Error('frozen'))],
    ['that is no object', 'refused' as unknown as Error],
  ])('%s is passed on as it is', async (_, error) => {
    const rig = new PoolRig()
    const waiter = rig.acquire()
    rig.dialer.running[0]!.fail(error)
    await passed()
    expect(waiter.refusals).toEqual([error])
    expect(rig.core.slots.used).toBe(0)
  })
})
