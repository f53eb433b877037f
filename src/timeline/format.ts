/**
 * Times and names as they stand in a picture.
 */
import type { Lane } from './lane.js'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A length of time in milliseconds, with its unit: `340 ms`, `3.2 s`, `12 min`. */
export function span(time: number): string {
  if (time < 1) return `${trimmed(time, 2)} ms`
  if (time < SECOND) return `${trimmed(time, time < 10 ? 1 : 0)} ms`
  if (time < 2 * MINUTE) return `${trimmed(time / SECOND, time < 10 * SECOND ? 2 : 1)} s`
  if (time < 2 * HOUR) return `${trimmed(time / MINUTE, 1)} min`
  return `${trimmed(time / HOUR, 1)} h`
}

const trimmed = (value: number, digits: number): string => String(Number(value.toFixed(digits)))

/** A moment's time of day in UTC, to what tells it from others that are `step` milliseconds apart. */
export function timeOfDay(moment: number, step: number): string {
  const iso = new Date(moment).toISOString()
  const time = iso.split('T')[1] as string
  if (step < SECOND) return time.slice(0, 12)
  if (step < MINUTE) return time.slice(0, 8)
  return step < DAY ? time.slice(0, 5) : day(moment)
}

export const day = (moment: number): string => new Date(moment).toISOString().split('T')[0] as string

/** `count` of something: `1 connection`, `2 connections`. */
export const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

/** No longer than `length` characters, cut in its middle. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text
  const kept = Math.max(length - 1, 2)
  return `${text.slice(0, Math.ceil(kept / 2))}…${text.slice(text.length - Math.floor(kept / 2))}`
}

/** Who speaks to whom: `#12 :54321 → 10.0.0.7:443`. Where there is no room for it, an address loses its beginning. */
export function laneName({ connection, dial }: Lane, length = Infinity): string {
  if (connection === undefined) return `dial ${dial ?? '?'}`
  const { id, localPort, remoteAddress, remotePort } = connection
  if (typeof remoteAddress !== 'string') return `#${id}`
  const isLong = remoteAddress.includes(':')
  const before = `#${id} :${localPort ?? '?'} → ${isLong ? '[' : ''}`
  const after = `${isLong ? ']' : ''}:${remotePort ?? '?'}`
  const room = Math.max(length - before.length - after.length, 4)
  const address = remoteAddress.length <= room ? remoteAddress : `…${remoteAddress.slice(1 - room)}`
  return before + address + after
}
