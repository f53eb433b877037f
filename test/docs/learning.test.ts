/** The numbers of docs/learning.md are those of src/keepalive/learning.ts. */
import { describe, expect, it } from 'vitest'
import { Agenda } from '../../src/agenda.js'
import { Lessons } from '../../src/pool/lessons.js'
import { ManualClock } from '../support/manual-clock.js'
import { code, Page } from './markdown.js'
import { numbersOf } from './source.js'

const page = new Page('docs/learning.md')
const numbers = numbersOf('keepalive/learning.ts')

it('has every constant with its value', () => {
  const rows = page.table('The numbers', 'Constant')
  expect(Object.keys(numbers).length).toBeGreaterThan(10)
  expect(Object.fromEntries(rows.map((row) => [code(row.Constant), Number(row.Value)]))).toEqual(numbers)
})

describe('the text', () => {
  const { ENOUGH, RECENT, PRECISION, SPREAD, PATIENCE, LOOK_AGAIN, LOOK_AGAIN_EARLIEST, LOOK_AGAIN_LATEST } =
    numbers as Record<string, number>
  const said = (heading: string): string => page.section(heading).replaceAll(/\s+/g, ' ')
  const words = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten']
  const word = (number: number | undefined): string => words[number as number] as string

  it('says how many closes make a timeout, and what is about the same', () => {
    const text = said('From what it is learned')
    expect(text.toLowerCase()).toContain(`${word(ENOUGH)} closes at about the same age make a timeout`)
    expect(text).toContain(`within ${PRECISION} ms or ${(SPREAD as number) * 100} %`)
    expect(said('What it must not fall for').toLowerCase()).toContain(`${word(ENOUGH)} of the last ${word(RECENT)}`)
  })

  it('says how often one is watched, and how many disprove the time', () => {
    const text = said('Watched connections')
    expect(text.toLowerCase()).toContain(`${word(PATIENCE)} such connections in a row disprove it`)
    expect(text).toContain(`after ${word(LOOK_AGAIN)} times the learned time`)
    expect(text).toContain(`at the earliest ${(LOOK_AGAIN_EARLIEST as number) / 1000} s`)
    expect(text).toContain(`at the latest ${(LOOK_AGAIN_LATEST as number) / 60_000} minutes`)
    expect(numbers.MEMORY).toBe(24 * 60 * 60 * 1000)
    expect(text).toContain('not confirmed for a day')
  })

  it('says how many addresses of an origin are remembered', () => {
    const most = Number(/Up to (\d+) addresses/.exec(page.text)?.[1])
    const lessons = new Lessons(new Agenda(new ManualClock()), () => {})
    const first = lessons.of('10.0.0.0')
    for (let i = 1; i < most; i++) lessons.of(`10.0.0.${i}`)
    expect(lessons.of('10.0.0.0')).toBe(first)
    for (let i = most; i < 2 * most; i++) lessons.of(`10.0.0.${i}`)
    expect(lessons.of('10.0.0.0')).not.toBe(first)
  })
})
