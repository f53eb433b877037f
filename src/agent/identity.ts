/**
 * What tells connections apart beside host and port: the options of a request that change who is spoken to, or how.
 */
import { createHash } from 'node:crypto'
import tls from 'node:tls'

/** They are named in the pool's key: there is nothing secret in them. */
const plainNames = ['socketPath', 'localAddress', 'localPort', 'family', 'hints', 'highWaterMark'] as const

/** A digest stands for them in the key. */
const tlsNames: ReadonlySet<string> = new Set([
  ...['ca', 'cert', 'key', 'pfx', 'passphrase', 'crl', 'ciphers', 'sigalgs', 'ecdhCurve', 'dhparam', 'minDHSize'],
  ...['minVersion', 'maxVersion', 'secureProtocol', 'secureOptions', 'secureContext', 'honorCipherOrder'],
  ...['rejectUnauthorized', 'checkServerIdentity', 'ALPNProtocols', 'ALPNCallback', 'sessionIdContext', 'pskCallback'],
  ...['clientCertEngine', 'privateKeyEngine', 'privateKeyIdentifier', 'requestOCSP', 'allowPartialTrustChain'],
  ...['certificateCompression', 'ticketKeys'],
])

/** What is the same as nothing. */
const defaults: Readonly<Record<string, unknown>> = {
  family: 0,
  hints: 0,
  rejectUnauthorized: true,
  checkServerIdentity: tls.checkServerIdentity,
}

export type Options = Readonly<Record<string, unknown>>
export type Differences = ReadonlyMap<string, unknown>

const isTold = (name: string, value: unknown): boolean => value != null && value !== defaults[name]

/** The identity options among those that hold for all requests of an agent. */
export function commonOf(options: Options): Differences {
  const names = [...plainNames, ...tlsNames].filter((name) => isTold(name, options[name]))
  return new Map(names.map((name) => [name, options[name]]))
}

/**
 * The options of a request that tell its connections apart from the common ones; undefined for none. Called for every
 * request: of a plain one it reads a handful of fields.
 *
 * @param own the agent's options: they come before the request's
 */
export function differencesOf(
  isTls: boolean,
  options: Options,
  own: Options,
  common: Differences,
): Differences | undefined {
  let found: Map<string, unknown> | undefined
  for (const name of plainNames) {
    const value = own[name] ?? options[name]
    if (value !== undefined) found = note(found, name, value, common)
  }
  if (!isTls) return found
  for (const name in options)
    if (tlsNames.has(name) && own[name] === undefined) found = note(found, name, options[name], common)
  for (const name in own) if (tlsNames.has(name)) found = note(found, name, own[name], common)
  return found
}

function note(
  found: Map<string, unknown> | undefined,
  name: string,
  value: unknown,
  common: Differences,
): Map<string, unknown> | undefined {
  if (value === common.get(name) || !isTold(name, value)) return found
  return (found ?? new Map()).set(name, value)
}

/** All of it, to be compared. */
export function identityOf(differences: Differences): string {
  return Array.from(differences, ([name, value]) => `${name}=${textOf(value)}`).join('\n')
}

/** As it is shown in the pool's key, in numbers and logs: a passphrase has no place there. */
export function labelOf(differences: Differences): string {
  const shown: string[] = []
  const hidden: string[] = []
  for (const [name, value] of [...differences].sort(([a], [b]) => (a < b ? -1 : 1)))
    if (tlsNames.has(name)) hidden.push(`${name}=${textOf(value)}`)
    else shown.push(`${name} ${isSimple(value) ? value : textOf(value)}`)
  if (hidden.length > 0) shown.push(`TLS options ${digest(hidden.join('\n'))}`)
  return shown.join(', ')
}

/** Whether it can stand beside others unquoted. */
const isSimple = (value: unknown): boolean => /^[\w./:%@-]*$/.test(String(value))

/** Whether there is something among it that the next request may not bring again: a function, an object. */
export function isFleeting(differences: Differences): boolean {
  return [...differences.values()].some((value) => typeof value === 'function' || isOpaque(value))
}

const digest = (data: string | ArrayBufferView): string =>
  createHash('sha256')
    .update(data as string)
    .digest('hex')
    .slice(0, 16)

/** Digests of certificates in buffers; and of functions and objects, which can be compared with themselves alone, numbers. */
const known = new WeakMap<object, string>()
let lastNumber = 0

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`
  // Quoted: what stands in a string must not look like another option.
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value !== 'function' && (typeof value !== 'object' || value === null)) return String(value)
  if (!isOpaque(value) && !ArrayBuffer.isView(value) && typeof value === 'object')
    return `{${Object.entries(value)
      .map(([name, each]) => `${JSON.stringify(name)}:${textOf(each)}`)
      .join()}}`
  let text = known.get(value)
  if (text === undefined) {
    text = ArrayBuffer.isView(value) ? digest(value) : `#${++lastNumber}`
    known.set(value, text)
  }
  return text
}

/** An object that is more than its fields. */
const isOpaque = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !ArrayBuffer.isView(value) &&
  Object.getPrototypeOf(value) !== Object.prototype
