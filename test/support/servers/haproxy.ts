/** A real HAProxy for a test. It answers 200 'ok' itself, closes idle connections when configured to, and says nothing. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireCommand } from '../commands.js'
import { testCertificates } from '../tls.js'
import { type AccessLogEntry, connectionNamer, readAccessLog } from './access-log.js'
import { type ChildServer, READY_PATH, startChild } from './child.js'

export interface HaproxyOptions {
  /** HAProxy's `timeout http-keep-alive`, as in '2s'. @default '10s' */
  keepAliveTimeout?: string
  /** HAProxy's `timeout http-request`. @default '5s' */
  requestTimeout?: string
  /** @default false */
  tls?: boolean
  /** Text for the frontend, before its own answer. */
  frontend?: string
  /** Text for the end of the configuration, such as backends. */
  extra?: string
}

export interface Haproxy extends ChildServer {
  /** The log of all requests, once it has `atLeast` entries. */
  accessLog(atLeast: number): Promise<AccessLogEntry[]>
}

export async function withHaproxy<T>(options: HaproxyOptions, body: (haproxy: Haproxy) => T | Promise<T>): Promise<T> {
  const haproxy = await startHaproxy(options)
  try {
    return await body(haproxy)
  } finally {
    await haproxy.stop()
  }
}

export async function startHaproxy(options: HaproxyOptions = {}): Promise<Haproxy> {
  const command = requireCommand('haproxy')
  const child = await startChild({
    name: 'haproxy',
    scheme: options.tls ? 'https' : 'http',
    prepare: ({ directory, port, token }) => {
      const file = join(directory, 'haproxy.cfg')
      writeFileSync(file, configuration(options, { directory, port, token }))
      return { command, args: ['-db', '-f', file] }
    },
  })
  return { ...child, accessLog: (atLeast) => readAccessLog(child.output, parse, atLeast) }
}

function configuration(options: HaproxyOptions, at: { directory: string; port: number; token: string }): string {
  const { keepAliveTimeout = '10s', requestTimeout = '5s', tls = false } = options
  return `
global
  log stdout format raw local0
  maxconn 4096
defaults
  mode http
  log global
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout http-request ${requestTimeout}
  timeout http-keep-alive ${keepAliveTimeout}
frontend test
  bind 127.0.0.1:${at.port}${tls ? ` ssl crt ${writePem(at.directory)}` : ''}
  log-format "%cp %[var(sess.nth)] %ST %[var(txn.start)] %[date(0,ms)] \\"%HM %HU\\""
  http-request set-var(sess.nth) int(0) if !{ var(sess.nth) -m found }
  http-request set-var(sess.nth) var(sess.nth),add(1)
  http-request set-var(txn.start) date(0,ms)
  http-request set-log-level silent if { path ${READY_PATH} }
  http-request return status 200 content-type text/plain string "${at.token}" if { path ${READY_PATH} }
  ${options.frontend ?? ''}
  http-request return status 200 content-type text/plain string "ok"
${options.extra ?? ''}
`
}

/** HAProxy wants certificate and key in one file. */
function writePem(directory: string): string {
  const { cert, key } = testCertificates().localhost
  const path = join(directory, 'server.pem')
  writeFileSync(path, cert + key, { mode: 0o600 })
  return path
}

const LINE = /^(\d+) (\d+) (\d+) (\d+) (\d+) "(\S+) (\S+)"$/

function parse(lines: string[]): AccessLogEntry[] {
  const nameOf = connectionNamer()
  // The log shares the output with warnings, and with connections that were closed without a request.
  return lines.flatMap((line) => {
    const fields = LINE.exec(line)
    if (!fields) return []
    const [, port, nth, status, started, finished, method, path] = fields
    const clientPort = Number(port)
    return {
      connection: nameOf(clientPort, Number(nth)),
      clientPort,
      nth: Number(nth),
      method: method!,
      path: path!,
      status: Number(status),
      startedAt: Number(started),
      finishedAt: Number(finished),
    }
  })
}
