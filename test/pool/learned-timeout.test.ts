import { describe, expect, it } from 'vitest'
import type { Lesson } from '../../src/pool/lesson.js'
import { healthy } from '../support/fake-links.js'
import { linkOf, PoolRig } from '../support/pool-rig.js'

/** A pool that has learned that the server closes after 5 s, and options. */
async function taught(options = {}, settings = {}): Promise<PoolRig> {
  const rig = new PoolRig(options, settings)
  await rig.teach(5_000)
  return rig
}

/** Three connections, one after the other, have idled for longer and were not closed. */
function disprove(rig: PoolRig, lesson: Lesson): void {
  for (let survived = 0; survived < 3; survived++) {
    rig.clock.advance(10_000)
    lesson.outlived(10_000, rig.clock.now())
  }
  expect(lesson.timeout).toBeUndefined()
}

describe('where the server was seen to close after 5 s, an idle connection', () => {
  it('is closed by the timer at 5000 - 50 ms, not a millisecond before', async () => {
    const rig = await taught()
    await rig.idle(1)
    rig.clock.advance(4_949)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
  })

  it('is closed earlier by the margin that is set: 5000 - 1200', async () => {
    const rig = await taught({ keepAliveMargin: 1_200 })
    await rig.idle(1)
    rig.clock.advance(3_799)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
  })

  it('is closed then even if the server advertises 60 s', async () => {
    const rig = await taught()
    const [connection] = await rig.connect(1)
    rig.release(connection!, 'timeout=60')
    rig.clock.advance(4_949)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
  })

  it.each([
    ['what is advertised', {}, 'timeout=3', 2_950, 'advertised-timeout'],
    ['keepAliveTimeout', { keepAliveTimeout: 4_000 }, undefined, 4_000, 'idle-timeout'],
    ['its lifetime', { maxLifetime: 4_000 }, undefined, 4_000, 'max-lifetime'],
  ] as const)('is closed by %s where that is over first', async (_, options, header, at, reason) => {
    const rig = new PoolRig(options)
    for (let closed = 0; closed < 3; closed++) {
      rig.origin().lessons!.of('127.0.0.1').serverClosed(5_000, rig.clock.now(), undefined)
      rig.clock.advance(1_000)
    }
    const [connection] = await rig.connect(1)
    expect(connection!.learnedTimeout).toBe(5_000)
    rig.release(connection!, header)
    rig.clock.advance(at - 1)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, reason]])
  })

  it('is not lent at 4950 ms though the timer is late, and another is opened', async () => {
    for (const [idle, ends] of [
      [4_949, []],
      [4_950, [[4, 'learned-timeout']]],
    ] as const) {
      const rig = await taught()
      const [connection] = await rig.idle(1)
      rig.core.agenda.cancel(connection!)
      rig.clock.advance(idle)
      const waiter = rig.acquire()
      expect(rig.endings).toEqual(ends)
      await rig.openAll()
      expect(waiter.connection.id).toBe(ends.length === 0 ? 4 : 5)
    }
  })

  it('is not lent when its last response had come that long ago, as the kernel has it', async () => {
    const rig = await taught()
    const [connection] = await rig.idle(1)
    rig.clock.advance(100)
    linkOf(connection!).kernel = healthy({ sinceLastData: 4_950 })
    rig.acquire()
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
  })

  it('is not written on when its time ran out between the grant and the write', async () => {
    const rig = await taught()
    const [connection] = await rig.idle(1)
    rig.clock.advance(4_900)
    const waiter = rig.acquire()
    rig.clock.block(50)
    expect(rig.origin().confirm(waiter.connection, false)).toBe(false)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
    rig.origin().giveBack(connection!)
    expect(rig.origin().state).toMatchObject({ active: 0, idle: 0 })
    expect(rig.origin().counters).toMatchObject({ requests: 4, reused: 0 })
  })

  it('is not kept when it is given back too late', async () => {
    const rig = await taught()
    const [connection] = await rig.idle(1)
    rig.clock.advance(4_900)
    rig.acquire()
    rig.clock.block(50)
    rig.origin().giveBack(connection!)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
  })

  it('is not kept when its response had lain in the kernel for that long', async () => {
    for (const [waited, ends] of [
      [4_949, []],
      [4_950, [[4, 'learned-timeout']]],
    ] as const) {
      const rig = await taught()
      const [connection] = await rig.connect(1)
      // Not the agenda's timer: it would be late, and the margin longer.
      rig.core.agenda.cancel(connection!)
      rig.clock.advance(6_000)
      linkOf(connection!).kernel = healthy({ sinceLastData: waited })
      rig.release(connection!)
      expect(rig.endings).toEqual(ends)
    }
  })

  it('is closed after its response where the server does so within the margin', async () => {
    const rig = new PoolRig()
    await rig.teach(40)
    const [connection] = await rig.connect(1)
    rig.release(connection!)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
  })

  it.each([
    ['that is fresh in memory', 0],
    ['that it is time to watch one for: not where somebody waits for its place', 60_000],
  ])('expires while it settles, and whoever waits for it is served by another, at a timeout %s', async (_, later) => {
    const rig = await taught({}, { kernel: false })
    rig.clock.advance(later)
    const [connection] = await rig.idle(1)
    rig.clock.advance(4_900)
    const waiter = rig.acquire()
    expect(connection!.state).toBe('settling')
    rig.clock.block(50)
    rig.twoTurns()
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(5)
  })
})

describe('a connection that idles when its timeout is learned', () => {
  /** The server has closed three; the third is judged in 1 s. */
  const aboutToLearn = async (): Promise<PoolRig> => {
    const rig = new PoolRig()
    for (let closed = 0; closed < 3; closed++) {
      const [connection] = await rig.idle(1)
      rig.clock.advance(5_000)
      linkOf(connection!).ends({ fin: true, finAge: 0 })
      if (closed < 2) rig.clock.advance(1_000)
    }
    rig.endings.length = 0
    expect(rig.learned).toEqual([])
    return rig
  }

  it('is closed when that is over, though it was to be looked at later', async () => {
    const rig = await aboutToLearn()
    const [connection] = await rig.idle(1)
    expect(connection!.wakeAt - rig.clock.now()).toBe(30_000)
    rig.clock.advance(4_949)
    expect(rig.learned).toHaveLength(1)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[4, 'learned-timeout']])
  })

  it('is closed at once when that is over already', async () => {
    const rig = new PoolRig()
    const [old] = await rig.idle(1)
    for (let closed = 0; closed < 3; closed++) {
      // The old one, used again, and a new one.
      const waiters = rig.acquireMany(2)
      await rig.openAll()
      for (const { connection } of waiters) rig.release(connection)
      rig.clock.advance(2_000)
      linkOf(waiters[1]!.connection).ends({ fin: true, finAge: 0 })
      if (closed < 2) rig.clock.advance(1_000)
    }
    rig.endings.length = 0
    expect(old!.state).toBe('idle')
    rig.clock.advance(1_000)
    expect(rig.learned).toMatchObject([{ timeout: 2_000 }])
    expect(rig.endings).toEqual([[1, 'learned-timeout']])
  })

  it('is left alone when it was opened to another address', async () => {
    const rig = await aboutToLearn()
    rig.linksTo('127.0.0.2')
    await rig.idle(1)
    rig.clock.advance(29_999)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[4, 'idle-timeout']])
  })

  it('idles on for as long as is allowed when that was found to be wrong', async () => {
    const rig = await taught()
    const lesson = rig.origin().lessons!.of('127.0.0.1')
    const [connection] = await rig.connect(1)
    disprove(rig, lesson)
    expect(rig.learned.at(-1)).toEqual({ origin: 'http://a', address: '127.0.0.1', timeout: undefined, samples: [] })
    rig.release(connection!)
    rig.clock.advance(29_999)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[4, 'idle-timeout']])
  })

  it('is woken at the old time, and not closed, when that was found to be wrong in the meantime', async () => {
    const rig = await taught({ keepAliveTimeout: 100_000 })
    const lesson = rig.origin().lessons!.of('127.0.0.1')
    for (let survived = 0; survived < 2; survived++) {
      rig.clock.advance(10_000)
      lesson.outlived(10_000, rig.clock.now())
    }
    rig.clock.advance(10_000)
    const [connection] = await rig.idle(1)
    expect(connection!.wakeAt - rig.clock.now()).toBe(4_950)
    lesson.outlived(10_000, rig.clock.now())
    rig.clock.advance(99_999)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[4, 'idle-timeout']])
  })
})
