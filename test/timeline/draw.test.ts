/** Pictures: that everything is in them, in the words of the documentation, and nothing on top of anything else. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { closeReasons } from '../../src/reasons.js'
import { type DrawOptions, draw } from '../../src/timeline/draw.js'
import { Timeline } from '../../src/timeline/lanes.js'
import type { TimelineRecord } from '../../src/timeline/record.js'
import { markup, type Shape, shape } from '../../src/timeline/shape.js'
import { type ViewOptions, viewOf } from '../../src/timeline/view.js'
import { contentOf, elementsOf, ofClass, textElementsOf, textsOf } from './pictures.js'
import {
  active,
  close,
  connection,
  dial,
  dialFailed,
  idle,
  learn,
  open,
  refused,
  replay,
  suspect,
  wait,
} from './records.js'

function picture(records: readonly TimelineRecord[], options: ViewOptions & DrawOptions = {}): Shape {
  const timeline = new Timeline()
  for (const record of records) timeline.apply(record)
  return draw(viewOf(timeline, options), options)
}

/** The moment of the first record, in the tests that read clocks. */
const BEGIN = Date.UTC(2026, 10, 22, 13, 40, 5, 120)

interface Box {
  readonly left: number
  readonly right: number
  readonly line: number
  readonly text: string
}

/** Where texts stand, by the widths that fonts have about. */
function boxesOf(of: Shape): Box[] {
  return textElementsOf(of).map((element) => {
    const { x, y, class: name = '', 'text-anchor': anchor } = element.attributes
    const text = contentOf(element)
    const size = /kw-bad/.test(`${name}`)
      ? 6.6
      : /kw-title/.test(`${name}`)
        ? 9
        : /kw-name/.test(`${name}`)
          ? 6.6
          : /kw-small/.test(`${name}`)
            ? 5.8
            : 6.3
    const width = text.length * size
    const left = Number(x) - (anchor === 'end' ? width : anchor === 'middle' ? width / 2 : 0)
    return { left, right: left + width, line: Number(y), text }
  })
}

function expectRoom(of: Shape): void {
  const boxes = boxesOf(of)
  const width = Number(of.attributes.width)
  for (const box of boxes) {
    expect(box.left, box.text).toBeGreaterThanOrEqual(0)
    expect(box.right, box.text).toBeLessThanOrEqual(width)
    expect(box.line).toBeLessThanOrEqual(Number(of.attributes.height))
  }
  const clashes = boxes.flatMap((a, index) =>
    boxes
      .slice(index + 1)
      .filter((b) => Math.abs(a.line - b.line) < 9 && a.left < b.right && b.left < a.right)
      .map((b) => `${a.text} | ${b.text}`),
  )
  expect(clashes).toEqual([])
}

describe('a lane', () => {
  it.each(closeReasons)('ends with the word %s', (reason) => {
    const of = picture([open(0, 1, 1, 0), idle(1, 1), close(500, 1, reason), idle(1_000, 2)])
    expect(ofClass(of, 'kw-end').map(contentOf)).toEqual([reason])
  })

  it('says the code of an error as well, and cuts it rather than the reason', () => {
    const ended = (at: number, code: string): string[] => {
      const error = { code, message: 'gone' }
      return ofClass(picture([open(0, 1, 1, 0), { ...close(at, 1, 'reset'), error }, idle(1_000, 2)]), 'kw-end').map(
        contentOf,
      )
    }
    expect(ended(500, 'ECONNRESET')).toEqual(['reset ECONNRESET'])
    expect(ended(1_000, 'A_CODE_THAT_IS_FAR_TOO_LONG')[0]).toMatch(/^reset A_CO.*…/)
  })

  it('is named by number, port and address', () => {
    expect(
      textsOf(picture([idle(0, 12, { localPort: 54_321, remoteAddress: '10.0.0.7', remotePort: 443 })])),
    ).toContain('#12 :54321 → 10.0.0.7:443')
  })

  it('keeps the end of an address that has no room, and its port', () => {
    const remoteAddress = '2001:db8:85a3:1234:5678:8a2e:370:7334'
    const [name] = textsOf(picture([idle(0, 12, { remoteAddress })])).filter((text) => text.startsWith('#12'))
    expect(name).toMatch(/^#12 :40012 → \[….*370:7334\]:8080$/)
  })

  it('is named by its number alone where it has no address', () => {
    const unnamed = { ...connection(3), localPort: undefined, remoteAddress: undefined, remotePort: undefined }
    expect(textsOf(picture([{ ...idle(0, 3), connection: unnamed }]))).toContain('#3')
  })

  it('says at its right what it does, and since when, if it is open', () => {
    const of = picture([
      open(0, 1, 1, 0),
      active(500, 1),
      open(600, 2, 2, 0),
      idle(600, 2),
      suspect(900, 2),
      idle(1_000, 3),
    ])
    expect(ofClass(of, 'kw-still').map(contentOf)).toEqual(['active 500 ms', 'probed 100 ms'])
  })

  it('shows a request of no time among hours of silence', () => {
    const of = picture([open(0, 1, 1, 0), idle(0, 1), active(1_800_000, 1), idle(1_800_000.1, 1), idle(3_600_000, 2)])
    const [bar] = ofClass(of, 'kw-lane').flatMap((lane) => ofClass(lane, 'kw-active'))
    const [, left, right] = /^M([\d.]+) .*?H([\d.]+)v/.exec(String(bar?.attributes.d))!
    expect(Number(right) - Number(left)).toBeGreaterThan(1)
  })

  it('is a few elements, however many requests there are', () => {
    const busy = Array.from({ length: 20_000 }, (_, index) => (index % 2 ? idle(index, 1) : active(index, 1)))
    expect([...elementsOf(picture(busy))].length).toBeLessThan(120)
    expect(markup(picture(busy)).length).toBeLessThan(40_000)
  })
})

describe('an origin', () => {
  it('has its waiting requests as a curve, with the highest number', () => {
    const of = picture([idle(0, 1), wait(100, 4), wait(200, 17), wait(300, 2), idle(1_000, 1)])
    expect(textsOf(of)).toEqual(expect.arrayContaining(['waiting requests', '17', '0', 'waiting 2']))
    expect(ofClass(of, 'kw-waiting')).toHaveLength(1)
    expect(ofClass(picture([idle(0, 1), idle(1_000, 1)]), 'kw-waiting')).toEqual([])
  })

  it('has the height of a line of thousands in a few points', () => {
    const steps = Array.from({ length: 30_000 }, (_, index) => wait(index, index === 12_345 ? 99 : index % 7))
    const [curve] = ofClass(picture([idle(0, 1), ...steps]), 'kw-waiting')
    expect(String(curve?.attributes.d).length).toBeLessThan(80_000)
    expect(textsOf(picture([idle(0, 1), ...steps]))).toContain('99')
  })

  it.each([
    ['one step', [wait(500, 10)]],
    ['two', [wait(500, 10), wait(500.1, 0)]],
    ['many', [wait(500, 1), wait(500.1, 10), wait(500.2, 3), wait(500.3, 2)]],
  ])('has the highest number at its full height, be it %s within a pixel', (_, steps) => {
    const [curve] = ofClass(picture([idle(0, 1), wait(100, 1), ...steps, idle(1_000, 1)]), 'kw-waiting')
    const levels = [...String(curve?.attributes.d).matchAll(/V([\d.]+)/g)].map(([, y]) => Number(y))
    expect(Math.max(...levels) - Math.min(...levels)).toBe(30)
  })

  it('has a mark at the very end with its words on the left', () => {
    const of = picture([idle(0, 1), refused(1_000, 'ERR_KEEPWISE_ACQUIRE_TIMEOUT')])
    const [mark] = ofClass(of, 'kw-mark')
    expect(textElementsOf(mark!).map(({ attributes }) => attributes['text-anchor'])).toEqual(['end'])
    expectRoom(of)
  })

  it('has marks, with their words', () => {
    const records = [idle(0, 1), learn(1_000, 5_000), replay(3_000), refused(5_000, 'ERR_KEEPWISE_QUEUE_FULL')]
    const of = picture([...records, dialFailed(7_000, 9), learn(9_000, undefined), idle(12_000, 1)])
    const words = ofClass(of, 'kw-mark').flatMap(textsOf)
    expect(words).toEqual([
      ...['learned 5 s', 'replay POST (refused)', 'refused QUEUE_FULL', 'dial failed ECONNREFUSED'],
      'learned: no timeout',
    ])
  })

  it('has many marks of one kind as one with their number', () => {
    const storm = Array.from({ length: 14 }, (_, index) => replay(5_000 + index))
    const marks = ofClass(picture([idle(0, 1), ...storm, idle(10_000, 1)]), 'kw-mark')
    expect(marks.flatMap(textsOf)).toEqual(['replay POST (refused) × 14'])
    const two = ofClass(picture([idle(0, 1), replay(1_000), replay(6_000), idle(10_000, 1)]), 'kw-mark')
    expect(two.flatMap(textsOf)).toEqual(['replay POST (refused)', 'replay POST (refused)'])
  })

  it('says how many lanes are left out', () => {
    const records = Array.from({ length: 50 }, (_, index) => open(index, index + 1, index + 1, 0))
    expect(textsOf(picture(records, { lanes: 8 }))).toContain(
      '42 lanes left out: the 8 that were opened last are drawn',
    )
    expect(textsOf(picture(records, { lanes: 50 })).filter((text) => text.includes('left out'))).toEqual([])
  })
})

describe('the time axis', () => {
  const ticks = (length: number, options: DrawOptions = {}): string[] =>
    textsOf(ofClass(picture([idle(BEGIN, 1), idle(BEGIN + length, 1)], options), 'kw-axis')[0]!)

  it('has the time of day in UTC, to what tells the ticks apart', () => {
    expect(ticks(500).slice(0, 3)).toEqual(['time (UTC)', '13:40:05.200', '13:40:05.300'])
    expect(ticks(60_000).slice(1, 3)).toEqual(['13:40:10', '13:40:15'])
    expect(ticks(3_600_000).slice(1, 3)).toEqual(['13:45', '13:50'])
    expect(ticks(20 * 86_400_000)[1]).toBe('2026-11-23')
  })

  it('counts back from now on the page', () => {
    expect(ticks(60_000, { axis: 'back' })).toEqual([
      'time',
      '-60 s',
      '-50 s',
      '-40 s',
      '-30 s',
      '-20 s',
      '-10 s',
      'now',
    ])
    expect(ticks(600_000, { axis: 'back' }).slice(1, 3)).toEqual(['-10 min', '-9 min'])
  })
})

describe('a picture', () => {
  const everything = (random: readonly number[]): TimelineRecord[] =>
    random.flatMap((chance, index): TimelineRecord[] => {
      const [time, id] = [BEGIN + chance * 60_000, index + 1]
      const reason = closeReasons[index % closeReasons.length]!
      return [
        ...[open(time, id, id, 5, { remoteAddress: id % 3 === 0 ? 'fe80::1234:5678:9abc:def0' : '10.200.100.50' })],
        ...[active(time + 10, id), idle(time + 400, id)],
        ...(index % 2
          ? [{ ...close(time + 3_000, id, reason), error: { code: 'UND_ERR_HEADERS_TIMEOUT', message: '' } }]
          : []),
        ...(index % 5 === 0 ? [learn(time, index * 1_000), replay(time + 5, 'PROPPATCH')] : []),
        ...(index % 4 === 0 ? [refused(time, 'ERR_KEEPWISE_ACQUIRE_TIMEOUT'), dialFailed(time, 1_000 + id)] : []),
        ...[dial(time, 2_000 + id), wait(time, index * 37)],
      ]
    })

  it('has no words on top of others, or beyond its edges, in any width', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 640, max: 2_000 }),
        fc.constantFrom('clock' as const, 'back' as const),
        (random, width, axis) => expectRoom(picture(everything(random), { width, axis })),
      ),
      { numRuns: 60 },
    )
  })

  it('is an SVG file of its own: no script, nothing from elsewhere, a title', () => {
    const text = markup(picture(everything([0.1, 0.5, 0.9])))
    expect(text).toMatch(
      /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="1200" height="\d+" viewBox="0 0 1200 \d+"/,
    )
    expect(text.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/<script|href=|@import|url\((?!#kw-)|\bon\w+=/)
    expect(text).toContain('<title>Connections over time: 3 connections to 1 origin</title>')
  })

  it('on a page has ids of its own, and leaves style and heading to the page', () => {
    const of = picture(everything([0.1, 0.5]), { axis: 'back', id: 'second' })
    const tags = [...elementsOf(of)].map(({ tag }) => tag)
    expect(tags).not.toContain('style')
    const ids = [...elementsOf(of)].flatMap(({ attributes }) => attributes.id ?? [])
    expect(ids.every((id) => String(id).startsWith('second-'))).toBe(true)
    expect(markup(of)).not.toContain('url(#kw-')
  })

  it('says so when nothing happened', () => {
    expect(textsOf(picture([]))).toContain('Nothing happened in this stretch of time.')
  })

  it('escapes what a log may say, and has no characters that XML has not', () => {
    const origin = 'http://<b>&"\u0000\uD800.example'
    const text = markup(picture([idle(0, 1, { origin }), idle(1_000, 1, { origin })]))
    expect(text).toContain('http://&lt;b&gt;&amp;&quot;\uFFFD\uFFFD.example')
  })
})

it('a shape is written with its attributes and children, and without its key', () => {
  const of = shape('g', { class: 'a', key: 1, x: undefined, y: 0 }, 'text & more', [shape('path'), undefined, false])
  expect(markup(of)).toBe('<g class="a" y="0">text &amp; more<path/></g>')
})
