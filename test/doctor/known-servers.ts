/** Servers whose settings are known, and what the doctor is to find of them. `docs/doctor.md` has the same table. */
import type { FindingCode } from '../../src/doctor/findings.js'
import type { IdleEnd } from '../../src/doctor/idle-evidence.js'
import type { Requirement } from '../support/requirements.js'
import { startApache } from '../support/servers/apache.js'
import { startHaproxy } from '../support/servers/haproxy.js'
import { startNginx } from '../support/servers/nginx.js'
import { startServer } from '../support/servers/node.js'
import { type Habits, startPeculiar } from './peculiar-server.js'

interface Running {
  readonly origin: string
  close(): Promise<void>
}

export interface KnownServer {
  readonly server: string
  /** As it is written in its configuration, or told. */
  readonly setTo: string
  readonly needs?: Requirement
  readonly start: () => Promise<Running>
  /** Milliseconds; null: longer than was waited for. Left out: connections are not kept at all. */
  readonly idle?: { readonly end: IdleEnd; readonly timeout: number } | null
  /** Milliseconds that are advertised. */
  readonly advertised?: number
  /** Requests after which it closes; left out: more than were sent. */
  readonly closedAfter?: number
  readonly dialect?: 'remaining' | 'total'
  /** Those of `harmless` apart. */
  readonly findings: readonly FindingCode[]
}

const child = async (starting: Promise<{ origin: string; stop(): Promise<void> }>): Promise<Running> => {
  const { origin, stop } = await starting
  return { origin, close: stop }
}

const peculiar = (habits: Habits) => () => startPeculiar(habits)

export const knownServers: readonly KnownServer[] = [
  {
    server: 'nginx',
    setTo: 'keepalive_timeout 2s; keepalive_requests 8',
    needs: 'nginx',
    start: () => child(startNginx({ keepaliveTimeout: '2s', keepaliveRequests: 8 })),
    idle: { end: 'fin', timeout: 2_000 },
    closedAfter: 8,
    findings: ['not-advertised', 'short-timeout'],
  },
  {
    server: 'nginx',
    setTo: 'keepalive_timeout 3s 3s',
    needs: 'nginx',
    start: () => child(startNginx({ keepaliveTimeout: '3s 3s' })),
    idle: { end: 'fin', timeout: 3_000 },
    advertised: 3_000,
    findings: [],
  },
  {
    server: 'nginx',
    setTo: 'keepalive_timeout 3200ms 1s',
    needs: 'nginx',
    start: () => child(startNginx({ keepaliveTimeout: '3200ms 1s' })),
    idle: { end: 'fin', timeout: 3_200 },
    advertised: 1_000,
    findings: ['advertised-too-short'],
  },
  {
    server: 'Apache',
    setTo: 'KeepAliveTimeout 2; MaxKeepAliveRequests 5',
    needs: 'apache2',
    start: () => child(startApache({ keepAliveTimeout: 2, maxKeepAliveRequests: 5 })),
    idle: { end: 'fin', timeout: 2_000 },
    advertised: 2_000,
    closedAfter: 6,
    dialect: 'remaining',
    findings: ['short-timeout'],
  },
  {
    server: 'HAProxy',
    setTo: 'timeout http-keep-alive 2s',
    needs: 'haproxy',
    start: () => child(startHaproxy({ keepAliveTimeout: '2s' })),
    idle: { end: 'fin', timeout: 2_000 },
    findings: ['not-advertised', 'short-timeout'],
  },
  {
    server: 'Node',
    setTo: 'keepAliveTimeout = 2000; maxRequestsPerSocket = 10',
    start: () => startServer({ keepAliveTimeout: 2_000, maxRequestsPerSocket: 10 }),
    idle: { end: 'fin', timeout: 3_000 },
    advertised: 2_000,
    closedAfter: 10,
    dialect: 'total',
    findings: [],
  },
  {
    server: 'Node, over TLS',
    setTo: 'keepAliveTimeout = 1000',
    needs: 'openssl',
    start: () => startServer({ keepAliveTimeout: 1_000, tls: true }),
    idle: { end: 'fin', timeout: 2_000 },
    advertised: 1_000,
    findings: ['short-timeout'],
  },
  {
    server: 'Node',
    setTo: 'keepAliveTimeout = 0',
    start: () => startServer({ keepAliveTimeout: 0 }),
    idle: null,
    findings: [],
  },
  {
    server: 'like gunicorn',
    setTo: 'closes after 2 s, says Connection: keep-alive',
    start: peculiar({ closesAfter: 2_000, headers: ['connection: keep-alive'] }),
    idle: { end: 'fin', timeout: 2_000 },
    findings: ['not-advertised', 'short-timeout'],
  },
  {
    server: 'a liar',
    setTo: 'advertises 60 s, closes after 1 s',
    start: peculiar({ closesAfter: 1_000, headers: ['keep-alive: timeout=60'] }),
    idle: { end: 'fin', timeout: 1_000 },
    advertised: 60_000,
    findings: ['advertised-too-long', 'short-timeout'],
  },
  {
    server: 'a silent drop',
    setTo: 'reads nothing after 1.5 s',
    start: peculiar({ ignoresAfter: 1_500 }),
    idle: { end: 'silence', timeout: 1_500 },
    findings: ['silent-end', 'not-advertised', 'short-timeout'],
  },
  {
    server: 'a reset',
    setTo: 'answers by RST after 1.5 s',
    start: peculiar({ resetsAfter: 1_500 }),
    idle: { end: 'reset-on-request', timeout: 1_500 },
    findings: ['reset-on-request', 'not-advertised', 'short-timeout'],
  },
  {
    server: 'one that says goodbye',
    setTo: 'sends a 408, closes after 1 s',
    start: peculiar({ closesAfter: 1_000, goodbye: 'HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n' }),
    idle: { end: 'fin', timeout: 1_000 },
    findings: ['not-advertised', 'short-timeout', 'unsolicited-bytes'],
  },
  {
    server: 'one that counts',
    setTo: 'closes after 4 requests, without a word',
    start: peculiar({ takes: 4 }),
    idle: null,
    closedAfter: 4,
    findings: ['closes-unannounced'],
  },
  {
    server: 'one that closes',
    setTo: 'Connection: close',
    start: peculiar({ closes: true, headers: ['connection: close'] }),
    findings: ['connection-close'],
  },
  {
    server: 'an old one',
    setTo: 'HTTP/1.0',
    start: peculiar({ closes: true, version: '1.0' }),
    findings: ['http-1.0'],
  },
  {
    server: 'one without HEAD',
    setTo: '405, chunked responses, closes after 1 s',
    start: peculiar({
      headStatus: 405,
      closesAfter: 1_000,
      body: 'transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    }),
    idle: { end: 'fin', timeout: 1_000 },
    findings: ['not-advertised', 'short-timeout', 'head-refused'],
  },
]

/** Those that are of the machine that measures, not of the server. */
export const harmless: readonly FindingCode[] = ['no-kernel', 'keepalive-not-applied', 'certificate-not-checked']
