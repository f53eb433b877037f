/**
 * The checks that option declarations are made of. A check returns what is wrong with a value ("must be …"), or
 * undefined. They never change a value.
 */
import { inspect } from 'node:util'
import { OptionError } from '../errors.js'
import { meterMethods } from '../meter.js'

export type Check = (value: unknown) => string | undefined

/** Node's timers take no more: about 24.8 days. */
const LONGEST_TIME = 2 ** 31 - 1

/** A time in milliseconds. `zero` says what 0 means, if anything. */
export const milliseconds =
  (range: { min?: number; zero?: string }): Check =>
  (value) => {
    const { min = 0, zero } = range
    if (typeof value === 'number' && (value === 0 ? zero !== undefined || min === 0 : value >= Math.max(min, 0)))
      if (value <= LONGEST_TIME) return undefined
    return `must be milliseconds from ${min} to ${LONGEST_TIME}${zero === undefined ? '' : `, or 0 for ${zero}`}`
  }

/** A time in milliseconds, or Infinity for none. */
export const millisecondsOrInfinity =
  (range: { min: number }): Check =>
  (value) =>
    typeof value === 'number' && value >= range.min && (value <= LONGEST_TIME || value === Infinity)
      ? undefined
      : `must be milliseconds from ${range.min} to ${LONGEST_TIME}, or Infinity`

/** A whole number, or Infinity for no limit. */
export const count =
  (range: { min: number }): Check =>
  (value) =>
    typeof value === 'number' && value >= range.min && (Number.isSafeInteger(value) || value === Infinity)
      ? undefined
      : `must be a whole number of at least ${range.min}, or Infinity for no limit`

/** A short text that can stand in one line. */
export const label: Check = (value) =>
  typeof value === 'string' && /^[^\p{Cc}]{1,100}$/u.test(value)
    ? undefined
    : 'must be a string of 1 to 100 characters in one line'

export const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined ? undefined : check(value)

/** A meter of OpenTelemetry. */
export const meter: Check = (value) =>
  isObject(value) && meterMethods.every((name) => typeof value[name] === 'function')
    ? undefined
    : `must be an OpenTelemetry Meter, with ${meterMethods.join(', ')}`

export const oneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value) ? undefined : `must be one of ${values.map((each) => inspect(each)).join(', ')}`

export const either =
  (first: Check, second: Check): Check =>
  (value) => {
    const wrong = first(value)
    const alsoWrong = wrong === undefined ? undefined : second(value)
    return alsoWrong === undefined ? undefined : `${wrong}; or it ${alsoWrong}`
  }

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** How messages show a value: itself and its type. */
export const show = (value: unknown): string =>
  `${inspect(value, { depth: 1, breakLength: Infinity })} (${typeof value})`

/** Throws for a value that a check finds wrong. */
export function enforce(option: string, value: unknown, check: Check): void {
  const wrong = check(value)
  if (wrong !== undefined) throw new OptionError(option, `Option "${option}" ${wrong}; it is ${show(value)}.`)
}

/**
 * The error for a name that is no option, with the one that was probably meant.
 *
 * @param context.prefix of nested options: `connect.`
 * @param context.elsewhere what other libraries call these options
 */
export function unknownOption(
  name: string,
  known: readonly string[],
  { prefix = '', elsewhere = {} }: { prefix?: string; elsewhere?: Readonly<Record<string, string>> } = {},
): OptionError {
  const meant = Object.hasOwn(elsewhere, name) ? elsewhere[name] : nearest(name, known)
  const hint = meant === undefined ? `Known options: ${known.join(', ')}.` : `Did you mean "${prefix}${meant}"?`
  return new OptionError(`${prefix}${name}`, `Unknown option "${prefix}${name}". ${hint}`)
}

/** The known name that a typist may have meant, by edit distance. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next[j] = Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, replace)
    }
    row = next
  }
  return row[b.length] as number
}
