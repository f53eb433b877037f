/**
 * The `connect` option: how connections are opened. What is not ours goes to net.connect and tls.connect as it is.
 */
import type { TcpNetConnectOpts } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { OptionError } from '../errors.js'
import { type Check, count, enforce, isObject, milliseconds, nearest, show } from './checks.js'

/** Decided by the URL of a request, or by the pool. */
type Decided = 'host' | 'port' | 'path' | 'socket' | 'keepAlive' | 'keepAliveInitialDelay' | 'timeout' | 'onread'

/** How connections are opened: four options of ours, and those of net.connect and tls.connect. */
export interface ConnectOptions
  extends Omit<ConnectionOptions, Decided>,
    Omit<Partial<TcpNetConnectOpts>, Decided | keyof ConnectionOptions> {
  /**
   * Longest time to open a connection, in milliseconds, TLS handshake included. 0: no limit.
   * @default 10_000
   */
  readonly timeout?: number
  /**
   * Connections of one origin that are being opened at the same time. After a mass eviction the others wait, so that it
   * does not become a storm of handshakes.
   * @default 32
   */
  readonly concurrency?: number
  /** Path of a Unix domain socket to connect to, in place of the URL's host and port. */
  readonly socketPath?: string
  /** TLS sessions kept for resumption, by server name. @default 100 */
  readonly maxCachedSessions?: number
}

/** Our own part, with defaults filled in. */
export interface ResolvedConnect {
  readonly timeout: number
  readonly concurrency: number
  /** For the connector: net and tls options. */
  readonly rest: Readonly<Record<string, unknown>>
}

export const connectSpecs = {
  timeout: { default: 10_000, check: milliseconds({ min: 1, zero: 'no limit' }) },
  concurrency: { default: 32, check: count({ min: 1 }) },
} as const satisfies Record<string, { default: number; check: Check }>

/** Names that would be taken from under us, and what to use instead. */
const decided: Readonly<Record<string, string>> = {
  host: 'the URL of a request decides it',
  hostname: 'the URL of a request decides it',
  port: 'the URL of a request decides it',
  path: 'use "connect.socketPath" for a Unix domain socket',
  socket: 'the pool opens its own sockets',
  httpSocket: 'the pool opens its own sockets',
  keepAlive: 'use "liveness"',
  keepAliveInitialDelay: 'use "liveness"',
  onread: 'the HTTP parser reads the sockets',
  allowH2: 'keepwise pools HTTP/1.1 connections',
}

/** Names of net.connect and tls.connect, only to recognise misspelt ones. */
const passedOn = [
  ...['socketPath', 'maxCachedSessions', 'localAddress', 'localPort', 'family', 'hints', 'lookup', 'noDelay', 'signal'],
  ...['autoSelectFamily', 'autoSelectFamilyAttemptTimeout', 'blockList', 'highWaterMark', 'fd'],
  ...[
    'servername',
    'rejectUnauthorized',
    'checkServerIdentity',
    'session',
    'minDHSize',
    'pskCallback',
    'ALPNProtocols',
  ],
  ...[
    'ca',
    'cert',
    'key',
    'pfx',
    'passphrase',
    'ciphers',
    'sigalgs',
    'ecdhCurve',
    'dhparam',
    'crl',
    'honorCipherOrder',
  ],
  ...['minVersion', 'maxVersion', 'secureContext', 'secureOptions', 'secureProtocol', 'sessionIdContext', 'ticketKeys'],
  ...['sessionTimeout', 'enableTrace', 'requestOCSP', 'privateKeyEngine', 'privateKeyIdentifier', 'clientCertEngine'],
]

export function resolveConnect(value: unknown): ResolvedConnect {
  const { timeout, concurrency } = connectSpecs
  if (value === undefined) return { timeout: timeout.default, concurrency: concurrency.default, rest: {} }
  if (!isObject(value)) throw new OptionError('connect', `Option "connect" must be an object; it is ${show(value)}.`)
  const { timeout: ownTimeout = timeout.default, concurrency: ownConcurrency = concurrency.default, ...rest } = value
  enforce('connect.timeout', ownTimeout, timeout.check)
  enforce('connect.concurrency', ownConcurrency, concurrency.check)
  for (const name of Object.keys(rest)) refuseMistake(name)
  if (rest.maxCachedSessions !== undefined)
    enforce('connect.maxCachedSessions', rest.maxCachedSessions, count({ min: 0 }))
  if (rest.socketPath !== undefined)
    enforce('connect.socketPath', rest.socketPath, (path) =>
      typeof path === 'string' && path !== '' ? undefined : 'must be the path of a Unix domain socket',
    )
  return { timeout: ownTimeout as number, concurrency: ownConcurrency as number, rest }
}

/** Whether it is an option of net.connect or tls.connect. */
export const isConnectOption = (name: string): boolean => passedOn.includes(name)

/** An unknown name may be an option of a newer Node, so only a near miss of a known one is refused. */
function refuseMistake(name: string): void {
  if (passedOn.includes(name)) return
  const instead = Object.hasOwn(decided, name) ? decided[name] : undefined
  if (instead !== undefined)
    throw new OptionError(`connect.${name}`, `Option "connect.${name}" cannot be set: ${instead}.`)
  const near = nearest(name, [...Object.keys(connectSpecs), ...passedOn])
  if (near !== undefined)
    throw new OptionError(`connect.${name}`, `Unknown option "connect.${name}". Did you mean "connect.${near}"?`)
}
