/** A real nginx for a test. GET and POST of `/` answer 200 'ok'; files of the test are served beside it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireCommand } from '../commands.js'
import { type AccessLogEntry, readAccessLog } from './access-log.js'
import { type ChildServer, READY_PATH, startChild } from './child.js'
import { writeCertificate, writeDocumentRoot } from './static-files.js'

export interface NginxOptions {
  /**
   * nginx's `keepalive_timeout`: one parameter is the idle time, which nginx does not tell anyone; a second one is
   * what it advertises, '2s 2s'. @default '75s'
   */
  keepaliveTimeout?: string
  /** nginx's `keepalive_requests`; the last answer says `Connection: close`. @default 1000 */
  keepaliveRequests?: number
  /** Worker processes. One by default, so that a connection's entries are in order. @default 1 */
  workers?: number
  /** Connections of one worker. @default 1024 */
  workerConnections?: number
  /** @default false */
  tls?: boolean
  /** False turns the access log off, for benchmarks. @default true */
  accessLog?: boolean
  /** Files by name, served below `/files/`. */
  files?: Record<string, string | Buffer>
  /** Text for the `server` block, such as locations. */
  server?: string
  /** Text for the `http` block, such as upstreams. */
  http?: string
}

export interface Nginx extends ChildServer {
  /** The log of all requests, once it has `atLeast` entries. */
  accessLog(atLeast: number): Promise<AccessLogEntry[]>
  /** Restarts the worker gracefully: it closes its idle connections at once and the others after their response. */
  reload(): void
}

export async function withNginx<T>(options: NginxOptions, body: (nginx: Nginx) => T | Promise<T>): Promise<T> {
  const nginx = await startNginx(options)
  try {
    return await body(nginx)
  } finally {
    await nginx.stop()
  }
}

export async function startNginx(options: NginxOptions = {}): Promise<Nginx> {
  const command = requireCommand('nginx')
  const child = await startChild({
    name: 'nginx',
    scheme: options.tls ? 'https' : 'http',
    prepare: ({ directory, port, token }) => {
      const root = writeDocumentRoot(directory, token, options.files ?? {})
      const file = join(directory, 'nginx.conf')
      writeFileSync(file, configuration(options, { directory, port, root }))
      return { command, args: ['-p', directory, '-e', 'stderr', '-c', file] }
    },
  })
  return {
    ...child,
    accessLog: (atLeast) =>
      readAccessLog(() => readFileSync(join(child.directory, 'access.log'), 'utf8'), parse, atLeast),
    reload: () => child.signal('SIGHUP'),
  }
}

function configuration(options: NginxOptions, at: { directory: string; port: number; root: string }): string {
  const {
    keepaliveTimeout = '75s',
    keepaliveRequests = 1000,
    workers = 1,
    workerConnections = 1024,
    tls = false,
    accessLog = true,
  } = options
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${at.directory}/${kind};`,
  )
  return `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes ${workers};
pid ${at.directory}/nginx.pid;
error_log stderr warn;
events { worker_connections ${workerConnections}; }
http {
  ${temporary.join('\n  ')}
  log_format test '$connection $remote_port $connection_requests $status $msec $request_time "$request"';
  access_log ${accessLog ? `${at.directory}/access.log test` : 'off'};
  keepalive_timeout ${keepaliveTimeout};
  keepalive_requests ${keepaliveRequests};
  default_type text/plain;
  ${options.http ?? ''}
  server {
    listen 127.0.0.1:${at.port}${tls ? ' ssl' : ''} backlog=4096;
    ${tls ? certificateLines(at.directory) : ''}
    root ${at.root};
    location = / { return 200 'ok\\n'; }
    location = ${READY_PATH} { access_log off; }
    location /files/ { alias ${at.root}/; }
    ${options.server ?? ''}
  }
}
`
}

function certificateLines(directory: string): string {
  const { cert, key } = writeCertificate(directory)
  return `ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_session_cache shared:tests:1m;`
}

const LINE = /^(\d+) (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+) "(\S+) (\S+)/

function parse(lines: string[]): AccessLogEntry[] {
  return lines.map((line) => {
    const fields = LINE.exec(line)
    if (!fields) throw new Error(`Not a line of the test log format of nginx: ${line}`)
    const [, connection, port, nth, status, finished, took, method, path] = fields
    const finishedAt = Number(finished) * 1000
    return {
      connection: connection!,
      clientPort: Number(port),
      nth: Number(nth),
      method: method!,
      path: path!,
      status: Number(status),
      startedAt: finishedAt - Number(took) * 1000,
      finishedAt,
    }
  })
}
