/**
 * A real Apache (event MPM) for a test. GET and POST of `/` answer 200 'ok'; files of the test are served beside it.
 *
 * What to know of its hints: they are sent only to a client that says `Connection: keep-alive`; `max` is what remains,
 * so with MaxKeepAliveRequests 5 the answers say 5, 4, 3, 2, 1 and the sixth `Connection: close`; `timeout` is in whole
 * seconds, rounded down.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireCommand } from '../commands.js'
import { type AccessLogEntry, connectionNamer, readAccessLog } from './access-log.js'
import { type ChildServer, READY_PATH, startChild } from './child.js'
import { writeCertificate, writeDocumentRoot } from './static-files.js'

export interface ApacheOptions {
  /** Apache's `KeepAliveTimeout`: seconds, or with a unit as in '1500ms'. @default 5 */
  keepAliveTimeout?: number | string
  /** Apache's `MaxKeepAliveRequests`; 0 = no limit, and then no `max` is advertised. @default 100 */
  maxKeepAliveRequests?: number
  /**
   * Threads of the one process. Short of idle threads Apache closes idle connections early and unannounced, so have
   * more of them than the client has connections. @default 64
   */
  threads?: number
  /** @default false */
  tls?: boolean
  /** Files by name, served below `/`. */
  files?: Record<string, string | Buffer>
  /** More modules of /usr/lib/apache2/modules, by name: 'headers', 'proxy', ... */
  modules?: readonly string[]
  /** Text for the end of the configuration. */
  server?: string
}

/** A request as Apache logged it, with the hints it gave the client. */
export interface ApacheLogEntry extends AccessLogEntry {
  /** The `Connection` header of the response. */
  connectionHeader: string | undefined
  /** The `Keep-Alive` header of the response. */
  keepAliveHeader: string | undefined
}

export interface Apache extends ChildServer {
  /** The log of all requests, once it has `atLeast` entries. */
  accessLog(atLeast: number): Promise<ApacheLogEntry[]>
  /** Restarts gracefully: idle connections are closed at once, the others after their response. */
  reload(): void
}

export async function withApache<T>(options: ApacheOptions, body: (apache: Apache) => T | Promise<T>): Promise<T> {
  const apache = await startApache(options)
  try {
    return await body(apache)
  } finally {
    await apache.stop()
  }
}

export async function startApache(options: ApacheOptions = {}): Promise<Apache> {
  const command = requireCommand('apache2')
  const child = await startChild({
    name: 'apache2',
    errorLog: 'error.log',
    scheme: options.tls ? 'https' : 'http',
    prepare: ({ directory, port, token }) => {
      const root = writeDocumentRoot(directory, token, options.files ?? {})
      const file = join(directory, 'apache2.conf')
      mkdirSync(join(directory, 'run'))
      writeFileSync(file, configuration(options, { directory, port, root }))
      return { command, args: ['-d', directory, '-f', file, '-D', 'FOREGROUND'] }
    },
  })
  return {
    ...child,
    accessLog: (atLeast) =>
      readAccessLog(() => readFileSync(join(child.directory, 'access.log'), 'utf8'), parse, atLeast),
    reload: () => child.signal('SIGUSR1'),
  }
}

const MODULE_DIRECTORY = '/usr/lib/apache2/modules'

function configuration(options: ApacheOptions, at: { directory: string; port: number; root: string }): string {
  const { keepAliveTimeout = 5, maxKeepAliveRequests = 100, threads = 64, tls = false } = options
  const modules = ['mpm_event', 'authz_core', 'dir', 'setenvif', ...(tls ? ['ssl'] : []), ...(options.modules ?? [])]
  return `
${modules.map((name) => `LoadModule ${name}_module ${MODULE_DIRECTORY}/mod_${name}.so`).join('\n')}
ServerName localhost
DefaultRuntimeDir ${at.directory}/run
PidFile ${at.directory}/run/apache2.pid
ErrorLog ${at.directory}/error.log
LogLevel warn
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
Listen 127.0.0.1:${at.port}
ListenBacklog 1024
${tls ? certificateLines(at.directory) : ''}
DocumentRoot ${at.root}
DirectoryIndex index.html
KeepAlive On
KeepAliveTimeout ${keepAliveTimeout}
MaxKeepAliveRequests ${maxKeepAliveRequests}
ServerLimit 1
StartServers 1
ThreadLimit ${threads}
ThreadsPerChild ${threads}
MaxRequestWorkers ${threads}
MinSpareThreads 1
MaxSpareThreads ${threads}
GracefulShutdownTimeout 1
SetEnvIf Request_URI "^${READY_PATH.replace('.', '\\.')}$" ready_check
LogFormat "%{remote}p %k %>s %{begin:usec}t %{end:usec}t \\"%{Connection}o\\" \\"%{Keep-Alive}o\\" \\"%r\\"" test
CustomLog ${at.directory}/access.log test env=!ready_check
${options.server ?? ''}
`
}

function certificateLines(directory: string): string {
  const { cert, key } = writeCertificate(directory)
  return `SSLEngine on\nSSLCertificateFile ${cert}\nSSLCertificateKeyFile ${key}\nSSLSessionTickets on`
}

const LINE = /^(\d+) (\d+) (\d+) (\d+) (\d+) "(.*?)" "(.*?)" "(\S+) (\S+)/

function parse(lines: string[]): ApacheLogEntry[] {
  const nameOf = connectionNamer()
  return lines.map((line) => {
    const fields = LINE.exec(line)
    if (!fields) throw new Error(`Not a line of the test log format of Apache: ${line}`)
    const [, port, keepAliveCount, status, started, finished, connectionHeader, keepAliveHeader, method, path] = fields
    const clientPort = Number(port)
    // Apache counts the kept-alive requests: 0 is the first request of a connection.
    const nth = Number(keepAliveCount) + 1
    return {
      connection: nameOf(clientPort, nth),
      clientPort,
      nth,
      method: method!,
      path: path!,
      status: Number(status),
      startedAt: Number(started) / 1000,
      finishedAt: Number(finished) / 1000,
      connectionHeader: orUndefined(connectionHeader!),
      keepAliveHeader: orUndefined(keepAliveHeader!),
    }
  })
}

/** Apache writes `-` for a header that is not there. */
function orUndefined(field: string): string | undefined {
  return field === '-' ? undefined : field
}
