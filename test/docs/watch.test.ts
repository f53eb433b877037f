/** docs/watch.md has every option of watch(), record() and the command, every bound, and what the endpoint has. */
import { describe, expect, it } from 'vitest'
import { FIRST_DELAY, LONGEST_DELAY } from '../../src/cli/follow.js'
import { watchCommand } from '../../src/cli/watch.js'
import { resolveRecord, resolveWatch } from '../../src/watch/options.js'
import { watch } from '../../src/watch.js'
import { code, Page } from './markdown.js'
import { interfaceMembers, interfaceNames, numbersOf } from './source.js'

const page = new Page('docs/watch.md')

/** The tables of options, by the first of their names. */
function optionsTable(first: string) {
  const found = page.tables('Options').find(([row]) => code(row?.Option) === first)
  if (found === undefined) throw new Error(`no table of options that begins with ${first}`)
  return found
}

describe('docs/watch.md', () => {
  it.each([
    ['WatchOptions', 'port', resolveWatch({})],
    ['RecordOptions', 'maxBehind', resolveRecord({})],
  ] as const)('lists the %s, and their defaults', (name, first, defaults) => {
    const rows = optionsTable(first)
    const declared = interfaceMembers('watch/options.ts', name)
    expect(rows.map(({ Option }) => code(Option))).toEqual(declared.map((member) => member.name))
    for (const { Option, Default } of rows) {
      const { defaultTag } = declared.find((member) => member.name === code(Option))!
      const value = (defaults as unknown as Record<string, unknown>)[code(Option)]
      // The one that is made at random has no value.
      if (value === undefined)
        expect([code(Default), defaultTag]).toEqual(['128 random bits', 'a new one, of 128 random bits'])
      else {
        expect(code(Default), Option).toBe(defaultTag)
        expect(code(Default).replaceAll(/[_']/g, '')).toBe(String(value))
      }
    }
  })

  it('says what each option takes', async () => {
    const takes = (name: string): string =>
      optionsTable('port').find(({ Option }) => code(Option) === name)!.Takes as string
    const refusal = (options: object): Promise<string> => watch(options).then(String, ({ message }: Error) => message)
    expect(takes('port')).toBe('whole number from 0 to 65535')
    expect(await refusal({ port: 65_536 })).toContain(takes('port'))
    expect(await refusal({ host: '0.0.0.0' })).toContain(
      `must be one of ${takes('host').replaceAll('`', '').replace(' or ', ', ')}`,
    )
    expect(await refusal({ token: '' })).toContain(takes('token').replaceAll(/`(.)`/g, '"$1"'))
  })

  it('lists what watch() resolves to', () => {
    const rows = page.tables('Options').find(([row]) => code(row?.Field) === 'url')
    expect(rows?.map(({ Field }) => code(Field))).toEqual(['url', 'close'])
    expect(interfaceNames('watch/endpoint.ts', 'Watch')).toEqual(['url']) // and a method
  })

  it('lists the options of the command, and their defaults', () => {
    const rows = page.table('In a terminal', 'Option')
    const { options } = watchCommand()
    expect(rows.map(({ Option }) => code(Option))).toEqual(options.map(({ flags }) => flags))
    const words = new Map<unknown, string>([
      [false, 'off'],
      [undefined, 'none'],
    ])
    expect(rows.map(({ Default }) => code(Default))).toEqual(
      options.map(({ defaultValue }) => words.get(defaultValue) ?? String(defaultValue)),
    )
    const text = page.section('In a terminal').replaceAll('\n', ' ')
    expect(text).toContain(
      `tried again after ${FIRST_DELAY / 1000} s, then at growing intervals of at most ${LONGEST_DELAY / 1000} s`,
    )
  })

  it('lists the bounds, with their values', () => {
    const bounds = {
      ...numbersOf('watch/history.ts'),
      ...numbersOf('watch/readers.ts'),
      ...numbersOf('watch/endpoint.ts'),
    }
    const rows = page.table('What it costs', 'Bound')
    expect(rows.map(({ Bound }) => code(Bound)).sort()).toEqual(
      Object.keys(bounds)
        .filter((name) => name.startsWith('MAX_'))
        .sort(),
    )
    for (const { Bound, Value } of rows) expect(numberIn(Value as string), Bound).toBe(bounds[code(Bound)])
  })

  it('lists what is under the address, and the fields of its state', async () => {
    const paths = page.table('For programs', 'Path').map(({ Path }) => code(Path))
    expect(paths).toEqual(['state', 'state?after=<n>', 'events'])
    const { url, close } = await watch()
    try {
      const state = await (await fetch(new URL('state', url))).json()
      const fields = page.table('For programs', 'Field').map(({ Field }) => code(Field))
      expect(fields.sort()).toEqual(Object.keys(state as object).sort())
      expect(interfaceNames('watch/page/contract.ts', 'WatchState').sort()).toEqual(fields.sort())
      for (const path of paths) {
        const response = await fetch(new URL(path.replace('<n>', '0'), url))
        expect([path, response.status]).toEqual([path, 200])
        await response.body?.cancel()
      }
    } finally {
      await close()
    }
  })
})

/** `10 min` and the like in milliseconds; a number without a unit is a count. */
function numberIn(text: string): number {
  const [, number = '', unit = ''] = /^([\d ]+?)(?: (s|min))?$/.exec(text) ?? []
  const factor = { s: 1_000, min: 60_000 }[unit] ?? 1
  return Number(number.replaceAll(' ', '')) * factor
}
