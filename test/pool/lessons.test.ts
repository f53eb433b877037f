import { describe, expect, it } from 'vitest'
import { Agenda } from '../../src/agenda.js'
import { Lessons } from '../../src/pool/lessons.js'
import { codedError, healthy } from '../support/fake-links.js'
import { ManualClock } from '../support/manual-clock.js'
import { linkOf, PoolRig } from '../support/pool-rig.js'

type Change = [address: string, timeout: number | undefined]

/** Lessons alone, with what they told. */
function school() {
  const clock = new ManualClock()
  const told: Change[] = []
  const lessons = new Lessons(new Agenda(clock), ({ address, timeout }) => told.push([address, timeout]))
  /** The server at an address closes connections that idled for these times, two seconds apart. */
  const closes = (address: string, ...ages: number[]): void => {
    for (const age of ages) {
      clock.advance(2_000)
      lessons.of(address).serverClosed(age, clock.now(), undefined)
    }
  }
  return { clock, told, lessons, closes }
}

describe('lessons', () => {
  it('are one for each address', () => {
    const { lessons } = school()
    expect(lessons.of('10.0.0.1')).toBe(lessons.of('10.0.0.1'))
    expect(lessons.of('10.0.0.2')).not.toBe(lessons.of('10.0.0.1'))
    expect(lessons.of('10.0.0.2').address).toBe('10.0.0.2')
  })

  it('are learned from the closes of their own address alone', () => {
    const { clock, lessons, closes, told } = school()
    closes('10.0.0.1', 5_000, 5_000)
    closes('10.0.0.2', 5_000)
    clock.advance(1_000)
    expect(told).toEqual([])
    closes('10.0.0.1', 5_000)
    clock.advance(1_000)
    expect(told).toEqual([['10.0.0.1', 5_000]])
    expect(Array.from(lessons.known(), ({ address }) => address)).toEqual(['10.0.0.1'])
  })

  it('are judged when a second has passed without anybody asking, not a millisecond earlier', () => {
    const { clock, lessons, closes, told } = school()
    closes('10.0.0.1', 5_000, 5_040, 5_010)
    clock.advance(999)
    expect(lessons.of('10.0.0.1').timeout).toBeUndefined()
    clock.advance(1)
    expect(lessons.of('10.0.0.1')).toMatchObject({ timeout: 5_000, samples: [5_000, 5_040, 5_010] })
    expect(told).toEqual([['10.0.0.1', 5_000]])
    expect(clock.timers).toBe(0)
  })

  it('are told when they change, and only then', () => {
    const { clock, lessons, closes, told } = school()
    closes('10.0.0.1', 5_000, 5_000, 5_000, 5_020, 5_000)
    clock.advance(1_000)
    expect(told).toEqual([['10.0.0.1', 5_000]])
    // It closes a little earlier: the same timer.
    closes('10.0.0.1', 4_960)
    clock.advance(1_000)
    expect(told.slice(1)).toEqual([['10.0.0.1', 4_960]])
    // Three in a row live clearly longer: then it is known to be wrong.
    for (let survived = 0; survived < 3; survived++) {
      expect(told).toHaveLength(2)
      clock.advance(10_000)
      lessons.of('10.0.0.1').outlived(10_000, clock.now())
    }
    expect(told.slice(2)).toEqual([['10.0.0.1', undefined]])
    expect([...lessons.known()]).toEqual([])
  })

  it('are remembered for 64 addresses; the one goes that was longest without a new connection', () => {
    const { lessons } = school()
    const [first, second] = [lessons.of('10.0.0.1'), lessons.of('10.0.0.2')]
    for (let n = 3; n <= 64; n++) lessons.of(`10.0.0.${n}`)
    lessons.of('10.0.0.1') // a new connection
    lessons.of('10.0.0.65')
    expect(lessons.of('10.0.0.1')).toBe(first)
    expect(lessons.of('10.0.0.2')).not.toBe(second)
  })

  it('leave nothing on the agenda when they are forgotten', () => {
    const { clock, lessons, closes, told } = school()
    closes('10.0.0.1', 5_000, 5_000, 5_000)
    expect(clock.timers).toBe(1)
    for (let n = 0; n < 64; n++) lessons.of(`10.0.1.${n}`)
    expect(clock.timers).toBe(0)
    clock.advance(10_000)
    expect(told).toEqual([])
  })
})

describe('a pool learns', () => {
  it('from three closes at about the same age, and says so', async () => {
    const rig = new PoolRig()
    for (const age of [5_000, 5_030, 5_010]) {
      expect(rig.learned).toEqual([])
      const [connection] = await rig.idle(1)
      rig.clock.advance(age)
      linkOf(connection!).ends({ fin: true, finAge: 0 })
      rig.clock.advance(1_000)
    }
    expect(rig.learned).toEqual([
      { origin: 'http://a', address: '127.0.0.1', timeout: 5_000, samples: [5_000, 5_030, 5_010] },
    ])
  })

  it('for each address of an origin, and for each origin, by itself', async () => {
    const rig = new PoolRig()
    await rig.teach(5_000)
    rig.linksTo('127.0.0.2')
    const [elsewhere] = await rig.idle(1)
    const [other] = await rig.idle(1, 'b')
    rig.linksTo('127.0.0.1')
    const [here] = await rig.connect(2)
    expect(elsewhere).toBe(here)
    expect([elsewhere!.learnedTimeout, other!.learnedTimeout]).toEqual([undefined, undefined])
    expect([...rig.origin().connections].map(({ learnedTimeout }) => learnedTimeout)).toEqual([undefined, 5_000])
  })

  it('nothing with learn: false', async () => {
    const rig = new PoolRig({ learn: false })
    await expect(rig.teach(5_000)).rejects.toThrow('not learned')
    const [connection] = await rig.idle(1)
    expect([rig.origin().lessons, connection!.lesson, connection!.margin]).toEqual([undefined, undefined, 0])
    rig.clock.advance(29_999)
    expect(connection!.state).toBe('idle')
    expect(rig.learned).toEqual([])
  })

  it('what holds after the connections are gone, until the origin is forgotten', async () => {
    const rig = new PoolRig()
    await rig.teach(5_000)
    expect(rig.origin().quiet).toBe(true)
    rig.clock.advance(3_600_000)
    const [connection] = await rig.idle(1)
    expect(connection!.learnedTimeout).toBe(5_000)
    await rig.core.close()
    for (let n = 0; n <= 1000; n++) rig.origin(`other${n}`)
    expect(rig.core.peek('http://a')).toBeUndefined()
    expect([...rig.origin().lessons!.known()]).toEqual([])
  })
})

describe('the end of a connection that idled for 3000 ms', () => {
  const RST = { error: codedError('ECONNRESET') }
  /** What is suspected after it. */
  const suspectedAfter = async (kernel: boolean, end: (rig: PoolRig) => void): Promise<number | undefined> => {
    const rig = new PoolRig({ keepAliveTimeout: 600_000 }, { kernel })
    const [connection] = await rig.idle(1)
    rig.clock.advance(3_000)
    end(rig)
    expect(connection!.state).toBe('closed')
    return connection!.lesson!.suspected
  }
  const only = (rig: PoolRig) => linkOf([...rig.origin().connections][0]!)

  it.each([
    ['its FIN', { fin: true, finAge: 0 }, 3_000],
    ['its FIN that came 120 ms ago', { fin: true, finAge: 120 }, 2_880],
    ['a FIN that only the kernel knew of, 120 ms ago, and then its RST', { ...RST, finAge: 120 }, 2_880],
    [
      'its FIN, 3070 ms after its last data: we were late to read those',
      { fin: true, finAge: 120, silence: 3_070 },
      3_070,
    ],
    ['its FIN, 900 ms after its last word, which was no response', { fin: true, finAge: 120, silence: 900 }, 2_880],
    ['its RST', RST, 3_000],
    ['a FIN of unknown age', { fin: true }, 3_000],
    ['silence: the kernel gave up', { error: codedError('ETIMEDOUT') }, undefined],
    ['bytes that nobody asked for', { error: codedError('HPE_INVALID_CONSTANT') }, undefined],
    ['nothing in particular', {}, undefined],
  ])('by %s', async (_, ending, suspected) => {
    expect(await suspectedAfter(true, (rig) => only(rig).ends(ending))).toBe(suspected)
    // Where there is no kernel nobody knows how old a FIN is.
    if (!('finAge' in ending)) expect(await suspectedAfter(false, (rig) => only(rig).ends(ending))).toBe(suspected)
  })

  it('is noticed before reuse: the FIN, 50 ms old, though nobody has read it', async () => {
    const suspected = await suspectedAfter(true, (rig) => {
      const link = only(rig)
      link.kernel = healthy({ established: false })
      link.ending = { error: undefined, fin: false, finAge: 50, silence: 2_950, signs: undefined }
      rig.acquire()
      expect(rig.endings).toEqual([[1, 'stale']])
    })
    expect(suspected).toBe(2_950)
  })

  it('says nothing when it is closed for probes without an answer', async () => {
    const suspected = await suspectedAfter(true, (rig) => {
      only(rig).kernel = healthy({ probes: 1 })
      rig.acquire()
      expect(rig.endings).toEqual([[1, 'stale']])
    })
    expect(suspected).toBeUndefined()
  })

  it('says nothing when it was never used: servers have another patience with those', async () => {
    const rig = new PoolRig()
    void rig.origin().warm(1)
    await rig.openAll()
    const [connection] = rig.origin().connections
    rig.clock.advance(3_000)
    linkOf(connection!).ends({ fin: true, finAge: 0 })
    expect(connection!.lesson!.suspected).toBeUndefined()
  })

  it('says nothing by itself when a request was on it: it is found out first what that means', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    rig.clock.advance(3_000)
    rig.acquire()
    expect(rig.origin().confirm(connection!, false)).toBe(true)
    linkOf(connection!).ends({ fin: true, finAge: 0 })
    expect(rig.endings).toEqual([[1, 'server-fin']])
    expect(connection!.lesson!.suspected).toBeUndefined()
  })

  it('says nothing when it had outlived more: 2000 ms are no timer of one that idled for 5000 before', async () => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    rig.clock.advance(5_000)
    rig.release(rig.acquire().connection)
    expect(connection!.survived).toBe(5_000)
    rig.clock.advance(2_000)
    linkOf(connection!).ends({ fin: true, finAge: 0 })
    expect(connection!.lesson!.suspected).toBeUndefined()
  })
})

describe('a request that crossed the FIN', () => {
  it.each([
    ['teaches how long the connection had idled when that came', { fin: true, finAge: 20 }, 2_990],
    ['teaches how long the server had waited, if that was longer', { fin: true, finAge: 20, silence: 3_400 }, 3_400],
    ['teaches how long it had idled when it died, where nobody knows how old the FIN is', { fin: true }, 3_010],
    ['teaches nothing where it was no FIN', { error: codedError('ECONNRESET') }, undefined],
  ])('%s', async (_, ending, suspected) => {
    const rig = new PoolRig()
    const [connection] = await rig.idle(1)
    rig.clock.advance(2_980)
    rig.acquire()
    rig.origin().confirm(connection!, false)
    rig.clock.advance(30)
    const diedAt = rig.clock.now()
    linkOf(connection!).ends(ending)
    // It takes a while to find out.
    rig.clock.advance(80)
    rig.origin().raced(connection!, diedAt)
    expect(connection!.lesson!.suspected).toBe(suspected)
  })

  it('is no news to a pool that does not learn', async () => {
    const rig = new PoolRig({ learn: false })
    const [connection] = await rig.idle(1)
    linkOf(connection!).ends({ fin: true, finAge: 0 })
    expect(() => rig.origin().raced(connection!, rig.clock.now())).not.toThrow()
  })
})

describe('what is suspected', () => {
  /** A server that has closed one connection which idled for 3000 ms. */
  const suspicious = async (): Promise<PoolRig> => {
    const rig = new PoolRig({ keepAliveTimeout: 10_000 })
    const [connection] = await rig.idle(1)
    rig.clock.advance(3_000)
    linkOf(connection!).ends({ fin: true, finAge: 0 })
    expect(connection!.suspectedTimeout).toBe(3_000)
    return rig
  }

  it('closes nothing', async () => {
    const rig = await suspicious()
    const [connection] = await rig.idle(1)
    rig.clock.advance(9_999)
    expect(connection!.state).toBe('idle')
  })

  it.each([
    [3_999, 3_000],
    [4_000, undefined],
  ])('is dropped when one is answered that idled for clearly longer: %i ms, then it is %s', async (idle, suspected) => {
    const rig = await suspicious()
    const [connection] = await rig.idle(1)
    rig.clock.advance(idle)
    rig.acquire()
    expect(connection!.suspectedTimeout).toBe(3_000)
    rig.release(connection!)
    expect(connection!.suspectedTimeout).toBe(suspected)
  })

  it('is dropped when we close one that idled for clearly longer', async () => {
    const rig = await suspicious()
    const [connection] = await rig.idle(1)
    rig.clock.advance(10_000)
    expect(rig.reasons.at(-1)).toBe('idle-timeout')
    expect(connection!.suspectedTimeout).toBeUndefined()
  })
})
