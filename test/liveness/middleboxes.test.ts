import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  firstToEnd,
  keepsAwake,
  livenessThrough,
  type Middlebox,
  middleboxes,
  middleboxNames,
  named,
} from '../../src/liveness/middleboxes.js'
import { type LivenessSetting, type LivenessTriple, planOf, presets } from '../../src/liveness/presets.js'
import { resolveOptions } from '../../src/options/pool-options.js'

const box = (layer: 4 | 7, timeout: number): Middlebox => ({
  layer,
  timeout,
  ends: layer === 4 ? 'silence' : 'fin',
  advertises: false,
  source: 'made up',
})

describe('the table of middleboxes', () => {
  it.each(middleboxNames)('has a sound entry for %s', (name) => {
    const { timeout, layer, ends, source, advertises } = named(name)
    expect(timeout % 1000).toBe(0)
    expect(timeout).toBeGreaterThanOrEqual(1000)
    expect(source).toMatch(/^https:\/\/\S+$/)
    // Who speaks HTTP says goodbye; who only passes packets on cannot.
    expect(layer === 7).toBe(ends === 'fin')
    if (advertises) expect(layer).toBe(7)
  })

  it('has what is asked for most, with its timeout in seconds and its layer', () => {
    const entries = Object.entries(middleboxes).map(([name, { timeout, layer }]) => [name, [timeout / 1000, layer]])
    expect(Object.fromEntries(entries)).toMatchObject({
      'aws-alb': [60, 7],
      'aws-nlb': [350, 4],
      'aws-nat-gateway': [350, 4],
      'azure-lb': [240, 4],
      gcp: [600, 4],
      cloudflare: [400, 7],
      heroku: [90, 7],
      ipvs: [900, 4],
      envoy: [3600, 7],
      nginx: [75, 7],
      apache: [5, 7],
      node: [5, 7],
      gunicorn: [2, 7],
      uvicorn: [5, 7],
      puma: [65, 7],
      tomcat: [20, 7],
      kestrel: [130, 7],
    })
  })
})

describe('probes keep a connection awake', () => {
  it('in what works on TCP, if they come in time, though the kernel may be late by an eighth: 213 s of 240', () => {
    expect(keepsAwake(box(4, 240_000), 213_000)).toBe(true)
    expect(keepsAwake(box(4, 240_000), 214_000)).toBe(false)
    expect(keepsAwake(box(4, 9_000), 8_000)).toBe(false)
    expect(keepsAwake(box(4, 9_001), 8_000)).toBe(true)
  })

  it('in nothing that speaks HTTP', () => {
    expect(keepsAwake(box(7, 240_000), 1_000)).toBe(false)
  })

  it('not if there are none', () => {
    expect(keepsAwake(box(4, 240_000), undefined)).toBe(false)
  })
})

describe('what ends an idle connection first', () => {
  it('is the one with the shortest time, of those that probes do not keep awake', () => {
    const boxes = [box(7, 75_000), box(4, 50_000), box(7, 60_000)]
    expect(firstToEnd(boxes, 30_000)).toBe(boxes[2])
    expect(firstToEnd(boxes, 45_000)).toBe(boxes[1])
    expect(firstToEnd(boxes, undefined)).toBe(boxes[1])
  })

  it('is nothing where probes keep all awake', () => {
    expect(firstToEnd([box(4, 350_000), box(4, 240_000)], 30_000)).toBeUndefined()
    expect(firstToEnd([], undefined)).toBeUndefined()
  })
})

describe('liveness that nobody asked for', () => {
  it('is the usual one where that keeps all awake', () => {
    expect(livenessThrough([], 'cloud')).toBe('cloud')
    expect(livenessThrough([box(4, 34_000)], 'cloud')).toBe('cloud')
    expect(livenessThrough([box(7, 2_000)], 'cloud')).toBe('cloud')
  })

  it('is a triple with half of the shortest time where it does not', () => {
    expect(livenessThrough([box(4, 33_000), box(4, 20_500), box(7, 2_000)], 'cloud')).toEqual({
      idle: 10_000,
      interval: 5_000,
      probes: 3,
    })
    expect(livenessThrough([box(4, 8_000)], 'cloud')).toEqual({ idle: 4_000, interval: 4_000, probes: 3 })
  })

  it('keeps all awake and is a good value, for anything in between', () => {
    const boxes = fc.array(
      fc.record({
        layer: fc.constantFrom(4 as const, 7 as const),
        timeout: fc.integer({ min: 2_000, max: 1_000_000 }),
      }),
    )
    fc.assert(
      fc.property(boxes, fc.constantFrom(...(Object.keys(presets) as (keyof typeof presets)[])), (made, usual) => {
        const all = made.map(({ layer, timeout }) => box(layer, timeout))
        const liveness = livenessThrough(all, usual)
        const plan = planOf(resolveOptions({ liveness }).liveness) as LivenessSetting & LivenessTriple
        for (const each of all) if (each.layer === 4) expect(keepsAwake(each, plan.idle)).toBe(true)
      }),
    )
  })

  it('is the default for everything in the table', () => {
    expect(livenessThrough(middleboxNames.map(named), 'cloud')).toBe('cloud')
  })
})
