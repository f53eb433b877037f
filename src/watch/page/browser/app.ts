/**
 * The page: how long a stretch is looked at, whether it stands still, whether the process is there; and its origins.
 */
import { type ComponentChild, h } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { NARROWEST } from '../../../timeline/geometry.js'
import type { Feed } from './feed.js'
import { Key } from './key.js'
import { sectionsOf } from './overview.js'
import { OriginSection } from './section.js'

/** What can be looked at: the stretch in milliseconds, its name, and the time between two pictures. */
const WINDOWS = [
  { length: 10_000, name: '10 s', every: 66 },
  { length: 60_000, name: '60 s', every: 200 },
  { length: 600_000, name: '10 min', every: 1_000 },
] as const

export function App({ feed, onChange }: { feed: Feed; onChange: (listener: () => void) => void }): ComponentChild {
  const [length, setLength] = useState<number>(60_000)
  const [pausedAt, setPausedAt] = useState<number | undefined>(undefined)
  const { every } = WINDOWS.find((each) => each.length === length) ?? WINDOWS[1]
  useFrames(pausedAt === undefined && feed.isLive ? every : undefined, onChange)
  const [width, place] = useWidth()

  const to = pausedAt ?? feed.now
  const frame = { from: to - length, to, width }
  const sections = sectionsOf(feed.timeline, feed.known, frame.from, to)
  return h(
    'div',
    null,
    h(
      'header',
      null,
      h('h1', null, 'keepwise watch'),
      h(Status, { feed }),
      h(
        'div',
        { class: 'controls' },
        h(
          'fieldset',
          null,
          h('legend', { class: 'hidden' }, 'Time shown'),
          WINDOWS.map((each) =>
            h(
              'button',
              {
                ...{ key: each.name, type: 'button', 'aria-pressed': each.length === length },
                onClick: () => setLength(each.length),
              },
              each.name,
            ),
          ),
        ),
        h(
          'button',
          {
            ...{ type: 'button', 'aria-pressed': pausedAt !== undefined },
            onClick: () => setPausedAt(pausedAt === undefined ? feed.now : undefined),
          },
          'Pause',
        ),
      ),
    ),
    h('div', { class: 'picture', ref: place }),
    h(Key, { width }),
    sections.map((section) => h(OriginSection, { key: section.key, section, frame })),
    sections.length === 0 &&
      feed.known !== undefined &&
      h('p', { class: 'faint' }, 'No pool of this process has made a request yet.'),
  )
}

/** Said aloud when it changes, which is seldom: the numbers are not. */
function Status({ feed: { known, isLive } }: { feed: Feed }): ComponentChild {
  const words = isLive ? 'Live' : known === undefined ? 'Connecting' : 'Disconnected, trying again'
  return h(
    'p',
    { class: 'status', role: 'status', 'data-live': isLive ? 'yes' : 'no' },
    words,
    known !== undefined && h('span', { class: 'faint' }, ` process ${known.process.pid}, ${known.process.title}`),
  )
}

/** Renders anew with the frames of the browser, but not more often than this; if undefined, only when something has changed. */
function useFrames(every: number | undefined, onChange: (listener: () => void) => void): void {
  const [, render] = useState(0)
  useEffect(() => onChange(() => render((count) => count + 1)), [])
  useEffect(() => {
    if (every === undefined) return undefined
    let last = performance.now()
    let frame = requestAnimationFrame(function next(now) {
      if (now - last >= every) {
        last = now
        render((count) => count + 1)
      }
      frame = requestAnimationFrame(next)
    })
    return () => cancelAnimationFrame(frame)
  }, [every])
}

/** The width that there is, in pixels, and the element it is measured by. */
function useWidth(): [number, { current: HTMLDivElement | null }] {
  const [width, setWidth] = useState(1_200)
  const place = useRef<HTMLDivElement | null>(null)
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) setWidth(Math.max(NARROWEST, Math.floor(entry.contentRect.width)))
    })
    if (place.current !== null) observer.observe(place.current)
    return () => observer.disconnect()
  }, [])
  return [width, place]
}
