/** docs/options.md, and the option table of the README, hold what src/options has. */
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.js'
import { createPool, livenessPresets } from '../../src/index.js'
import type { Native } from '../../src/liveness/native.js'
import { connectSpecs } from '../../src/options/connect.js'
import {
  LIVENESS_DEFAULT,
  optionSpecs,
  type PoolOptions,
  resolveOptions,
  THROUGH_DEFAULT,
} from '../../src/options/pool-options.js'
import { Pool } from '../../src/pool.js'
import { replayLevels } from '../../src/replay/permission.js'
import { code, Page, type Row } from './markdown.js'
import { constantKeys, interfaceMembers } from './source.js'

const page = new Page('docs/options.md')
const poolRows = page.table('The pool', 'Option')
const connectRows = page.table('connect', 'Option')
const livenessRows = page.table('liveness', 'Option')

/** Defaults as code has them. `connect` has none but those of its fields. */
const poolDefaults: Record<string, unknown> = {
  ...Object.fromEntries(Object.entries(optionSpecs).map(([name, spec]) => [name, spec.default])),
  liveness: LIVENESS_DEFAULT,
  through: THROUGH_DEFAULT,
  connect: {},
}

/** Ours, and the two that undici's connector has. */
const connectDefaults: Record<string, unknown> = {
  timeout: connectSpecs.timeout.default,
  concurrency: connectSpecs.concurrency.default,
  maxCachedSessions: 100,
}

/** The value that a default is written as: `10_000`, `'auto'`, `Infinity`, `{}`. */
function parsed(written: string): unknown {
  if (written === 'Infinity') return Infinity
  return JSON.parse(written.replace(/(?<=\d)_(?=\d)/g, '').replaceAll("'", '"'))
}

const names = (rows: Row[]): string[] => rows.map((row) => code(row.Option))

describe('the table of pool options', () => {
  it('lists every option once', () => {
    expect(names(poolRows).sort()).toEqual(
      interfaceMembers('options/pool-options.ts', 'PoolOptions')
        .map(({ name }) => name)
        .sort(),
    )
    expect(names(poolRows).sort()).toEqual(Object.keys(poolDefaults).sort())
  })

  it.each(poolRows.map((row) => [code(row.Option), row] as const))('has the default of %s', (name, row) => {
    if (poolDefaults[name] === undefined) expect(row.Default).toBe('none')
    else expect(parsed(code(row.Default))).toEqual(poolDefaults[name])
  })

  it.each(
    interfaceMembers('options/pool-options.ts', 'PoolOptions').map(
      ({ name, defaultTag }) => [name, defaultTag] as const,
    ),
  )('agrees with the docstring of %s, @default %s', (name, tag) => {
    if (poolDefaults[name] === undefined) expect(tag).toBeUndefined()
    else expect(parsed(tag as string)).toEqual(poolDefaults[name])
  })
})

describe('the table of connect options', () => {
  it('lists every option that keepwise documents', () => {
    const declared = interfaceMembers('options/connect.ts', 'ConnectOptions').map(({ name }) => `connect.${name}`)
    expect(names(connectRows).sort()).toEqual(declared.sort())
  })

  it.each(interfaceMembers('options/connect.ts', 'ConnectOptions').map((member) => [member.name, member.defaultTag]))(
    'has the default of connect.%s, @default %s',
    (name, tag) => {
      const row = connectRows.find((each) => code(each.Option) === `connect.${name}`)
      const expected = connectDefaults[name as string]
      if (expected === undefined) {
        expect(row?.Default).toBe('none')
        expect(tag).toBeUndefined()
      } else {
        expect(parsed(code(row?.Default))).toBe(expected)
        expect(parsed(tag as string)).toBe(expected)
      }
    },
  )
})

describe('what an option takes', () => {
  /** Sets one option, nested ones by their dots. */
  const accepts = (name: string, value: unknown): boolean => {
    const [outer, inner] = name.split('.') as [string, string | undefined]
    const triple = outer === 'liveness' ? { idle: 1000, interval: 1000, probes: 1 } : {}
    try {
      resolveOptions({ [outer]: inner === undefined ? value : { ...triple, [inner]: value } })
      return true
    } catch {
      return false
    }
  }
  const numeric = [...poolRows, ...connectRows, ...livenessRows].filter((row) => /from \d/.test(row.Takes as string))

  it('is said in numbers for all but a few', () => {
    const others = [...poolRows, ...connectRows, ...livenessRows].filter((row) => !numeric.includes(row))
    expect(names(others)).toEqual([
      'name',
      'meter',
      'scheduling',
      'connect',
      'liveness',
      'through',
      'learn',
      'replay',
      'connect.socketPath',
      'connect.maxCachedSessions',
    ])
  })

  it.each(numeric.map((row) => [code(row.Option), row.Takes as string]))('%s: %s', (name, takes) => {
    const least = Number(/from (\d+)/.exec(takes)?.[1])
    const most = /to (\d+)/.exec(takes)?.[1]
    const step = takes.startsWith('whole seconds') ? 1000 : takes.startsWith('whole number') ? 1 : 0.5
    const words = [...takes.matchAll(/`([^`]*)`/g)].map((match) => parsed(match[1] as string))

    expect(accepts(name, least)).toBe(true)
    expect(accepts(name, least + step)).toBe(true)
    expect(accepts(name, least + step / 2)).toBe(step === 0.5)
    expect(accepts(name, least - step)).toBe(words.includes(least - step))
    for (const word of words) expect(accepts(name, word)).toBe(true)
    for (const word of [0, Infinity, 'auto']) expect(accepts(name, word)).toBe(words.includes(word) || word === least)
    expect(accepts(name, -1)).toBe(false)
    expect(accepts(name, `${least}`)).toBe(false)
    if (most !== undefined) {
      expect(accepts(name, Number(most))).toBe(true)
      expect(accepts(name, Number(most) + step)).toBe(false)
    }
  })

  it('lists every scheduling', () => {
    const row = poolRows.find((each) => code(each.Option) === 'scheduling')
    for (const value of ["'lifo'", "'fifo'"]) {
      expect(row?.Takes).toContain(value)
      expect(accepts('scheduling', parsed(value))).toBe(true)
    }
    expect(accepts('scheduling', 'random')).toBe(false)
  })

  it('lists every level of replay', () => {
    const listed = page.table('replay', 'Level').map((row) => parsed(code(row.Level)))
    expect(listed).toEqual(replayLevels)
    for (const level of listed) expect(accepts('replay', level)).toBe(true)
    for (const value of ['all', true, false]) expect(accepts('replay', value)).toBe(false)
  })

  it('has what through takes', () => {
    const row = poolRows.find((each) => code(each.Option) === 'through')
    const named = [...(row?.Meaning ?? '').matchAll(/`('[a-z-]+')`/g)].map(([, name]) => parsed(name as string))
    expect(named.length).toBeGreaterThan(1)
    for (const name of named) expect(accepts('through', name)).toBe(true)
    expect(accepts('through', named)).toBe(true)
    for (const value of ['auto', 0, true, [true]]) expect(accepts('through', value)).toBe(false)
  })

  it('has what learn takes', () => {
    for (const value of [true, false]) expect(accepts('learn', value)).toBe(true)
    for (const value of ['auto', 0, 1]) expect(accepts('learn', value)).toBe(false)
  })
})

describe('automatic values', () => {
  const unasked = { clock: systemClock, native: { why: 'not here' } }
  const asked = { clock: systemClock, native: { native: { version: '0' } as Native } }
  const meaning = poolRows.find((row) => code(row.Option) === 'keepAliveTimeout')?.Meaning?.replaceAll(' ', '')

  it('are those that a pool has: an idle time with a kernel to ask and without', () => {
    const idle = (ground: ConstructorParameters<typeof Pool>[1]) =>
      new Pool(resolveOptions(), ground).explain('http://localhost').idleTimeout.value
    expect(meaning).toContain(`'auto'\`:${idle(asked)}wherethekernelcanbeasked`)
    expect(meaning).toContain(`else${idle(unasked)}.`)
    const inReadme = new Page('README.md')
      .table('Options', 'Option')
      .find((row) => code(row.Option) === 'keepAliveTimeout')
    expect(inReadme?.Meaning).toContain(
      `${idle(asked) / 1000} s where the kernel can be asked, else ${idle(unasked) / 1000} s`,
    )
  })

  it('have the smallest margin that a pool takes', () => {
    const row = poolRows.find((each) => code(each.Option) === 'keepAliveMargin')
    const { margin } = createPool().explain('http://localhost')
    expect(row?.Meaning).toContain(`at least ${margin.value}.`)
  })
})

describe('the table of liveness presets', () => {
  const rows = page.table('liveness', 'Preset')
  const seconds = (cell: string | undefined): number => Number(/^(\d+) s$/.exec(cell ?? '')?.[1]) * 1000

  it('lists every preset that sets numbers', () => {
    expect(rows.map((row) => parsed(code(row.Preset)))).toEqual(Object.keys(livenessPresets))
  })

  it.each(Object.entries(livenessPresets))('has the numbers of %s', (name, { idle, interval, probes }) => {
    const row = rows.find((each) => code(each.Preset) === `'${name}'`)
    expect([seconds(row?.Ti), seconds(row?.Td), Number(row?.Nm)]).toEqual([idle, interval, probes])
    expect(seconds(row?.['Dead after'])).toBe(idle + interval * probes)
    const { deadAfter } = createPool({ liveness: name as keyof typeof livenessPresets }).explain('http://x').liveness
    expect(seconds(row?.['Dead after'])).toBe(deadAfter)
  })
})

describe('names of other libraries', () => {
  const rows = page.table('What other libraries call it', 'Name')

  it('are all listed', () => {
    expect(rows.map((row) => code(row.Name)).sort()).toEqual(
      constantKeys('options/pool-options.ts', 'elsewhere').sort(),
    )
  })

  it.each(rows.map((row) => [code(row.Name), code(row.Here)]))('%s throws and names %s', (name, here) => {
    expect(() => createPool({ [name]: 1 } as PoolOptions)).toThrow(`Did you mean "${here}"?`)
  })
})

describe('connect options that cannot be set', () => {
  const rows = page.table('connect', 'Name')

  it('are all listed', () => {
    const decided = constantKeys('options/connect.ts', 'decided').map((name) => `connect.${name}`)
    expect(rows.map((row) => code(row.Name)).sort()).toEqual(decided.sort())
  })

  it.each(rows.map((row) => [code(row.Name), row.Instead as string]))('%s throws: %s', (name, instead) => {
    const set = () => createPool({ connect: { [name.replace('connect.', '')]: 1 } })
    expect(set).toThrow(`Option "${name}" cannot be set`)
    const words = code(instead).replace(/\.$/, '')
    expect(set).toThrow(words.charAt(0).toLowerCase() + words.slice(1))
  })
})

describe('the option table of the README', () => {
  it.each(new Page('README.md').table('Options', 'Option').map((row) => [code(row.Option), row]))(
    'has the default of %s',
    (name, row) => {
      expect(poolDefaults).toHaveProperty(name as string)
      expect(parsed(code((row as Row).Default))).toEqual(poolDefaults[name as string])
    },
  )
})
