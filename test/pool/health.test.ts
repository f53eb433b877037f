/**
 * What a pool does about peers that do not answer: who is not lent, who is closed, who is asked.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { Agenda } from '../../src/agenda.js'
import type { PoolEvents } from '../../src/events.js'
import type { PoolOptions } from '../../src/options/pool-options.js'
import type { Connection } from '../../src/pool/connection.js'
import { Names } from '../../src/pool/names.js'
import type { ConnectionSnapshot } from '../../src/snapshot.js'
import { alive, codedError, FakeLink, healthy } from '../support/fake-links.js'
import { ManualClock } from '../support/manual-clock.js'
import { idsOf, linkOf, PoolRig } from '../support/pool-rig.js'

type PeerEvent = Parameters<PoolEvents['dead']>[0]

const tuned = {
  enabled: true,
  idle: 2_000,
  interval: 1_000,
  probes: 3,
  retransmitInterval: 1_000,
  userTimeout: 0,
  source: 'kernel',
} as const

/** A link whose peer falls silent when the test says so; its kernel asks after Ti, then every Td. */
class MortalLink extends FakeLink {
  override liveness = tuned
  silentSince: number | undefined
  /** Milliseconds since the peer was heard when it fell silent. */
  heardBefore = 0
  sending = false

  constructor(
    private readonly rig: PoolRig,
    address: string,
  ) {
    super(healthy(), address)
  }

  override signs() {
    const { silentSince, rig, heardBefore, questions, sending } = this
    if (this.destroyed) return undefined
    if (silentSince === undefined) return alive({ silence: 0 })
    const silence = rig.clock.now() - silentSince + heardBefore
    const asked = Math.max(0, Math.floor((silence - tuned.idle) / tuned.interval) + 1)
    if (sending) return alive({ silence, retransmits: 3, unacknowledged: 1 })
    return alive({ silence, probes: Math.min(asked + questions, tuned.probes) })
  }

  override ask(): boolean {
    this.questions++
    this.isAsking = true
    return true
  }

  fallSilent(heardBefore = 0): void {
    this.silentSince = this.rig.clock.now()
    this.heardBefore = heardBefore
  }

  answer(): void {
    this.silentSince = undefined
    this.questions = 0
  }
}

const peerOf = (connection: Connection | undefined): MortalLink => connection!.link as MortalLink

let rig: PoolRig
let suspected: PeerEvent[]
let dead: PeerEvent[]
let order: string[]

function start(options: PoolOptions = {}): void {
  rig = new PoolRig(options)
  suspected = []
  dead = []
  order = []
  opensTo('10.0.0.1')
  rig.core.events.on('suspect', (event) => suspected.push(event))
  rig.core.events.on('dead', (event) => dead.push(event))
  for (const name of ['suspect', 'dead', 'close', 'idle'] as const)
    rig.core.events.on(name, ({ connection }: { connection: ConnectionSnapshot }) =>
      order.push(`${name} ${connection.id}`),
    )
}

function opensTo(address: string): void {
  rig.dialer.makeLink = () => new MortalLink(rig, address)
}

const statesOf = (connections: readonly Connection[]) => connections.map(({ state }) => state)

beforeEach(() => start())

describe('an idle connection whose peer falls silent', () => {
  it('is suspected after Ti, and closed as dead after Ti + Td x Nm', async () => {
    const [connection] = await rig.idle(1)
    peerOf(connection).fallSilent()
    rig.clock.advance(2_199)
    expect(suspected).toEqual([])
    rig.clock.advance(1)
    expect(suspected).toMatchObject([
      {
        connection: { id: 1, idle: 2_200 },
        evidence: { doing: 'idle', cause: 'unanswered', lastHeard: 2_200, probes: 1 },
      },
    ])
    expect(connection!.state).toBe('suspect')
    rig.clock.advance(2_799)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'dead']])
    expect(dead).toMatchObject([{ connection: { id: 1 }, evidence: { doing: 'idle', lastHeard: 5_000, probes: 3 } }])
    expect(peerOf(connection).destroyedWith).toMatchObject({ code: 'ETIMEDOUT', syscall: 'read' })
    expect(order).toEqual(['idle 1', 'suspect 1', 'dead 1', 'close 1'])
    expect(rig.addresses.dead).toEqual(['10.0.0.1'])
  })

  it('is not lent while it is suspected', async () => {
    const [connection] = await rig.idle(1)
    peerOf(connection).fallSilent()
    rig.clock.advance(2_300)
    const waiter = rig.acquire()
    expect(waiter.waits).toBe(true)
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
    expect(rig.endings).toEqual([])
  })

  it('returns when the peer answers, to who waits for it', async () => {
    start({ maxConnections: 2 })
    const [first, second] = await rig.connect(2)
    rig.release(first!)
    peerOf(first).fallSilent()
    rig.clock.advance(2_300)
    peerOf(first).answer()
    rig.clock.advance(500)
    expect(statesOf([first!, second!])).toEqual(['idle', 'active'])
    expect(order.slice(-1)).toEqual(['idle 1'])
    expect(rig.acquire().connection).toBe(first)
    expect(rig.core.slots.used).toBe(2)
  })

  it('makes room at the cap for one who has no other', async () => {
    start({ maxConnections: 1 })
    const [connection] = await rig.idle(1)
    peerOf(connection).fallSilent()
    rig.clock.advance(2_300)
    const waiter = rig.acquire()
    expect(rig.endings).toEqual([[1, 'surplus']])
    await rig.openAll()
    expect(waiter.connection.id).toBe(2)
  })

  it('makes room for another origin at the cap of the whole pool', async () => {
    start({ maxTotalConnections: 1 })
    const [connection] = await rig.idle(1)
    peerOf(connection).fallSilent()
    rig.clock.advance(2_300)
    const waiter = rig.acquire('b')
    expect(rig.endings).toEqual([[1, 'surplus']])
    await rig.openAll()
    expect(waiter.connection.origin.key).toBe('http://b')
  })

  it('counts as idle, and may idle for no longer than others', async () => {
    start({ keepAliveTimeout: 4_000 })
    const [connection] = await rig.idle(1)
    peerOf(connection).fallSilent()
    rig.clock.advance(3_999)
    expect(rig.origin().state).toMatchObject({ active: 0, idle: 1 })
    expect(connection!.state).toBe('suspect')
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'idle-timeout']])
  })

  it('is closed with the pool', async () => {
    const [connection] = await rig.idle(1)
    peerOf(connection).fallSilent()
    rig.clock.advance(2_300)
    await rig.core.close()
    expect(rig.endings).toEqual([[1, 'pool-closed']])
  })
})

describe('a connection with a request on it', () => {
  it.each([
    ['waiting', false],
    ['sending', true],
  ] as const)('that is %s is suspected and closed by the same clock', async (doing, sending) => {
    const [connection] = await rig.connect(1)
    rig.origin().confirm(connection!, false)
    peerOf(connection).sending = sending
    peerOf(connection).fallSilent()
    rig.clock.advance(4_999)
    expect(suspected).toMatchObject([{ evidence: { doing } }])
    expect(connection!.state).toBe('active')
    rig.clock.advance(1)
    expect(dead).toMatchObject([{ evidence: { doing, lastHeard: 5_000 } }])
    expect(rig.endings).toEqual([[1, 'dead']])
  })

  it('that was sent on a connection which had been silent is given its own time', async () => {
    start({ keepAliveTimeout: 60_000 })
    const [connection] = await rig.idle(1)
    rig.clock.advance(1_900)
    rig.acquire()
    rig.origin().confirm(connection!, false)
    peerOf(connection).sending = true
    peerOf(connection).fallSilent(1_900)
    rig.clock.advance(4_999)
    expect(rig.endings).toEqual([])
    rig.clock.advance(1)
    expect(rig.endings).toEqual([[1, 'dead']])
  })

  it('that is answered is released as ever, whatever was suspected', async () => {
    const [connection] = await rig.connect(1)
    peerOf(connection).fallSilent()
    rig.clock.advance(2_300)
    peerOf(connection).answer()
    rig.release(connection!)
    expect(connection!.state).toBe('idle')
    rig.clock.advance(20_000)
    expect(suspected).toHaveLength(1)
    expect(rig.endings).toEqual([])
  })

  it('that was suspected and recovers stays with who has it', async () => {
    const [connection] = await rig.connect(1)
    peerOf(connection).fallSilent()
    rig.clock.advance(2_300)
    peerOf(connection).answer()
    rig.clock.advance(5_000)
    expect(order).toEqual(['suspect 1'])
    expect(connection!.state).toBe('active')
  })

  it('that was to be closed anyway is closed as dead', async () => {
    const [connection] = await rig.connect(1)
    connection!.retire('server-close')
    peerOf(connection).ends({ error: codedError('ETIMEDOUT') })
    expect(rig.endings).toEqual([[1, 'dead']])
  })
})

describe('a peer that the kernel gives up', () => {
  it.each([
    ['ETIMEDOUT', 0, 'unanswered'],
    ['EHOSTUNREACH', 0, 'unreachable'],
    ['ENETUNREACH', 0, 'unreachable'],
    ['ECONNRESET', 2_000, 'reset'],
  ] as const)('with %s is dead', async (code, silence, cause) => {
    const [connection] = await rig.idle(1)
    peerOf(connection).ends({ error: codedError(code), signs: alive({ silence, probes: 1 }) })
    expect(dead).toMatchObject([{ evidence: { cause, doing: 'idle', lastHeard: silence, probes: 1 } }])
    expect(rig.endings).toEqual([[1, 'dead']])
  })

  it('with no more than its word, where there is no kernel to ask', async () => {
    const [connection] = await rig.idle(1)
    peerOf(connection).ends({ error: codedError('ETIMEDOUT') })
    expect(dead[0]!.evidence).toEqual({
      ...{ doing: 'idle', cause: 'unanswered', lastHeard: undefined, probes: undefined },
      ...{ retransmits: undefined, unacknowledged: undefined, rtt: undefined },
    })
  })

  it('is not dead when it was heard within Ti: a server may reset what idles', async () => {
    const [connection] = await rig.idle(1)
    peerOf(connection).ends({ error: codedError('ECONNRESET'), signs: alive({ silence: 1_999 }) })
    expect([rig.endings, dead]).toEqual([[[1, 'reset']], []])
  })
})

describe('the siblings of a connection whose peer has died', () => {
  const dies = (connection: Connection | undefined) => peerOf(connection).ends({ error: codedError('ETIMEDOUT') })

  it('are asked, lent when they answer, and evicted when they do not', async () => {
    const [victim, living, lost] = await rig.idle(3)
    rig.clock.advance(1_000)
    peerOf(lost).fallSilent(1_000)
    dies(victim)
    expect(statesOf([living!, lost!])).toEqual(['suspect', 'suspect'])
    expect([peerOf(living).isAsking, peerOf(lost).isAsking]).toEqual([true, true])
    rig.clock.advance(60)
    expect(statesOf([living!, lost!])).toEqual(['idle', 'suspect'])
    rig.clock.advance(200)
    expect(rig.endings).toEqual([
      [1, 'dead'],
      [3, 'evicted'],
    ])
    expect(peerOf(living).isAsking).toBe(false)
  })

  it('are evicted at once where they cannot be asked', async () => {
    const connections = await rig.idle(3)
    for (const connection of connections) peerOf(connection).ask = () => false
    dies(connections[0])
    expect(rig.endings).toEqual([
      [1, 'dead'],
      [2, 'evicted'],
      [3, 'evicted'],
    ])
  })

  it('are those to the same address of the same origin, and idle', async () => {
    const [victim, active] = await rig.connect(2)
    rig.release(victim!)
    opensTo('10.0.0.2')
    const busy = rig.acquireMany(2)
    await rig.openAll()
    const [, elsewhere] = busy.map(({ connection }) => connection)
    rig.release(elsewhere!)
    opensTo('10.0.0.1')
    const [stranger] = await rig.idle(1, 'b')
    // The one that was idle has been lent again: one more at its address.
    dies(victim)
    expect([active, elsewhere, stranger].map((each) => peerOf(each).questions)).toEqual([0, 0, 0])
    expect(rig.reasons).toEqual(['dead'])
  })

  it('are asked no more than once in 5 s', async () => {
    start({ keepAliveTimeout: 60_000 })
    const [first, second, third, survivor] = await rig.idle(4)
    dies(first)
    rig.clock.advance(1_000)
    dies(second)
    rig.clock.advance(3_999)
    dies(third)
    expect(peerOf(survivor).questions).toBe(1)
    rig.clock.advance(1)
    const another = rig.acquireNew()
    await rig.openAll()
    dies(another.connection)
    expect(peerOf(survivor).questions).toBe(2)
    expect(survivor!.state).toBe('suspect')
  })

  it('are nobody where the address is not known', async () => {
    rig.dialer.makeLink = () => Object.assign(new MortalLink(rig, ''), { remoteAddress: undefined })
    const [victim, other] = await rig.idle(2)
    dies(victim)
    expect([peerOf(other).questions, other!.state]).toEqual([0, 'idle'])
  })

  it('are asked sooner when 64 other addresses have had their turn meanwhile', async () => {
    const [victim, another, survivor] = await rig.idle(3)
    const questions = () => peerOf(survivor).questions
    dies(victim)
    for (let n = 2; n <= 64; n++) {
      opensTo(`10.0.0.${n}`)
      const waiter = rig.acquireNew()
      await rig.openAll()
      dies(waiter.connection)
    }
    rig.clock.advance(100)
    dies(another)
    expect(questions()).toBe(1)
    for (const address of ['10.0.0.65', '10.0.0.1']) {
      opensTo(address)
      const waiter = rig.acquireNew()
      await rig.openAll()
      dies(waiter.connection)
    }
    expect(questions()).toBe(2)
  })

  it('are lent in the very moment in which they have answered, though their bytes cannot be looked at', async () => {
    const [victim, sibling] = await rig.idle(2)
    rig.clock.advance(1_000)
    dies(victim)
    linkOf(sibling!).kernel = undefined
    rig.clock.advance(50)
    expect(rig.acquire().connection).toBe(sibling)
  })

  it('are left to the end of their own time when they owe an answer already', async () => {
    const connections = await rig.idle(3)
    for (const connection of connections) peerOf(connection).fallSilent()
    rig.clock.advance(5_000)
    expect(rig.reasons).toEqual(['dead', 'dead', 'dead'])
    expect(connections.map((each) => peerOf(each).questions)).toEqual([0, 0, 0])
  })
})

describe('a connection that turns out to owe an answer when it is to be lent', () => {
  it('is set aside, the next one is taken, and it returns when the answer comes', async () => {
    const [other, first] = await rig.idle(2)
    rig.clock.advance(10)
    linkOf(first!).kernel = healthy({ probes: 1 })
    peerOf(first).fallSilent(2_000)
    expect(rig.acquire().connection).toBe(other)
    expect([first!.state, peerOf(first).questions]).toEqual(['suspect', 0])
    linkOf(first!).kernel = healthy()
    peerOf(first).answer()
    rig.clock.advance(60)
    expect(first!.state).toBe('idle')
    expect([rig.endings, suspected]).toEqual([[], []])
  })

  it('is not evicted when the answer is late, though it was asked for the sake of a sibling before, and has answered', async () => {
    start({ keepAliveTimeout: 60_000 })
    const [victim, connection] = await rig.idle(2)
    rig.clock.advance(1_000)
    peerOf(victim).ends({ error: codedError('ETIMEDOUT') })
    rig.clock.advance(60)
    expect(connection!.state).toBe('idle')
    linkOf(connection!).kernel = healthy({ probes: 1 })
    peerOf(connection).fallSilent(2_000)
    rig.acquire()
    rig.clock.advance(2_999)
    expect(connection!.state).toBe('suspect')
    rig.clock.advance(1)
    expect(rig.reasons).toEqual(['dead', 'dead'])
  })

  it('is set aside just before the write as well, and when it is given back', async () => {
    const [connection] = await rig.idle(1)
    rig.clock.advance(200)
    rig.acquire()
    rig.clock.block(1)
    linkOf(connection!).kernel = healthy({ retransmits: 1 })
    peerOf(connection).sending = true
    peerOf(connection).fallSilent()
    expect(rig.origin().confirm(connection!, false)).toBe(false)
    rig.origin().giveBack(connection!)
    expect(connection!.state).toBe('suspect')
    expect(rig.endings).toEqual([])
  })

  it('is closed when the pool is being closed', async () => {
    const [connection] = await rig.connect(1)
    void rig.core.close()
    linkOf(connection!).kernel = healthy({ probes: 1 })
    rig.clock.advance(600)
    rig.release(connection!)
    expect(rig.endings).toEqual([[1, 'pool-closed']])
  })
})

describe('after the process has slept', () => {
  it.each([
    ['the machine was suspended', () => rig.clock.sleep(5_000)],
    ['the event loop stood still', () => rig.clock.block(6_500)],
  ] as const)('all that is idle is asked: %s', async (_, sleeps) => {
    start({ keepAliveTimeout: 60_000 })
    const [active, living, lost] = await rig.connect(3)
    rig.release(living!)
    rig.release(lost!)
    peerOf(lost).fallSilent()
    sleeps()
    rig.clock.advance(1_000)
    expect(peerOf(living).questions + peerOf(lost).questions).toBeGreaterThanOrEqual(1)
    expect(peerOf(active).questions).toBe(0)
    rig.clock.advance(2_000)
    expect(living!.state).toBe('idle')
    expect(lost!.state).not.toBe('idle')
  })

  it('nobody is asked after less than that', async () => {
    const [connection] = await rig.idle(1)
    rig.clock.sleep(4_999)
    rig.clock.advance(1_000)
    rig.clock.block(5_500)
    expect(peerOf(connection).questions).toBe(0)
  })

  it('a clock that was set back is no sleep', async () => {
    const [connection] = await rig.idle(1)
    rig.clock.sleep(-3_600_000)
    rig.clock.advance(3_000)
    expect(peerOf(connection).questions).toBe(0)
  })
})

describe('a name', () => {
  it('is looked up again once a minute while there are connections to its origin, once for all of these', async () => {
    start({ keepAliveTimeout: 150_000 })
    await rig.idle(2)
    await rig.idle(1, 'b')
    rig.clock.advance(59_999)
    expect(rig.addresses.refreshed).toEqual([])
    rig.clock.advance(1)
    expect(rig.addresses.refreshed).toEqual(['a', 'b'])
    rig.clock.advance(600_000)
    expect(rig.addresses.refreshed).toEqual(['a', 'b', 'a', 'b'])
    expect(rig.clock.timers).toBe(0)
  })

  it('is not looked up for an origin that has no connections any more', async () => {
    start({ keepAliveTimeout: 150_000 })
    await rig.idle(1)
    const [gone] = await rig.idle(1, 'b')
    rig.clock.advance(1_000)
    peerOf(gone).ends({ fin: true })
    rig.clock.advance(59_000)
    expect(rig.addresses.refreshed).toEqual(['a'])
  })

  it('is looked up in time though connections are opened all the time', () => {
    const clock = new ManualClock()
    const refreshed: string[] = []
    const book = { whenGone: undefined, died() {}, refresh: (name: string) => void refreshed.push(name) }
    const origin = { target: { hostname: 'a' }, connections: { size: 1 }, drain() {} }
    const names = new Names(book, { agenda: new Agenda(clock), clock }, () => [origin])
    for (let half = 0; half < 4; half++) {
      names.begin()
      clock.advance(30_000)
    }
    expect(refreshed).toEqual(['a', 'a'])
  })

  it('that has lost an address has the connections to it drained, at all of its origins and no others', async () => {
    await rig.idle(1, 'A')
    await rig.idle(1, 'b')
    opensTo('10.0.0.2')
    rig.acquireNew('A')
    await rig.openAll()
    rig.addresses.whenGone?.('a', '10.0.0.1')
    expect(rig.endings).toEqual([[1, 'evicted']])
  })
})

describe('an address that is not to be used any more', () => {
  it('is drained: idle connections to it close, busy ones when they are free, others stay', async () => {
    const [idle, active] = await rig.connect(2)
    opensTo('10.0.0.2')
    const [other] = await rig.connect(1)
    rig.release(idle!)
    rig.release(other!)
    rig.origin().drain('10.0.0.1')
    expect(rig.endings).toEqual([[1, 'evicted']])
    rig.release(active!)
    expect(rig.endings).toEqual([
      [1, 'evicted'],
      [2, 'evicted'],
    ])
    expect(idsOf(rig.origin().connections)).toEqual([3])
  })
})

describe('a pool of healthy connections', () => {
  it('has one timer, and asks about each of them once in Ti', async () => {
    start({ keepAliveTimeout: 600_000 })
    const connections = await rig.idle(5)
    let looks = 0
    for (const connection of connections) {
      const signs = peerOf(connection).signs.bind(connection.link)
      peerOf(connection).signs = () => {
        looks++
        return signs()
      }
    }
    rig.clock.advance(22_000)
    expect(rig.clock.timers).toBe(1)
    expect(looks).toBeLessThanOrEqual(5 * 10)
    expect(looks).toBeGreaterThanOrEqual(5 * 9)
  })
})
