import { describe, expect, it } from 'vitest'
import type { PoolOptions } from '../../src/index.js'
import type { Connection } from '../../src/pool/connection.js'
import { healthy } from '../support/fake-links.js'
import { linkOf, PoolRig, passed } from '../support/pool-rig.js'

/** A pool that has learned long ago that the server closes after 5 s: time to look again. */
async function curious(options: PoolOptions = {}, settings = {}): Promise<PoolRig> {
  const rig = new PoolRig(options, settings)
  await rig.teach(5_000)
  rig.clock.advance(60_000)
  return rig
}

/** The connection of such a pool whose time has just run out. */
async function watching(options: PoolOptions = {}): Promise<[PoolRig, Connection]> {
  const rig = await curious(options)
  const [connection] = await rig.idle(1)
  rig.clock.advance(4_950)
  expect(connection!.state).toBe('watched')
  return [rig, connection!]
}

describe('a connection whose learned time is over', () => {
  it('is watched when the timeout was not confirmed for ten times its length, else closed', async () => {
    for (const [since, state] of [
      [49_999, 'closed'],
      [50_000, 'watched'],
    ] as const) {
      const rig = new PoolRig()
      await rig.teach(5_000)
      rig.clock.advance(since - 1_000 - 4_950)
      const [connection] = await rig.idle(1)
      rig.clock.advance(4_949)
      expect(connection!.state).toBe('idle')
      rig.clock.advance(1)
      expect(connection!.state).toBe(state)
    }
  })

  it('is still open then, parked, and counts as idle', async () => {
    const [rig, connection] = await watching()
    expect(rig.endings).toEqual([])
    expect(linkOf(connection)).toMatchObject({ destroyed: false, parked: true })
    expect(rig.origin().state).toMatchObject({ active: 0, idle: 1 })
    expect(rig.core.slots.used).toBe(1)
  })

  it('is lent to nobody any more', async () => {
    const [rig, connection] = await watching()
    const waiters = rig.acquireMany(2)
    await rig.openAll()
    expect(waiters.map((waiter) => waiter.connection.id)).toEqual([5, 6])
    expect(connection.state).toBe('watched')
  })

  it('is watched alone: others to its address are closed', async () => {
    const rig = await curious()
    await rig.idle(3)
    rig.clock.advance(4_950)
    expect([...rig.origin().connections].map(({ state }) => state)).toEqual(['watched'])
    expect(rig.reasons).toEqual(['learned-timeout', 'learned-timeout'])
  })

  it('is watched beside one to another address, of which something else is known', async () => {
    const rig = await curious()
    rig.linksTo('127.0.0.2')
    for (let closed = 0; closed < 3; closed++) {
      rig.origin().lessons!.of('127.0.0.2').serverClosed(4_000, rig.clock.now(), undefined)
      rig.clock.advance(1_000)
    }
    rig.clock.advance(60_000)
    const [there] = await rig.idle(1)
    rig.linksTo('127.0.0.1')
    const [busy] = await rig.connect(2)
    const [here] = [...rig.origin().connections].slice(-1)
    for (const connection of [busy!, here!]) rig.release(connection)
    rig.clock.advance(4_950)
    expect([there!.state, here!.state]).toEqual(['watched', 'watched'])
    expect(rig.endings).toEqual([])
  })

  it('is closed all the same when it was never used: nothing is to be seen on it', async () => {
    const rig = await curious()
    void rig.origin().warm(1)
    await rig.openAll()
    rig.clock.advance(4_950)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
  })

  it('is closed all the same when the time to watch it is over as well', async () => {
    const rig = await curious()
    const [connection] = await rig.connect(1)
    rig.core.agenda.cancel(connection!)
    rig.clock.advance(12_500)
    // The response has lain in the kernel for twice the 6 s that would disprove the timeout.
    linkOf(connection!).kernel = healthy({ sinceLastData: 12_000 })
    rig.release(connection!)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
  })

  it.each([
    ['the server said so', undefined, 'server-close'],
    ['bytes came that nobody asked for', { unread: 1 }, 'poisoned'],
    ['the server owes an answer to a probe', { probes: 1 }, 'learned-timeout'],
    ['its FIN has come meanwhile', { established: false }, 'stale'],
  ] as const)('is closed all the same when %s', async (_, view, reason) => {
    const rig = await curious()
    const [connection] = await rig.connect(1)
    rig.core.agenda.cancel(connection!)
    rig.clock.advance(6_000)
    linkOf(connection!).kernel = healthy({ sinceLastData: 5_500, ...view })
    if (view === undefined) connection!.retire('server-close')
    rig.release(connection!)
    expect(rig.endings).toEqual([[4, reason]])
  })

  it('is closed all the same when the pool is being closed', async () => {
    const rig = await curious()
    const [connection] = await rig.connect(1)
    rig.clock.advance(6_000)
    linkOf(connection!).kernel = healthy({ sinceLastData: 5_500 })
    void rig.core.close()
    rig.release(connection!)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
  })
})

/** Its response had lain in the kernel for 5.5 s, longer than is learned. */
function releaseLate(rig: PoolRig, connection: Connection): void {
  rig.core.agenda.cancel(connection)
  rig.clock.advance(6_000)
  linkOf(connection).kernel = healthy({ sinceLastData: 5_500 })
  rig.release(connection)
}

describe('a connection whose learned time was over before it came back', () => {
  it('is watched for as long as any other', async () => {
    const rig = await curious()
    const [connection] = await rig.connect(1)
    releaseLate(rig, connection!)
    expect(connection!.state).toBe('watched')
    rig.clock.advance(12_000 - 5_500 - 1)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
  })

  it('gives way to another origin like any other', async () => {
    const rig = await curious({ maxTotalConnections: 1 })
    const [connection] = await rig.connect(1)
    releaseLate(rig, connection!)
    expect(connection!.state).toBe('watched')
    rig.acquire('b')
    expect(rig.endings).toEqual([[4, 'surplus']])
  })
})

describe('a connection whose learned time is over is not watched where its place is needed:', () => {
  it('somebody waits at maxConnections', async () => {
    const rig = await curious({ maxConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiter = rig.acquire()
    releaseLate(rig, connection!)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(5)
  })

  it('another origin waits at maxTotalConnections', async () => {
    const rig = await curious({ maxTotalConnections: 1 })
    const [connection] = await rig.connect(1)
    const waiter = rig.acquire('b')
    releaseLate(rig, connection!)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
    await rig.openAll()
    expect(waiter.connection.origin.key).toBe('http://b')
  })
})

describe('a watched connection', () => {
  it('is closed by the server, which confirms the timeout: the next is not watched', async () => {
    const [rig, connection] = await watching()
    rig.clock.advance(70)
    linkOf(connection).ends({ fin: true, finAge: 10 })
    expect(rig.endings).toEqual([[4, 'server-fin']])
    rig.clock.advance(1_000)
    expect(connection.lesson!.samples).toEqual([5_000, 5_000, 5_000, 5_010])
    const [next] = await rig.idle(1)
    rig.clock.advance(4_950)
    expect(next!.state).toBe('closed')
  })

  it('is closed by us after 12 s, twice what would disprove the 5 s, and the next is watched', async () => {
    const [rig, connection] = await watching()
    rig.clock.advance(12_000 - 4_950 - 1)
    expect(connection.state).toBe('watched')
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
    const [next] = await rig.idle(1)
    rig.clock.advance(4_950)
    expect(next!.state).toBe('watched')
  })

  it('disproves the timeout together with two more, and then connections idle on', async () => {
    const [rig] = await watching()
    rig.clock.advance(20_000)
    for (let more = 0; more < 2; more++) {
      expect(rig.learned).toHaveLength(1)
      await rig.idle(1)
      rig.clock.advance(20_000)
    }
    expect(rig.reasons).toEqual(['learned-timeout', 'learned-timeout', 'learned-timeout'])
    expect(rig.learned.slice(1)).toEqual([
      { origin: 'http://a', address: '127.0.0.1', timeout: undefined, samples: [] },
    ])
    const [next] = await rig.idle(1)
    rig.clock.advance(29_999)
    expect(next!.state).toBe('idle')
  })

  it.each([
    ['keepAliveTimeout', { keepAliveTimeout: 8_000 }, undefined, 8_000, 'learned-timeout'],
    ['what is advertised', {}, 'timeout=9', 8_950, 'learned-timeout'],
    ['its lifetime', { maxLifetime: 7_000 }, undefined, 7_000, 'max-lifetime'],
  ] as const)('is kept for no longer than %s allows', async (_, options, header, at, reason) => {
    const rig = await curious(options)
    const [connection] = await rig.connect(1)
    rig.release(connection!, header)
    rig.clock.advance(at - 1)
    expect(connection!.state).toBe('watched')
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[4, reason]])
  })

  it('does not count among maxIdleConnections', async () => {
    const [rig, connection] = await watching({ maxIdleConnections: 1 })
    const [next] = await rig.idle(1)
    expect([connection.state, next!.state]).toEqual(['watched', 'idle'])
    expect(rig.endings).toEqual([])
  })

  it('is closed at maxConnections when somebody comes, who has its place', async () => {
    const [rig] = await watching({ maxConnections: 1 })
    const waiter = rig.acquire()
    expect(rig.endings).toEqual([[4, 'surplus']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(5)
  })

  it('is closed at maxConnections before any idle one when somebody insists on a new connection', async () => {
    const [rig] = await watching({ maxConnections: 2 })
    await rig.idle(1)
    const waiter = rig.acquireNew()
    expect(rig.endings).toEqual([[4, 'surplus']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(6)
  })

  it('is left alone at maxConnections by one who can have an idle connection', async () => {
    const [rig] = await watching({ maxConnections: 2 })
    await rig.idle(1)
    expect(rig.acquire().connection.id).toBe(5)
    expect(rig.endings).toEqual([])
  })

  it('is closed at maxTotalConnections when another origin needs its place, in the order of the last use', async () => {
    const [rig, connection] = await watching({ maxTotalConnections: 3 })
    await rig.idle(1, 'b')
    rig.clock.advance(10)
    await rig.idle(1, 'c')
    rig.acquire('d')
    expect(connection.state).toBe('closed')
    expect(rig.endings).toEqual([[4, 'surplus']])
    rig.acquire('d')
    expect(rig.reasons).toEqual(['surplus', 'surplus'])
    expect(rig.origin('b').size).toBe(0)
  })

  it('is closed at maxTotalConnections when its own origin needs its place', async () => {
    const [rig] = await watching({ maxTotalConnections: 1 })
    const waiter = rig.acquire()
    expect(rig.endings).toEqual([[4, 'surplus']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(5)
  })

  it('is followed by another one when it had to give way', async () => {
    const [rig] = await watching({ maxConnections: 1 })
    const waiter = rig.acquire()
    await rig.openAll()
    rig.release(waiter.connection)
    rig.clock.advance(4_950)
    expect(waiter.connection.state).toBe('watched')
  })

  it('is closed with the pool, at once', async () => {
    const [rig] = await watching()
    await rig.core.close()
    expect(rig.endings).toEqual([[4, 'pool-closed']])
    expect(rig.core.slots.used).toBe(0)
  })

  it('is destroyed with the pool', async () => {
    const [rig] = await watching()
    void rig.core.destroy(new Error('enough'))
    expect(rig.endings).toEqual([[4, 'pool-closed']])
  })

  it('does not count where connections are to be opened ahead of need', async () => {
    const [rig, connection] = await watching()
    const warmed = rig.origin().warm(2)
    await rig.openAll()
    await warmed
    expect(rig.origin()).toMatchObject({ usable: 2, size: 3 })
    expect(connection.state).toBe('watched')
  })

  it('gives way at maxConnections to one that is opened ahead of need', async () => {
    const [rig] = await watching({ maxConnections: 1 })
    const warmed = rig.origin().warm(1)
    expect(rig.endings).toEqual([[4, 'surplus']])
    await rig.openAll()
    await warmed
    expect(rig.origin()).toMatchObject({ usable: 1, size: 1 })
  })

  it('serves nobody whose dial failed', async () => {
    const [rig, connection] = await watching()
    const waiter = rig.acquire()
    const error = rig.dialer.running[0]!.fail()
    await passed()
    expect(waiter.refusals).toEqual([error])
    expect(connection.state).toBe('watched')
  })

  it('keeps the pool from being forgotten, and not from being quiet once it is closed', async () => {
    const [rig, connection] = await watching()
    expect(rig.origin().quiet).toBe(false)
    linkOf(connection).ends({ fin: true, finAge: 0 })
    expect(rig.origin().quiet).toBe(true)
  })
})
