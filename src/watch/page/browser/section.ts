/**
 * One origin on the page: its gauges, its picture, and in tables what was counted since the pool was made.
 */
import { type ComponentChild, h } from 'preact'
import { draw } from '../../../timeline/draw.js'
import { span } from '../../../timeline/format.js'
import type { GroupView } from '../../../timeline/view.js'
import { closesOf, type Section, total } from './overview.js'
import { elements } from './picture.js'

export interface Frame {
  readonly from: number
  readonly to: number
  readonly width: number
}

/** As the pool counts them, and whether one above zero is worth a colour. */
const GAUGES = [
  ['active', false],
  ['idle', false],
  ['suspect', true],
  ['dialing', false],
  ['waiting', true],
] as const

const COUNTS = [
  ['requests', 'requests given a connection'],
  ['reused', 'of these, on a used one'],
  ['replayed', 'sent again'],
  ['waits', 'had to wait'],
  ['opened', 'connections opened'],
  ['dialFailures', 'dials that failed'],
] as const

export function OriginSection({ section, frame }: { section: Section; frame: Frame }): ComponentChild {
  const { key, pool, origin, stats, group } = section
  const heading = `origin ${key}`
  return h(
    'section',
    { 'aria-labelledby': heading, 'data-origin': origin },
    h(
      'div',
      { class: 'about' },
      h('h2', { id: heading }, origin),
      h('span', { class: 'faint' }, `pool ${pool.name} (${pool.id})`),
    ),
    stats.length > 0 &&
      h(
        'dl',
        { class: 'gauges' },
        GAUGES.map(([name, isTrouble]) => {
          const count = total(stats, name)
          return h(
            'div',
            { key: name, 'data-gauge': name, class: isTrouble && count > 0 ? 'some' : '' },
            h('dt', null, name),
            h('dd', null, count),
          )
        }),
      ),
    h('div', { class: 'picture' }, picture(section, frame)),
    h(
      'div',
      { class: 'tables' },
      stats.length > 0 && closes(section),
      group !== undefined && learned(group),
      stats.length > 0 &&
        table(
          'Counted',
          ['what', 'count'],
          COUNTS.map(([name, words]) => [words, total(stats, name)]),
        ),
    ),
  )
}

function picture({ key, group }: Section, { from, to, width }: Frame): ComponentChild {
  if (group === undefined) return h('p', { class: 'faint' }, 'Nothing happened in this stretch of time.')
  const id = `kw${key.replace(/\W+/g, '-')}`
  return elements(draw({ from, to, groups: [group] }, { width, id, axis: 'back' }))
}

function closes({ stats }: Section): ComponentChild {
  const rows = closesOf(stats)
  return table(
    'Closed connections',
    ['reason', 'count'],
    rows.map(([reason, count]) => [h('code', null, reason), count]),
    'none so far',
  )
}

/** What is known of the server's idle timeout, since this page looks. */
function learned({ group }: GroupView): ComponentChild | false {
  return (
    group.learned.size > 0 &&
    table(
      'Learned idle timeouts',
      ['address', 'timeout'],
      Array.from(group.learned, ([address, timeout]) => [h('code', null, address), span(timeout)]),
    )
  )
}

type Cell = ComponentChild | string | number

function table(
  caption: string,
  titles: readonly string[],
  rows: readonly (readonly Cell[])[],
  none = '',
): ComponentChild {
  return h(
    'div',
    { key: caption },
    h('h3', null, caption),
    rows.length === 0
      ? h('p', { class: 'faint' }, none)
      : h(
          'table',
          { 'aria-label': caption },
          h(
            'thead',
            null,
            h(
              'tr',
              null,
              titles.map((title) => h('th', { key: title, scope: 'col' }, title)),
            ),
          ),
          h(
            'tbody',
            null,
            rows.map(([first, ...rest], index) =>
              h(
                'tr',
                { key: index },
                h('th', { scope: 'row' }, first),
                rest.map((cell, place) => h('td', { key: place }, cell)),
              ),
            ),
          ),
        ),
  )
}
