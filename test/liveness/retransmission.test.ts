import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type LivenessTriple, presets } from '../../src/liveness/presets.js'
import { readRetries, retransmissionTime, retransmitCap, systemRetries } from '../../src/liveness/retransmission.js'
import { thisSystem } from '../../src/liveness/system.js'
import { describeWith } from '../support/requirements.js'

/** The kernel's default, tcp(7). */
const RETRIES = 15

/**
 * What tcp_model_timeout stands for, pause by pause: the first of 200 ms, each next one twice as long up to the cap, until
 * there were `retries` retransmissions and the pause after the last.
 */
function pausesOf(cap: number, retries: number): number[] {
  const pauses: number[] = []
  for (let pause = 200; pauses.length <= retries; pause = Math.min(pause * 2, cap)) pauses.push(pause)
  return pauses
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
const deadAfter = ({ idle, interval, probes }: LivenessTriple): number => idle + interval * probes

const caps = fc.integer({ min: 1, max: 120 }).map((seconds) => seconds * 1000)
const retries = fc.integer({ min: 0, max: 255 })
const triples = fc.record({
  idle: fc.integer({ min: 1, max: 600 }).map((seconds) => seconds * 1000),
  interval: fc.integer({ min: 1, max: 150 }).map((seconds) => seconds * 1000),
  probes: fc.integer({ min: 1, max: 127 }),
})

describe('how long the kernel retransmits', () => {
  it('is 924.6 s by default, as tcp(7) and ip-sysctl say', () => {
    expect(retransmissionTime(120_000, RETRIES)).toBe(924_600)
  })

  it('is a single pause where nothing is sent again, and twice as long with each that is, up to the cap', () => {
    expect([0, 1, 2, 3, 4].map((count) => retransmissionTime(1_000, count))).toEqual([200, 600, 1_400, 2_400, 3_400])
  })

  /**
   * The kernel's own formula begins to add caps where doubling would pass the cap, so it has one pause of a cap where the
   * sum of the pauses has one a little shorter than that.
   */
  it('is the sum of the pauses, but for the one in which the cap is reached', () => {
    fc.assert(
      fc.property(caps, retries, (cap, count) => {
        const pauses = pausesOf(cap, count)
        expect(Math.abs(retransmissionTime(cap, count) - sum(pauses))).toBeLessThan(cap)
        const reached = pauses.filter((pause) => pause === cap).length
        if (reached === 0) expect(retransmissionTime(cap, count)).toBe(sum(pauses))
      }),
    )
  })

  it('never falls as the cap or the retransmissions rise', () => {
    fc.assert(
      fc.property(caps, retries, (cap, count) => {
        const time = retransmissionTime(cap, count)
        expect(retransmissionTime(cap + 1000, count)).toBeGreaterThanOrEqual(time)
        expect(retransmissionTime(cap, count + 1)).toBeGreaterThan(time)
      }),
    )
  })
})

describe('the cap on the pauses between retransmissions', () => {
  it.each([
    ['lan', 2_000],
    ['cloud', 5_000],
    ['mobile', 19_000],
  ] as const)('is, for the preset %s, %i ms', (name, cap) => {
    expect(retransmitCap(presets[name], RETRIES)).toBe(cap)
  })

  it('is Td where that leaves the kernel patience enough, and more where it does not', () => {
    const triple = { idle: 10_000, interval: 1_000, probes: 1 }
    expect(retransmissionTime(1_000, RETRIES)).toBe(14_400)
    expect(retransmitCap(triple, RETRIES)).toBe(1_000)
    expect(retransmitCap({ ...triple, idle: 11_000 }, RETRIES)).toBe(2_000)
  })

  it('does not exist where Td is above the longest that the kernel takes', () => {
    expect(retransmitCap({ idle: 1_000, interval: 120_000, probes: 1 }, RETRIES)).toBe(120_000)
    expect(retransmitCap({ idle: 1_000, interval: 121_000, probes: 1 }, RETRIES)).toBeUndefined()
  })

  it('does not exist where the kernel gives up too soon with any, for it was told to', () => {
    expect(retransmissionTime(120_000, 5)).toBe(12_600)
    expect(retransmitCap(presets.cloud, 5)).toBeUndefined()
    expect(retransmitCap(presets.cloud, 9)).toBe(11_000)
  })

  it('is the smallest that the kernel takes, from Td up, with which it has 25 % more patience than Ti + Td x Nm', () => {
    fc.assert(
      fc.property(triples, retries, (triple, count) => {
        const good = (cap: number): boolean =>
          cap >= triple.interval && retransmissionTime(cap, count) >= 1.25 * deadAfter(triple)
        const seconds = Array.from({ length: 120 }, (_, index) => (index + 1) * 1000)
        expect(retransmitCap(triple, count)).toBe(seconds.find(good))
      }),
      { numRuns: 1000 },
    )
  })

  it('gives any patience, up to the 12 minutes that the kernel has without it', () => {
    fc.assert(
      fc.property(triples, (triple) => {
        const possible = triple.interval <= 120_000 && 1.25 * deadAfter(triple) <= 924_600
        expect(retransmitCap(triple, RETRIES) !== undefined).toBe(possible)
      }),
    )
  })
})

describe('tcp_retries2', () => {
  const reading = (readFile: (path: string) => string): number => readRetries({ ...thisSystem, readFile })

  it('is read', () => {
    const paths: string[] = []
    const retries = reading((path) => {
      paths.push(path)
      return '8\n'
    })
    expect(retries).toBe(8)
    expect(paths).toEqual(['/proc/sys/net/ipv4/tcp_retries2'])
    expect(reading(() => '0\n')).toBe(0)
  })

  it('is 15 where it cannot be read, or is no number', () => {
    const fails = (): string => {
      throw new Error('ENOENT')
    }
    expect(reading(fails)).toBe(15)
    expect(reading(() => 'what?')).toBe(15)
  })
})

describeWith('linux', 'tcp_retries2 of this machine', () => {
  const here = Number(readFileSync('/proc/sys/net/ipv4/tcp_retries2', 'latin1'))

  // Same on each call: it is not read again.
  it('is what the kernel says', () => {
    expect(systemRetries()).toBe(here)
    expect(systemRetries()).toBe(here)
  })
})
