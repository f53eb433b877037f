/**
 * The options of `record` and of `watch`: type, documentation, default and check of each in one place.
 */
import { OptionError } from '../errors.js'
import { type Check, count, enforce, isObject, oneOf, show, unknownOption } from '../options/checks.js'

/** Every field can be left out; an unknown one, or a bad value, throws an `OptionError`. */
export interface RecordOptions {
  /**
   * Characters that may wait for a stream that takes them slowly. Records beyond it are dropped, and counted in the log.
   * Infinity: no limit.
   * @default 16_000_000
   */
  readonly maxBehind?: number
}

/** Every field can be left out; an unknown one, or a bad value, throws an `OptionError`. */
export interface WatchOptions {
  /**
   * Port to listen on. 0: any that is free.
   * @default 0
   */
  readonly port?: number
  /**
   * Address to listen on: one of this machine's loopback addresses, `'127.0.0.1'` or `'::1'`, and no other.
   * @default '127.0.0.1'
   */
  readonly host?: '127.0.0.1' | '::1'
  /**
   * The secret part of the address: 16 to 100 letters, digits, `-` and `_`. Name one, and a port, for an address that stays the
   * same when the process is started anew.
   * @default a new one, of 128 random bits
   */
  readonly token?: string
}

export type ResolvedRecord = Required<RecordOptions>

export type ResolvedWatch = Required<Omit<WatchOptions, 'token'>> & { readonly token: string | undefined }

const port: Check = (value) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535
    ? undefined
    : 'must be a port: a whole number from 0 to 65535'

const token: Check = (value) =>
  typeof value === 'string' && /^[\w-]{16,100}$/.test(value)
    ? undefined
    : 'must be 16 to 100 letters, digits, "-" and "_"'

const checks = {
  record: { maxBehind: count({ min: 1 }) },
  watch: { port, host: oneOf('127.0.0.1', '::1'), token },
} as const satisfies { record: Record<keyof RecordOptions, Check>; watch: Record<keyof WatchOptions, Check> }

/** @throws OptionError for an unknown option or a value it cannot take */
export function resolveRecord(options: RecordOptions | undefined): ResolvedRecord {
  const given = checked('record', options, checks.record)
  return { maxBehind: given.maxBehind ?? 16_000_000 }
}

/** @throws OptionError for an unknown option or a value it cannot take */
export function resolveWatch(options: WatchOptions | undefined): ResolvedWatch {
  const given = checked('watch', options, checks.watch)
  return { port: given.port ?? 0, host: given.host ?? '127.0.0.1', token: given.token }
}

function checked<Options extends object>(
  what: string,
  options: Options | undefined,
  known: Readonly<Record<keyof Options & string, Check>>,
): Partial<Options> {
  if (options === undefined) return {}
  if (!isObject(options))
    throw new OptionError('options', `${what}() takes an object of options; it is ${show(options)}.`)
  for (const [name, value] of Object.entries(options)) {
    const names = Object.keys(known)
    if (!names.includes(name)) throw unknownOption(name, names)
    if (value !== undefined) enforce(name, value, known[name as keyof Options & string])
  }
  return options
}
