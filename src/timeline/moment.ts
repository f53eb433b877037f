/**
 * A moment of a log in a person's words: `12.5`, `500ms`, `-2min`, `13:40:05.5`, `2026-11-22T13:40:05Z`.
 */

/** Since the beginning (before the end, if negative) in milliseconds; since midnight (UTC) of the first day; or a date. */
export type When =
  | { readonly since: number; readonly of: 'beginning' | 'end' | 'day' }
  | { readonly since: number; readonly of: 'epoch' }

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000 }

const DAY = 86_400_000

/** @returns undefined for what is none */
export function whenOf(text: string): When | undefined {
  const length = /^([+-]?)(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|min|h)?$/.exec(text.trim())
  if (length !== null) {
    const [, sign, number, unit = 's'] = length
    const since = Number(number) * (units[unit] as number)
    return sign === '-' ? { since: -since, of: 'end' } : { since, of: 'beginning' }
  }
  const time = /^(\d\d?):(\d\d)(?::(\d\d(?:\.\d+)?))?$/.exec(text.trim())
  if (time !== null) {
    const [hours, minutes, seconds] = time.slice(1).map((part) => Number(part ?? 0)) as [number, number, number]
    if (hours > 23 || minutes > 59 || seconds >= 60) return undefined
    return { since: ((hours * 60 + minutes) * 60 + seconds) * 1_000, of: 'day' }
  }
  // A date that names no zone is in UTC, as all times of a picture are.
  const date = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/.exec(text.trim())
  if (date === null) return undefined
  const moment = Date.parse(`${date[1]}T${date[2] ?? '00:00'}${date[3] ?? 'Z'}`)
  return Number.isNaN(moment) ? undefined : { since: moment, of: 'epoch' }
}

/** @param begin the first record, @param end the last one: milliseconds since 1970 */
export function momentOf({ since, of }: When, begin: number, end: number): number {
  switch (of) {
    case 'beginning':
      return begin + since
    case 'end':
      return end + since
    case 'epoch':
      return since
    case 'day': {
      // A log that goes past midnight: the first such time that is not over when it begins.
      const moment = Math.floor(begin / DAY) * DAY + since
      return moment < begin && moment + DAY <= end ? moment + DAY : moment
    }
  }
}
