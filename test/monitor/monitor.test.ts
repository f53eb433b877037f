import { beforeEach, describe, expect, it } from 'vitest'
import { Monitor, type MonitorListener, type Peer, patienceOf, type Vigil } from '../../src/liveness/monitor.js'
import type { Patience, Signs } from '../../src/liveness/vital-signs.js'
import { alive } from '../support/fake-links.js'

/** A peer whose kernel's answers follow a clock: it is heard at times, and asked after Ti, then every Td. */
class TestPeer implements Peer {
  vigil: Vigil | undefined = undefined
  busySince = 0
  patience: Patience | undefined = { idle: 2_000, interval: 1_000, probes: 3 }
  /** When it was heard last, and whether it still is. */
  heardAt = 0
  answers = true
  /** In place of what follows from the clock. */
  also: Partial<Signs> = {}
  looks = 0
  askedAt: number | undefined
  isAskedAsUsual = true
  knowsNobody = false

  signs(): Signs | undefined {
    this.looks++
    if (this.knowsNobody) return undefined
    const probes = this.#probes()
    if (probes > 0 && this.answers) this.heardAt = now
    return alive({ silence: now - this.heardAt, probes: this.answers ? 0 : probes, ...this.also })
  }

  ask(): boolean {
    this.askedAt = now
    this.isAskedAsUsual = false
    return true
  }

  askAsUsual(): void {
    this.isAskedAsUsual = true
  }

  #probes(): number {
    const { idle, interval } = this.patience as Patience
    const byClock = Math.floor((now - this.heardAt - idle) / interval) + 1
    return Math.max(0, byClock) + (this.askedAt !== undefined && this.askedAt + 5 <= now ? 1 : 0)
  }
}

let now: number
let peer: TestPeer
let told: [what: string, at: number][]
let monitor: Monitor<TestPeer>
let next: number

beforeEach(() => {
  now = 0
  next = 0
  told = []
  peer = new TestPeer()
  const tell = (what: string) => () => void told.push([what, now])
  const listener: MonitorListener<TestPeer> = {
    suspected: tell('suspected'),
    recovered: tell('recovered'),
    unanswered: tell('unanswered'),
    died: tell('died'),
  }
  monitor = new Monitor(listener)
})

/** Looks whenever the monitor says so. */
function live(until: number): void {
  for (let looks = 0; next <= until; looks++) {
    if (looks > 1000) throw new Error('it looks all the time')
    now = Math.max(now, next)
    next = monitor.look(peer, now)
    if (next <= now) throw new Error(`at ${now} it wants to look again at ${next}`)
  }
  now = until
}

describe('a monitor', () => {
  it('does not ask the kernel about a peer that was not silent for Ti', () => {
    for (let second = 1; second <= 20; second++) {
      live(second * 1000)
      peer.busySince = now
    }
    expect(peer.looks).toBe(0)
  })

  it('says nothing of one that answers its probes, and asks about it once in Ti', () => {
    live(100_000)
    expect(told).toEqual([])
    expect(peer.looks).toBeLessThanOrEqual(2 * 50)
  })

  it('suspects one that does not answer when the answer is overdue, and gives it up at Ti + Td x Nm', () => {
    peer.answers = false
    live(10_000)
    expect(told).toEqual([
      ['suspected', 2_200],
      ['died', 5_000],
    ])
    expect(next).toBe(Infinity)
  })

  it('takes a suspicion back when there is an answer, and suspects anew', () => {
    peer.answers = false
    live(3_000)
    peer.answers = true
    live(4_000)
    expect(told.map(([what]) => what)).toEqual(['suspected', 'recovered'])
    expect(peer.vigil).toBeUndefined()
    peer.answers = false
    live(20_000)
    expect(told.map(([what]) => what)).toEqual(['suspected', 'recovered', 'suspected', 'died'])
  })

  it('leaves alone what is not to be watched, or cannot be asked', () => {
    peer.patience = undefined
    expect(monitor.look(peer, 60_000)).toBe(Infinity)
    expect(peer.looks).toBe(0)
    peer = new TestPeer()
    peer.knowsNobody = true
    expect(monitor.look(peer, 60_000)).toBe(Infinity)
    expect(monitor.ask(peer, 60_000)).toBeUndefined()
    expect(peer.askedAt).toBeUndefined()
  })
})

describe('a peer that is asked out of turn', () => {
  beforeEach(() => {
    peer.heardAt = -1_500
    next = monitor.ask(peer, now) as number
  })

  it('has recovered when it answers, within moments, and is asked as usual again', () => {
    expect([peer.askedAt, peer.isAskedAsUsual]).toEqual([0, false])
    live(300)
    expect(told).toEqual([['recovered', 50]])
    expect([peer.isAskedAsUsual, peer.vigil]).toEqual([true, undefined])
  })

  it('has not answered when the time for that is over, and may still recover', () => {
    peer.answers = false
    live(300)
    expect(told).toEqual([['unanswered', 200]])
    expect(peer.isAskedAsUsual).toBe(true)
    peer.answers = true
    peer.askedAt = undefined
    live(1_000)
    expect(told.map(([what]) => what)).toEqual(['unanswered', 'recovered'])
  })

  it('is given up at its time if it never does', () => {
    peer.answers = false
    live(10_000)
    expect(told.map(([what]) => what)).toEqual(['unanswered', 'suspected', 'died'])
    expect(told.at(-1)).toEqual(['died', 3_500])
  })
})

describe('a peer that was heard a moment ago and is asked out of turn', () => {
  it('is given the second that the kernel takes until it asks', () => {
    peer.heardAt = -100
    peer.answers = false
    next = monitor.ask(peer, now) as number
    live(1_500)
    expect(told[0]?.[0]).toBe('unanswered')
    expect(told[0]?.[1]).toBeGreaterThanOrEqual(900 + 200)
    expect(told[0]?.[1]).toBeLessThan(900 + 200 + 100)
  })
})

describe('a peer that owes an answer already', () => {
  it('is not asked once more: that might be the one too many', () => {
    peer.also = { retransmits: 1, unacknowledged: 1 }
    next = monitor.ask(peer, now) as number
    expect(peer.askedAt).toBeUndefined()
    live(100)
    expect(told).toEqual([])
    peer.also = {}
    peer.heardAt = now
    live(300)
    expect(told.map(([what]) => what)).toEqual(['recovered'])
  })
})

describe('a peer that is asked while it owes an answer', () => {
  beforeEach(() => {
    peer.answers = false
    peer.heardAt = -2_300
  })

  it('is looked at four times in the time of an answer', () => {
    expect(monitor.ask(peer, now)).toBe(50)
  })

  it('is suspected when that time has passed twice, and after that looked at as often as it takes to answer', () => {
    next = monitor.ask(peer, now) as number
    live(599)
    expect(told).toEqual([
      ['unanswered', 200],
      ['suspected', 400],
    ])
    peer.answers = true
    live(600)
    expect(told.at(-1)).toEqual(['recovered', 600])
  })

  it('is not suspected twice', () => {
    peer.heardAt = 0
    live(2_300)
    next = monitor.ask(peer, now) as number
    live(4_999)
    expect(told.map(([what]) => what)).toEqual(['suspected', 'unanswered'])
    peer.answers = true
    live(5_500)
    expect(told.map(([what]) => what)).toEqual(['suspected', 'unanswered', 'recovered'])
  })
})

describe('how a socket is tuned', () => {
  it('says how patient to be with its peer, unless it is not probed, or nobody knows how', () => {
    const applied = { enabled: true, idle: 1_000, interval: 2_000, probes: 3, source: 'kernel' } as const
    const extra = { userTimeout: undefined, retransmitInterval: undefined }
    expect(patienceOf({ ...applied, ...extra })).toMatchObject({ idle: 1_000, interval: 2_000, probes: 3 })
    expect(patienceOf({ ...applied, ...extra, enabled: false })).toBeUndefined()
    expect(patienceOf({ ...applied, ...extra, interval: undefined, source: 'idle-only' })).toBeUndefined()
  })
})
