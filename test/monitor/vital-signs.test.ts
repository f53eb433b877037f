import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerTime, deadAfter, judge, type Patience, type Signs, type Watch } from '../../src/liveness/vital-signs.js'
import { alive } from '../support/fake-links.js'

const patience: Patience = { idle: 2_000, interval: 1_000, probes: 3 }
const NOW = 100_000
/** A question was out long before. */
const longAsked: Watch = { askedAt: NOW - 1_000, exhaustedAt: NOW - 1_000, deaf: undefined }

const look = (signs: Partial<Signs>, busyFor = Infinity, before: Watch | undefined = longAsked) =>
  judge(alive(signs), patience, busyFor, NOW, before)

describe('how long an answer takes', () => {
  it('is two round trips and what they vary by, at least 200 ms', () => {
    expect(answerTime({ rtt: 1, rttVariance: 0.5, window: 1 }, patience)).toBe(200)
    expect(answerTime({ rtt: 150, rttVariance: 50, window: 1 }, patience)).toBe(500)
  })

  it('is never longer than Td', () => {
    expect(answerTime({ rtt: 900, rttVariance: 400, window: 1 }, patience)).toBe(1_000)
  })
})

describe('a peer that owes nothing', () => {
  it('is well, however long it has been silent, and is looked at when it will have been asked', () => {
    expect(look({ silence: 500 })).toMatchObject({ state: 'well', again: 1_500 + 200 })
    expect(look({ silence: 60_000 }).state).toBe('well')
    expect(look({ silence: 60_000, unacknowledged: 3 }).state).toBe('well')
  })

  it('is looked at less and less often where the kernel does not ask, but every Td', () => {
    const pauses = [2_000, 2_200, 2_600, 3_400, 9_000].map((silence) => look({ silence }).again)
    expect(pauses).toEqual([200, 400, 800, 1_200, 1_200])
  })
})

describe('a peer that was asked', () => {
  it('is given the time for an answer, then suspected, then dead at Ti + Td x Nm', () => {
    const states = [2_000, 2_199, 2_200, 4_999, 5_000].map((silence) => look({ silence, probes: 3 }).state)
    expect(states).toEqual(['well', 'well', 'suspect', 'suspect', 'dead'])
    expect(deadAfter(patience)).toBe(5_000)
  })

  it('is looked at every half of Td while it is suspected, and at the very end of its time', () => {
    expect(look({ silence: 2_200, probes: 1 }).again).toBe(500)
    expect(look({ silence: 4_900, probes: 3 }).again).toBe(100)
    expect(look({ silence: 5_100, probes: 2 }).again).toBe(100)
    expect(look({ silence: 5_000, probes: 2 }).again).toBe(100)
  })

  it('is not dead before it was asked Nm times, and had time to answer the last question', () => {
    expect(look({ silence: 9_000, probes: 2 }).state).toBe('suspect')
    const first = look({ silence: 9_000, probes: 3 }, Infinity, { ...longAsked, exhaustedAt: Infinity })
    expect(first).toMatchObject({ state: 'suspect', watch: { exhaustedAt: NOW } })
    const states = [199, 200].map(
      (ms) => judge(alive({ silence: 9_000, probes: 3 }), patience, Infinity, NOW + ms, first.watch).state,
    )
    expect(states).toEqual(['suspect', 'dead'])
  })

  it('is well as soon as it was heard, though the next question is out', () => {
    expect(look({ silence: 20, probes: 1 }).state).toBe('well')
    // What was exhausted is no more so.
    expect(look({ silence: 20, probes: 1 }).watch.exhaustedAt).toBe(Infinity)
  })

  it('whose window is closed is alive as long as it answers, and dead when it does not', () => {
    // Window probes come ever more rarely: the last one may have been answered a minute ago.
    expect(look({ silence: 59_000, probes: 0, window: 0 }).state).toBe('well')
    expect(look({ silence: 59_000, probes: 1, window: 0 }).state).toBe('suspect')
    expect(look({ silence: 59_000, probes: 3, window: 0 }).state).toBe('dead')
  })
})

describe('a question that is out when it is looked at', () => {
  const now = NOW + 5_000
  const first = judge(alive({ silence: 2_300, probes: 1 }), patience, Infinity, now, undefined)
  const later = (ms: number, signs: Partial<Signs>) =>
    judge(alive({ probes: 1, ...signs }), patience, Infinity, now + ms, first.watch).state

  it('may have been asked just now, the kernel being late: nobody is suspected before it was seen for the time of an answer', () => {
    expect(first).toMatchObject({ state: 'well', again: 200 })
    expect([later(199, { silence: 2_499 }), later(200, { silence: 2_500 })]).toEqual(['well', 'suspect'])
  })

  it('is another one if the peer was heard since', () => {
    expect(later(2_400, { silence: 2_399 })).toBe('well')
    expect(later(2_400, { silence: 2_400 })).toBe('suspect')
    const anew = judge(alive({ silence: 2_300, probes: 1 }), patience, Infinity, now + 2_400, first.watch)
    expect(anew).toMatchObject({ state: 'well', watch: { askedAt: now + 2_400 } })
  })

  it('of a peer without room is given 500 ms, for that is how rarely its kernel answers', () => {
    expect(answerTime({ rtt: 1, rttVariance: 0.5, window: 0 }, patience)).toBe(500)
    expect(look({ silence: 2_499, probes: 1, window: 0 }).state).toBe('well')
  })
})

describe('a peer that does not acknowledge what was sent', () => {
  const unheard = { unacknowledged: 2, retransmits: 3 }

  it('is suspected, then dead, by the same clock', () => {
    const states = [2_199, 2_200, 4_999, 5_000].map((silence) => look({ silence, ...unheard }).state)
    expect(states).toEqual(['well', 'suspect', 'suspect', 'dead'])
  })

  it('is not blamed for a silence before it had anything to answer', () => {
    const states = [2_199, 2_200, 4_999, 5_000].map((busyFor) => look({ silence: 600_000, ...unheard }, busyFor).state)
    expect(states).toEqual(['well', 'suspect', 'suspect', 'dead'])
  })

  it('needs two retransmissions, for one may be lost; one where a single probe would do', () => {
    expect(look({ silence: 9_000, unacknowledged: 1, retransmits: 1 }).state).toBe('suspect')
    expect(look({ silence: 9_000, unacknowledged: 1, retransmits: 2 }).state).toBe('dead')
    const hasty = { ...patience, probes: 1 }
    expect(
      judge(alive({ silence: 9_000, unacknowledged: 1, retransmits: 1 }), hasty, Infinity, NOW, longAsked).state,
    ).toBe('dead')
  })

  it('but is heard, and has room: what we send does not get there, and the time counts from its last acknowledgement', () => {
    const deaf = { silence: 0, window: 1_000, ...unheard }
    const states = [2_199, 2_200, 4_999, 5_000].map(
      (ms) => look(deaf, Infinity, { ...longAsked, deaf: { acknowledged: 100, since: NOW - ms } }).state,
    )
    expect(states).toEqual(['well', 'suspect', 'suspect', 'dead'])
    const before = { ...longAsked, deaf: { acknowledged: 100, since: NOW - 9_000 } }
    const heard = look({ ...deaf, retransmits: 2, acknowledged: 101 }, Infinity, before)
    // Sent again twice, after 0.2 s and 0.4 s more.
    expect(heard).toMatchObject({ state: 'well', watch: { deaf: { acknowledged: 101, since: NOW - 600 } } })
    const often = look({ ...deaf, retransmits: 4, acknowledged: 101 }, Infinity, before)
    expect(often).toMatchObject({ state: 'suspect', watch: { deaf: { since: NOW - (200 + 400 + 800 + 1_000) } } })
    expect(look({ ...deaf, retransmits: 0 }, Infinity, before).watch.deaf).toBeUndefined()
  })

  it('but is heard, and has no room, or the kernel does not tell: it lives', () => {
    for (const window of [0, undefined])
      expect(judge({ ...alive({ silence: 0, ...unheard }), window }, patience, Infinity, NOW, longAsked).state).toBe(
        'well',
      )
  })
})

describe('whatever the signs', () => {
  const patiences = fc.record({
    idle: fc.integer({ min: 1, max: 200 }).map((s) => s * 1000),
    interval: fc.integer({ min: 1, max: 60 }).map((s) => s * 1000),
    probes: fc.integer({ min: 1, max: 20 }),
  })
  const anySigns = fc.record({
    silence: fc.nat(10_000_000),
    probes: fc.nat(20),
    retransmits: fc.nat(20),
    unacknowledged: fc.nat(20),
    acknowledged: fc.constant(100),
    window: fc.option(fc.nat(100_000), { nil: undefined }),
    rtt: fc.double({ min: 0, max: 5_000, noNaN: true }),
    rttVariance: fc.double({ min: 0, max: 5_000, noNaN: true }),
  })
  const watches = fc.option(
    fc.record({
      askedAt: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: NOW })),
      exhaustedAt: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: NOW })),
      deaf: fc.option(fc.record({ acknowledged: fc.constantFrom(99, 100), since: fc.integer({ min: 0, max: NOW }) }), {
        nil: undefined,
      }),
    }),
    { nil: undefined },
  )

  it('nobody is suspected who was heard within Ti and acknowledges, or owes nothing', () => {
    fc.assert(
      fc.property(anySigns, patiences, watches, (signs, patience, watch) => {
        const { state } = judge(signs, patience, Infinity, NOW, watch)
        const owes = signs.probes + signs.retransmits > 0
        if (!owes || (signs.silence < patience.idle && signs.unacknowledged === 0)) expect(state).toBe('well')
      }),
    )
  })

  it('the first look kills nobody, and the next one comes after a while, and in time for the end', () => {
    fc.assert(
      fc.property(anySigns, patiences, (signs, patience) => {
        const { state, again } = judge(signs, patience, Infinity, NOW, undefined)
        expect(state).not.toBe('dead')
        expect(again).toBeGreaterThan(0)
        if (signs.silence < deadAfter(patience)) expect(again).toBeLessThanOrEqual(deadAfter(patience))
      }),
    )
  })
})
