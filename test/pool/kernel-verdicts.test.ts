import { describe, expect, it } from 'vitest'
import { codedError, healthy } from '../support/fake-links.js'
import { linkOf, PoolRig } from '../support/pool-rig.js'

describe('the kernel is asked before reuse', () => {
  it.each([
    ['FIN or RST that JavaScript has not read', { established: false }, 'stale'],
    ['bytes that nobody asked for', { unread: 5 }, 'poisoned'],
    ['probes without an answer', { probes: 2 }, 'stale'],
    ['data sent again and again', { retransmits: 1 }, 'stale'],
  ] as const)('%s: closed, and the request goes elsewhere', async (_, view, reason) => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    rig.clock.advance(10)
    linkOf(connection!).kernel = healthy(view)
    const waiter = rig.acquire()
    expect(rig.endings).toEqual([[1, reason]])
    expect(linkOf(connection!).destroyedByPool).toBe(true)
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it('until a good one is found; those beneath it are left alone', async () => {
    const rig = new PoolRig()
    const connections = await rig.idle(4)
    rig.clock.advance(10)
    linkOf(connections[3]!).kernel = healthy({ established: false })
    linkOf(connections[2]!).kernel = healthy({ unread: 1 })
    linkOf(connections[0]!).kernel = healthy({ established: false })
    expect(rig.acquire().connection.id).toBe(2)
    expect(rig.endings).toEqual([
      [4, 'stale'],
      [3, 'poisoned'],
    ])
    expect(linkOf(connections[0]!).inspections).toBe(1)
  })

  it('once, after 1 ms of idling', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    const before = linkOf(connection!).inspections
    rig.clock.advance(1)
    rig.acquire()
    expect(linkOf(connection!).inspections - before).toBe(1)
  })

  it('not in the millisecond in which it was released', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    const before = linkOf(connection!).inspections
    rig.acquire()
    expect(linkOf(connection!).inspections).toBe(before)
  })

  it('at its release already when its exchange took 500 ms, not 499: the FIN may be behind the response', async () => {
    for (const [ms, endings] of [
      [499, []],
      [500, [[1, 'stale']]],
    ] as const) {
      const rig = new PoolRig()
      const [connection] = await rig.connect(1)
      rig.clock.advance(ms)
      linkOf(connection!).kernel = healthy({ established: false })
      rig.release(connection!)
      expect(rig.endings).toEqual(endings)
    }
  })

  it('at its release, too, when somebody stands in line for it', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiter = rig.acquire()
    rig.clock.block(6_000)
    linkOf(connection!).kernel = healthy({ established: false })
    rig.release(connection!)
    expect(rig.endings).toEqual([[1, 'stale']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it('how old the last data is: the time counts from that, 4950 ms of 5 s', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    rig.clock.advance(3_000)
    rig.release(connection!, 'timeout=5')
    rig.clock.advance(1_950)
    // The response had been in the kernel for 3 s when it was read.
    linkOf(connection!).kernel = healthy({ sinceLastData: 4_950 })
    rig.acquire()
    expect(rig.endings).toEqual([[1, 'advertised-timeout']])
  })

  it('about the way, for the next margin', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    rig.clock.advance(10)
    // Of the first guess of 40, half a round trip, one answer has left three quarters: 10 were observed.
    linkOf(connection!).kernel = healthy({ rtt: 80, rttVariance: 40 })
    rig.acquire()
    rig.release(connection!, 'timeout=5')
    expect(connection!.margin).toBe(80 + 4 * 10)
  })
})

describe('a granted connection is looked at once more just before the write', () => {
  it('when a turn of 1 ms or more lies between, and it had idled for 100 ms', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    rig.clock.advance(99)
    rig.acquire()
    linkOf(connection!).kernel = healthy({ established: false })
    expect(rig.origin().confirm(connection!, false)).toBe(true)
    rig.clock.advance(1)
    expect(rig.origin().confirm(connection!, false)).toBe(false)
    expect(rig.endings).toEqual([[1, 'stale']])
  })

  it('not when it was in use until a moment ago, less than 100 ms', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    rig.clock.advance(50)
    rig.acquire()
    rig.clock.advance(49)
    linkOf(connection!).kernel = healthy({ established: false })
    expect(rig.origin().confirm(connection!, false)).toBe(true)
    rig.clock.advance(1)
    expect(rig.origin().confirm(connection!, false)).toBe(false)
  })

  it('not when it is new: that is no keep-alive race', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.connect(1)
    rig.clock.advance(500)
    linkOf(connection!).kernel = healthy({ established: false })
    expect(rig.origin().confirm(connection!, false)).toBe(true)
  })

  it('and not used past its time, kernel or not', async () => {
    for (const kernel of [true, false]) {
      const rig = new PoolRig({ keepAliveMargin: 50 }, { kernel })
      const [connection] = await rig.connect(1)
      rig.release(connection!, 'timeout=5')
      rig.clock.advance(4_900)
      rig.acquire()
      rig.twoTurns()
      rig.clock.block(50)
      expect(rig.origin().confirm(connection!, false)).toBe(false)
      expect(rig.endings).toEqual([[1, 'advertised-timeout']])
    }
  })
})

describe('where the kernel cannot be asked, just before the write', () => {
  it('a connection that idled is to settle again if the turn took 1 ms or more, when its request insists', async () => {
    const rig = new PoolRig({}, { kernel: false })
    const [connection] = await rig.idle(1)
    rig.clock.advance(200)
    const waiter = rig.acquire()
    rig.twoTurns()
    expect(rig.origin().confirm(connection!, true)).toBe(true)
    rig.clock.block(1)
    expect(rig.origin().confirm(connection!, true)).toBe(false)
    expect(rig.origin().confirm(connection!, false)).toBe(true)
    // As the request does that was told no.
    rig.origin().giveBack(connection!)
    rig.acquire('a', waiter)
    expect([connection!.state, waiter.grants.length]).toEqual(['settling', 1])
    rig.twoTurns()
    expect(waiter.grants).toHaveLength(2)
    expect(rig.origin().counters).toMatchObject({ requests: 2, reused: 1 })
  })
})

describe('a connection that its peer ends', () => {
  it.each([
    ['FIN', { fin: true }, 'server-fin'],
    ['RST', { error: codedError('ECONNRESET') }, 'reset'],
    ['keepalive', { error: codedError('ETIMEDOUT') }, 'dead'],
    ['bytes on it', { error: new Error('bytes') }, 'poisoned'],
  ] as const)('while it is idle leaves the pool: %s', async (_, ending, reason) => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    linkOf(connection!).ends(ending)
    expect(rig.endings).toEqual([[1, reason]])
    expect(rig.origin().quiet).toBe(true)
    expect(rig.core.slots.used).toBe(0)
  })

  it('under a request is closed with the reason that is known, by whoever notices first', async () => {
    const rig = new PoolRig()
    const [first, second] = await rig.connect(2)
    const error = codedError('ECONNRESET')
    // The request's error comes first, then the close of the link.
    linkOf(first!).breaks({ error })
    rig.origin().discard(first!, error)
    linkOf(first!).report()
    // The other way round.
    linkOf(second!).ends({ error })
    rig.origin().discard(second!, error)
    expect(rig.endings).toEqual([
      [1, 'reset'],
      [2, 'reset'],
    ])
  })

  it('between its response and its release is not released', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiter = rig.acquire()
    linkOf(connection!).breaks({ fin: true })
    rig.release(connection!)
    expect(waiter.waits).toBe(true)
    linkOf(connection!).report()
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it('tells of its error', async () => {
    const rig = new PoolRig()
    const told: unknown[] = []
    rig.core.events.on('close', (event) => told.push(event))
    const [connection] = await rig.idle(1)
    rig.clock.advance(40)
    const error = codedError('ECONNRESET')
    linkOf(connection!).ends({ error })
    expect(told).toMatchObject([{ reason: 'reset', error, connection: { id: 1, age: 40, idle: 40, requests: 1 } }])
  })
})

describe('a connection that its caller takes over', () => {
  it('leaves the pool without being closed', async () => {
    const rig = new PoolRig({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiter = rig.acquire()
    rig.origin().detach(connection!)
    expect(linkOf(connection!)).toMatchObject({ gone: true, destroyed: false, owner: undefined })
    expect(rig.endings).toEqual([[1, 'upgrade']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })
})
