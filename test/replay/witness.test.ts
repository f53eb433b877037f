import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Native } from '../../src/liveness/native.js'
import { TcpInfoReader } from '../../src/liveness/tcp-info.js'
import type { Evidence } from '../../src/replay/verdict.js'
import { Witness } from '../../src/wire/witness.js'
import { ManualClock } from '../support/manual-clock.js'

const ORIGINAL = 7
const DUPLICATE = 19
/** Bytes written and read before the request, and bytes of it. */
const BEFORE = 500
const READ = 900
const REQUEST = 100

interface KernelState {
  closed: boolean
  fin: boolean
  /** Of the request. */
  sent: number
  acknowledged: number
  /** Milliseconds. */
  rtt: number
  variance: number
}

/** One socket in a kernel that the test moves, with the books of its descriptors. */
class Kernel implements Native {
  readonly version = 'fake'
  state: KernelState = { closed: false, fin: true, sent: REQUEST, acknowledged: 0, rtt: 40, variance: 5 }
  /** Answers nothing any more. */
  silent = false
  refusesDuplicates = false
  duplicated: number[] = []
  closedDescriptors: number[] = []
  asked: number[] = []

  getBytes(fd: number, _level: number, _name: number, target: Buffer): number {
    this.asked.push(fd)
    if (this.silent || this.closedDescriptors.includes(fd)) return -1
    const { closed, fin, sent, acknowledged, rtt, variance } = this.state
    target.fill(0)
    target[0] = closed ? 7 : 8
    target.writeUInt32LE(rtt * 1000, 68)
    target.writeUInt32LE(variance * 1000, 72)
    target.writeBigUInt64LE(BigInt(BEFORE + acknowledged + 1), 120) // the SYN is counted, too
    target.writeBigUInt64LE(BigInt(READ + (fin ? 1 : 0)), 128)
    target.writeBigUInt64LE(BigInt(BEFORE + sent), 200)
    return 232
  }
  getInt = (): number => -1
  setInt = (): number => -1
  unread = (): number => 0

  duplicate(fd: number): number {
    if (this.refusesDuplicates) return -1
    this.duplicated.push(fd)
    return DUPLICATE
  }

  close(fd: number): void {
    this.closedDescriptors.push(fd)
  }
}

/** A clock that also knows which of its timers keep a process alive. */
class HoldingClock extends ManualClock {
  readonly held: (boolean | undefined)[] = []

  override setTimer(callback: () => void, delay: number, holds?: boolean): object {
    this.held.push(holds)
    return super.setTimer(callback, delay)
  }
}

/** @param written bytes of the request that were given to the kernel */
function rig(state: Partial<KernelState> = {}, written = REQUEST) {
  const clock = new HoldingClock()
  const kernel = new Kernel()
  Object.assign(kernel.state, state)
  const tools = { clock, native: kernel, tcpInfo: new TcpInfoReader(kernel) }
  const request = { writtenBefore: BEFORE, count: () => ({ bytesRead: READ, bytesWritten: BEFORE + written }) }
  const told: Evidence[] = []
  const call = (stays = true) => new Witness(ORIGINAL, tools.tcpInfo.tally(ORIGINAL)!, request, stays, tools)
  return {
    clock,
    kernel,
    told,
    call,
    /** Calls one that stays, and waits for its word. */
    listen() {
      const witness = call()
      witness.whenClear((evidence) => told.push(evidence))
      return witness
    },
    /** Times of the looks in a stretch of time, from its beginning. */
    looksWithin(ms: number): number[] {
      const times: number[] = []
      for (let now = 1; now <= ms; now++) {
        const before = kernel.asked.length
        clock.advance(1)
        for (let look = before; look < kernel.asked.length; look++) times.push(now)
      }
      return times
    },
  }
}

const REFUSED: Evidence = {
  written: REQUEST,
  sent: REQUEST,
  acknowledged: 0,
  fin: true,
  reset: true,
  requestTimeout: false,
  watched: 0,
}

describe('a witness', () => {
  it('has looked once when it is called: what left and was acknowledged of the request, FIN and RST', () => {
    const { call } = rig({ sent: 70, acknowledged: 30, fin: false })
    expect(call(false).evidence).toEqual({ ...REFUSED, sent: 70, acknowledged: 30, fin: false, reset: false })
  })

  it('counts no bytes below none, should the books not agree', () => {
    const { call } = rig({ sent: -3, acknowledged: -3 })
    expect(call(false).evidence).toMatchObject({ sent: 0, acknowledged: 0 })
  })

  it('counts no more bytes as sent than were written: some may have been sent twice', () => {
    const { call } = rig({ sent: 2 * REQUEST })
    expect(call(false).evidence).toMatchObject({ written: REQUEST, sent: REQUEST })
  })

  it('needs no descriptor of its own to look once', () => {
    const { call, kernel, clock, told } = rig()
    const witness = call(false)
    expect(kernel.duplicated).toEqual([])
    witness.whenClear((evidence) => told.push(evidence))
    expect(told).toEqual([{ ...REFUSED, reset: false }])
    expect(clock.timers).toBe(0)
  })

  it.each([
    ['that was reset', { closed: true }, { reset: true }],
    ['that was acknowledged', { acknowledged: 1 }, { reset: false, acknowledged: 1 }],
  ])('needs none either for a request %s: nothing more is to be expected', (_what, state, seen) => {
    const { listen, kernel, clock, told } = rig(state)
    listen()
    expect(told).toEqual([{ ...REFUSED, ...seen }])
    expect(kernel.duplicated).toEqual([])
    expect(clock.timers).toBe(0)
  })

  it('needs none either where nothing was written: no byte of it can leave any more', () => {
    const { listen, kernel, told } = rig({ sent: 0 }, 0)
    listen()
    expect(told).toEqual([{ ...REFUSED, written: 0, sent: 0, reset: false }])
    expect(kernel.duplicated).toEqual([])
  })

  it('makes do with one look where it cannot have a descriptor', () => {
    const { listen, kernel, clock, told } = rig()
    kernel.refusesDuplicates = true
    listen()
    expect(told).toEqual([{ ...REFUSED, reset: false }])
    expect(kernel.closedDescriptors).toEqual([])
    expect(clock.timers).toBe(0)
  })

  it("stays with a descriptor of its own, and never touches the other one again: it may be somebody else's", () => {
    const { listen, kernel, clock } = rig()
    listen()
    expect(kernel.duplicated).toEqual([ORIGINAL])
    kernel.asked = []
    clock.advance(2000)
    expect(new Set(kernel.asked)).toEqual(new Set([DUPLICATE]))
    expect(kernel.closedDescriptors).toEqual([DUPLICATE])
  })

  it('keeps the process alive while it stays', () => {
    const { listen, clock } = rig()
    listen()
    clock.advance(2000)
    expect(new Set(clock.held)).toEqual(new Set([true]))
  })
})

describe('a witness looks', () => {
  it('eight times in a round trip, for two of them and four times their variance', () => {
    const { listen, looksWithin, told } = rig({ rtt: 40, variance: 5 })
    listen()
    // 2 x 40 + 4 x 5 = 100 ms, every 5 ms.
    expect(looksWithin(2000)).toEqual(Array.from({ length: 20 }, (_, look) => (look + 1) * 5))
    expect(told).toEqual([{ ...REFUSED, reset: false, watched: 100 }])
  })

  it.each([
    ['for 10 ms at the least, every millisecond at the most', { rtt: 0.1, variance: 0.01 }, 10, 10],
    ['for 1 s at the most, every 25 ms at the least', { rtt: 4000, variance: 900 }, 1000, 40],
    ['for 999 ms where that is what it comes to', { rtt: 487.5, variance: 6 }, 1000, 40],
  ])('%s', (_what, times, last, count) => {
    const { listen, looksWithin, told } = rig(times)
    listen()
    const looks = looksWithin(5000)
    expect(looks).toHaveLength(count)
    expect(looks.at(-1)).toBe(last)
    expect(told).toHaveLength(1)
  })

  it('as long as was decided at first, whatever becomes of the round-trip time', () => {
    const { listen, looksWithin, kernel } = rig({ rtt: 40, variance: 5 })
    listen()
    kernel.state.rtt = 4000
    expect(looksWithin(2000).at(-1)).toBe(100)
  })

  it('until the RST is there, and says when that was', () => {
    const { listen, clock, kernel, told } = rig()
    listen()
    clock.advance(12)
    kernel.state.closed = true
    expect(told).toEqual([])
    clock.advance(3)
    expect(told).toEqual([{ ...REFUSED, watched: 15 }])
    expect(clock.timers).toBe(0)
  })

  it('until a byte was acknowledged', () => {
    const { listen, clock, kernel, told } = rig()
    listen()
    clock.advance(7)
    kernel.state.acknowledged = 1
    clock.advance(2000)
    expect(told).toEqual([{ ...REFUSED, acknowledged: 1, reset: false, watched: 10 }])
  })

  it('for a FIN that comes later, too', () => {
    const { listen, clock, kernel, told } = rig({ fin: false })
    listen()
    clock.advance(7)
    kernel.state.fin = true
    clock.advance(10)
    kernel.state.closed = true
    clock.advance(2000)
    expect(told).toEqual([{ ...REFUSED, watched: 20 }])
  })

  it('late where the event loop was blocked, and once: what it sees then is what there is', () => {
    const { listen, clock, kernel, told } = rig()
    listen()
    kernel.state.closed = true
    clock.block(3000)
    expect(told).toEqual([{ ...REFUSED, watched: 3000 }])
  })

  it('no more when the kernel has nothing to say any more: what was seen before stands', () => {
    const { listen, clock, kernel, told } = rig()
    listen()
    clock.advance(7)
    kernel.silent = true
    clock.advance(2000)
    expect(told).toEqual([{ ...REFUSED, reset: false, watched: 5 }])
    expect(kernel.closedDescriptors).toEqual([DUPLICATE])
  })
})

describe('a witness is asked', () => {
  it('when it is all over: the answer comes at once', () => {
    const { call, clock, kernel, told } = rig()
    const witness = call()
    clock.advance(10)
    kernel.state.closed = true
    clock.advance(2000)
    witness.whenClear((evidence) => told.push(evidence))
    expect(told).toEqual([{ ...REFUSED, watched: 15 }])
  })

  it('what it has seen so far, without waiting', () => {
    const { call, clock, kernel } = rig()
    const witness = call()
    clock.advance(10)
    kernel.state.closed = true
    expect(witness.evidence).toEqual({ ...REFUSED, reset: false, watched: 10 })
  })
})

describe('a witness that is dismissed', () => {
  it('closes its descriptor and looks no more', () => {
    const { call, clock, kernel } = rig()
    const witness = call()
    kernel.asked = []
    witness.dismiss()
    clock.advance(2000)
    expect(kernel.asked).toEqual([])
    expect(kernel.closedDescriptors).toEqual([DUPLICATE])
    expect(clock.timers).toBe(0)
  })

  it('stays where somebody waits for its word', () => {
    const { listen, clock, kernel, told } = rig()
    const witness = listen()
    witness.dismiss()
    expect(kernel.closedDescriptors).toEqual([])
    clock.advance(2000)
    expect(told).toHaveLength(1)
    expect(kernel.closedDescriptors).toEqual([DUPLICATE])
  })

  it.each(['it never stayed', 'it has left', 'it was dismissed before'])('does nothing where %s', (why) => {
    const { call, clock, kernel } = rig()
    const witness = call(why !== 'it never stayed')
    if (why === 'it has left') clock.advance(2000)
    if (why === 'it was dismissed before') witness.dismiss()
    const before = [...kernel.closedDescriptors]
    witness.dismiss()
    expect(kernel.closedDescriptors).toEqual(before)
  })
})

it('whatever happens, a witness closes its descriptor once, tells what it saw once, and leaves no timer', () => {
  const event = fc.constantFrom('rst', 'ack', 'fin', 'silence', 'dismiss', 'ask', 'block')
  const story = fc.array(fc.tuple(fc.nat(60), event), { maxLength: 8 })
  fc.assert(
    fc.property(story, fc.boolean(), (events, stays) => {
      const { call, clock, kernel, told } = rig({ fin: false })
      const witness = call(stays)
      let asked = 0
      for (const [pause, what] of events) {
        clock.advance(pause)
        if (what === 'rst') kernel.state.closed = true
        if (what === 'ack') kernel.state.acknowledged = 1
        if (what === 'fin') kernel.state.fin = true
        if (what === 'silence') kernel.silent = true
        if (what === 'dismiss') witness.dismiss()
        if (what === 'block') clock.block(500)
        if (what === 'ask' && asked++ === 0) witness.whenClear((evidence) => told.push(evidence))
      }
      clock.advance(2000)
      expect(kernel.closedDescriptors).toEqual(stays ? [DUPLICATE] : [])
      expect(told).toHaveLength(Math.min(1, asked))
      expect(told).toEqual(asked > 0 ? [witness.evidence] : [])
      expect(clock.timers).toBe(0)
    }),
  )
})
