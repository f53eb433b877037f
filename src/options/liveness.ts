/**
 * The check of the `liveness` option: what the kernel would half apply in silence is refused here.
 */

import { OptionError } from '../errors.js'
import { type LivenessOption, presets } from '../liveness/presets.js'
import { isObject, show, unknownOption } from './checks.js'

const triple = ['idle', 'interval', 'probes'] as const
const fields = [...triple, 'userTimeout'] as const

/** Linux keeps Ti and Td as 16-bit seconds with a sign, and Nm in 7 bits (net/tcp.h: MAX_TCP_KEEPIDLE, …). */
const LONGEST_SECONDS = 32_767
const MOST_PROBES = 127

/** Milliseconds, as an int. */
const LONGEST_USER_TIMEOUT = 2 ** 31 - 1

export function checkLiveness(value: unknown): asserts value is LivenessOption {
  if (value === false || value === 'system' || (typeof value === 'string' && Object.hasOwn(presets, value))) return
  if (!isObject(value)) {
    const names = [...Object.keys(presets), 'system'].map((name) => `'${name}'`).join(', ')
    throw new OptionError(
      'liveness',
      `Option "liveness" must be false, ${names}, or { idle, interval, probes }; it is ${show(value)}.`,
    )
  }
  for (const name of Object.keys(value))
    if (!(fields as readonly string[]).includes(name)) throw unknownOption(name, fields, { prefix: 'liveness.' })
  for (const name of triple) checkField(name, value[name])
  checkUserTimeout(value.userTimeout)
}

function checkField(name: (typeof triple)[number], value: unknown): void {
  const option = `liveness.${name}`
  if (name === 'probes') {
    if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST_PROBES) return
    throw new OptionError(
      option,
      `Option "${option}" must be a whole number from 1 to ${MOST_PROBES}; it is ${show(value)}.`,
    )
  }
  const seconds = typeof value === 'number' ? value / 1000 : Number.NaN
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= LONGEST_SECONDS) return
  throw new OptionError(
    option,
    `Option "${option}" must be whole seconds in milliseconds, from 1000 to ${LONGEST_SECONDS}000; it is ${show(value)}.`,
  )
}

function checkUserTimeout(value: unknown): void {
  if (value === undefined) return
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= LONGEST_USER_TIMEOUT) return
  throw new OptionError(
    'liveness.userTimeout',
    `Option "liveness.userTimeout" must be whole milliseconds from 1 to ${LONGEST_USER_TIMEOUT}, or 0 for none; ` +
      `it is ${show(value)}.`,
  )
}
