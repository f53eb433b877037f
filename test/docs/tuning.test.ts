/** The tables of docs/tuning.md are those of the code, and what it advises follows its own rule. */
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.js'
import { type LivenessTriple, livenessPresets } from '../../src/index.js'
import { keepsAwake, middleboxes, named } from '../../src/liveness/middleboxes.js'
import type { Native } from '../../src/liveness/native.js'
import { retransmissionTime, retransmitCap } from '../../src/liveness/retransmission.js'
import { type PoolOptions, resolveOptions } from '../../src/options/pool-options.js'
import { Pool } from '../../src/pool.js'
import { code, Page, type Row } from './markdown.js'
import { aliasStrings, constantKeys } from './source.js'

const page = new Page('docs/tuning.md')

/** `5 s`: in milliseconds. */
const seconds = (cell: string | undefined): number => Number(/^([\d.]+) s$/.exec(cell ?? '')?.[1]) * 1000

/** An object or a string as it is written in JavaScript. */
function parsed(written: string): unknown {
  const json = written
    .replace(/(?<=\d)_(?=\d)/g, '')
    .replace(/([{,]\s*)(\w+):/g, '$1"$2":')
    .replaceAll("'", '"')
  return JSON.parse(json)
}

describe('the table of what stands in between', () => {
  const rows = page.table('The through option', 'Name')
  const words = { fin: 'FIN', rst: 'RST', silence: 'silence' }

  it('has every name once', () => {
    expect(rows.map((row) => parsed(code(row.Name)))).toEqual(Object.keys(middleboxes))
  })

  it.each(Object.entries(middleboxes))(
    'has what the code has of %s',
    (name, { timeout, layer, ends, advertises, source }) => {
      const row = rows.find((each) => code(each.Name) === `'${name}'`)
      expect(seconds(row?.['Silent for'])).toBe(timeout)
      expect(row).toMatchObject({ Layer: `${layer}`, 'Ends with': words[ends], Advertises: advertises ? 'yes' : 'no' })
      expect(row?.Name).toContain(`](${source})`)
    },
  )

  it('has nothing of layer 4 that the default does not keep awake, as the text says', () => {
    expect(page.section('The rule')).toContain(`Ti of ${livenessPresets.cloud.idle / 1000} s, as in \`'cloud'\``)
    for (const box of Object.values(middleboxes))
      if (box.layer === 4) expect(keepsAwake(box, livenessPresets.cloud.idle)).toBe(true)
  })
})

/** With a kernel that can be asked. */
const ground = { clock: systemClock, native: { native: { version: '0' } as Native } }

/** The rule: Ti below what forgets, the idle time below what closes, nothing to warn of. */
function followsTheRule(options: PoolOptions): void {
  const resolved = resolveOptions(options)
  const { liveness, idleTimeout, warnings } = new Pool(resolved, ground).explain('http://localhost')
  const { idle } = liveness.asked as LivenessTriple
  expect(warnings).toEqual([])
  for (const box of resolved.through.map(named)) {
    if (box.layer === 4) expect(keepsAwake(box, idle), box.name).toBe(true)
    else expect(idleTimeout.value, box.name).toBeLessThan(box.timeout)
  }
}

describe('the table of environments', () => {
  const rows = page.table('Where you are', 'Where')

  it.each(rows.map((row) => [row.Where, row] as const))('has what its options come to: %s', (_where, row: Row) => {
    const options = parsed(code(row.Options)) as PoolOptions
    const resolved = resolveOptions(options)
    const { liveness, idleTimeout } = new Pool(resolved, ground).explain('http://localhost')
    expect(liveness.asked).toMatchObject({ idle: seconds(row.Ti) })
    expect(liveness.deadAfter).toBe(seconds(row['Dead after']))
    expect(`${idleTimeout.value} ms`).toBe(row['Idles for'])
    followsTheRule(options)
  })

  it('has every preset that is not the default, and names of both layers', () => {
    const options = rows.map((row) => parsed(code(row.Options)) as PoolOptions)
    const presets = options.flatMap(({ liveness = 'cloud' }) => liveness)
    expect([...new Set(presets)].sort()).toEqual(Object.keys(livenessPresets).sort())
    const layers = options.flatMap(({ through }) => resolveOptions({ through: through ?? [] }).through.map(named))
    expect(new Set(layers.map(({ layer }) => layer))).toEqual(new Set([4, 7]))
  })

  it('has text with the timeouts of the code', () => {
    const text = page.section('Where you are')
    expect(text).toContain(`**AWS ALB** closes after ${middleboxes['aws-alb'].timeout / 1000} s`)
    expect(text).toContain(`**AWS NLB and NAT gateway** forget after ${middleboxes['aws-nlb'].timeout / 1000} s`)
    expect(middleboxes['aws-nat-gateway'].timeout).toBe(middleboxes['aws-nlb'].timeout)
    expect(text).toContain(`**Azure** forgets after ${middleboxes['azure-lb'].timeout / 1000} s`)
    expect(text).toContain(`on IPVS for ${middleboxes.ipvs.timeout / 60_000} minutes`)
    expect(middleboxes['kube-proxy'].timeout).toBe(24 * 60 * 60 * 1000)
  })
})

describe('the recipes', () => {
  const text = page.section('Recipes')
  const recipes = [...text.matchAll(/createPool\((\{.*\})\)/g)].map(
    ([, options]) => parsed(options as string) as PoolOptions,
  )

  it('are one for each environment, and where to look without one', () => {
    expect(recipes).toHaveLength((text.match(/^### /gm)?.length ?? 0) - 1)
    expect(recipes.length).toBeGreaterThan(6)
  })

  it.each(recipes)('follow the rule: %o', (options) => followsTheRule(options))

  it('have the timeouts of the code', () => {
    expect(text).toContain(`closes after ${middleboxes['aws-alb'].timeout / 1000} s of idleness`)
    expect(text).toContain(`was silent for ${middleboxes['aws-nlb'].timeout / 1000} s`)
    expect(text).toContain(`Probes after ${livenessPresets.cloud.idle / 1000} s`)
    expect(text).toContain(`after ${livenessPresets.mobile.idle / 1000} s, just below`)
    expect(text).toContain(`${middleboxes.nginx.timeout / 1000} s (\`keepalive_timeout\`)`)
    expect(middleboxes.envoy.timeout).toBe(60 * 60 * 1000) // "for an hour"
  })
})

describe('the table of warnings', () => {
  it('has every code, in the order in which they are given', () => {
    const listed = page.table('Warnings', 'Code').map((row) => code(row.Code))
    expect(listed).toEqual(aliasStrings('telemetry/warnings.ts', 'WarningCode'))
    expect(listed).toEqual(constantKeys('telemetry/warnings.ts', 'rules').map((key) => key.replaceAll("'", '')))
  })
})

describe('the table of pauses between retransmissions', () => {
  const rows = page.table('While data waits for an acknowledgement', 'Preset')
  /** Of a system that nobody has tuned. */
  const retries = 15

  it('has every preset', () => {
    expect(rows.map((row) => parsed(code(row.Preset)))).toEqual(Object.keys(livenessPresets))
  })

  it.each(Object.entries(livenessPresets))('has the numbers of %s', (name, preset) => {
    const row = rows.find((each) => code(each.Preset) === `'${name}'`)
    const cap = retransmitCap(preset, retries) as number
    expect(seconds(row?.Td)).toBe(preset.interval)
    expect(seconds(row?.['Pauses up to'])).toBe(cap)
    expect(seconds(row?.['The kernel gives up after'])).toBe(retransmissionTime(cap, retries))
  })
})
