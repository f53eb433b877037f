/**
 * nginx, Apache and HAProxy at the server's end of the wire: they close idle connections after a second, each in its own
 * way, and log the id of each request they processed.
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ID_HEADER, Ledger } from './servers/ledger.js'

/** In the namespace nobody else has ports. */
const PORT = 8080
/** Where the servers write the ids, in the directory they are given. */
const LOG = 'requests.log'
const READY_TIMEOUT = 8000
const STOP_TIMEOUT = 3000

/**
 * What each writes into its directory, and the command that runs it in the foreground.
 * @type {Record<string, (at: Setting) => string[]>}
 */
const RECIPES = { nginx, apache2, haproxy }

/**
 * @typedef {object} Setting
 * @property {string} directory
 * @property {string} idle its idle timeout, with the unit
 * @property {number[]} ports
 * @property {{ key: string, cert: string }} [tls]
 */

/**
 * @typedef {object} Daemon
 * @property {number} port the first of its ports
 * @property {number[]} ports
 * @property {() => Promise<Ledger>} ledger what it has processed: asked some time after the last request, logs are late
 */

/**
 * Starts one in `wire.server`; it answers every path with 200, says nothing of its idle timeout, and ends with the wire.
 * @param {import('./wire.js').Wire} wire
 * @param {'nginx' | 'apache2' | 'haproxy'} name
 * @param {{ seconds?: number, port?: number, ports?: number, tls?: { key: string, cert: string } }} [options]
 *   `seconds`: its idle timeout; `ports`: how many it listens on, from `port` on, each an origin to its clients
 * @returns {Promise<Daemon>}
 */
export async function startDaemon(wire, name, { seconds = 1, port = PORT, ports: count = 1, tls } = {}) {
  const directory = mkdtempSync(join(tmpdir(), `keepwise-wire-${name}-`))
  // Workers run as another user and read their files here.
  chmodSync(directory, 0o755)
  const ports = Array.from({ length: count }, (_, index) => port + index)
  const [command, ...args] = RECIPES[name]({ directory, idle: `${Math.round(seconds * 1000)}ms`, ports, tls })
  const child = wire.server.spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (printed += text))
  const gone = new Promise((resolve) => child.once('close', resolve))

  const stop = async () => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT)
    await gone
    clearTimeout(timer)
    rmSync(directory, { recursive: true, force: true })
  }
  wire.onEnd(stop)
  const complaints = () => printed + readIfThere(join(directory, 'error.log'))
  const deadline = performance.now() + READY_TIMEOUT
  while (!(await isListening(wire, port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      throw new Error(`${name} does not listen. ${complaints()}`)
    }
    await sleep(20)
  }
  return {
    port,
    ports,
    ledger: async () => Ledger.of(idsIn(name === 'haproxy' ? printed : readIfThere(join(directory, LOG)))),
  }
}

function nginx({ directory, idle, ports, tls }) {
  const certificate = tls && writeCertificate(directory, tls)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${directory}/${kind};`,
  )
  const file = join(directory, 'nginx.conf')
  writeFileSync(
    file,
    `daemon off;
user root;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
  ${temporary.join('\n  ')}
  log_format ids 'id=$http_${ID_HEADER.replaceAll('-', '_')};';
  access_log ${join(directory, LOG)} ids;
  keepalive_timeout ${idle};
  server {
    ${ports.map((port) => `listen ${port}${certificate ? ' ssl' : ''};`).join(' ')}
    ${certificate ? `ssl_certificate ${certificate.cert}; ssl_certificate_key ${certificate.key};` : ''}
    location / { return 200 'ok\\n'; }
  }
}
`,
  )
  return ['nginx', '-p', directory, '-e', 'stderr', '-c', file]
}

/**
 * Its close is a lingering one: FIN, and for two seconds it reads, acknowledges and throws away what still comes. Its
 * timeout it tells only those who ask for keep-alive by name: that it does not get to see.
 */
function apache2({ directory, idle, ports, tls }) {
  const modules = '/usr/lib/apache2/modules'
  const certificate = tls && writeCertificate(directory, tls)
  const names = ['mpm_event', 'authz_core', 'dir', 'headers', ...(tls ? ['ssl'] : [])]
  writeFileSync(join(directory, 'index.html'), 'ok\n')
  const file = join(directory, 'apache2.conf')
  writeFileSync(
    file,
    `${names.map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`).join('\n')}
ServerName localhost
DefaultRuntimeDir ${directory}
PidFile ${directory}/apache2.pid
ErrorLog ${directory}/error.log
User www-data
Group www-data
${ports.map((port) => `Listen ${port}`).join('\n')}
RequestHeader unset Connection early
${certificate ? `SSLEngine on\nSSLCertificateFile ${certificate.cert}\nSSLCertificateKeyFile ${certificate.key}` : ''}
DocumentRoot ${directory}
DirectoryIndex index.html
FallbackResource /index.html
KeepAlive On
KeepAliveTimeout ${idle}
MaxKeepAliveRequests 0
ServerLimit 1
StartServers 1
ThreadLimit 64
ThreadsPerChild 64
MaxRequestWorkers 64
LogFormat "id=%{${ID_HEADER}}i;" ids
CustomLog ${join(directory, LOG)} ids
`,
  )
  return ['apache2', '-d', directory, '-f', file, '-D', 'FOREGROUND']
}

/** It has one thread: one of two that log at the same moment may give up. */
function haproxy({ directory, idle, ports, tls }) {
  const pem = join(directory, 'server.pem')
  if (tls) writeFileSync(pem, tls.cert + tls.key, { mode: 0o600 })
  const file = join(directory, 'haproxy.cfg')
  writeFileSync(
    file,
    `global
  nbthread 1
  log stdout format raw local0
defaults
  mode http
  log global
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive ${idle}
frontend test
  bind :${ports.join(',:')}${tls ? ` ssl crt ${pem}` : ''}
  http-request set-var(txn.id) req.hdr(${ID_HEADER})
  log-format "id=%[var(txn.id)];"
  http-request return status 200 content-type text/plain string "ok"
`,
  )
  return ['haproxy', '-db', '-f', file]
}

function writeCertificate(directory, { key, cert }) {
  const paths = { key: join(directory, 'server.key'), cert: join(directory, 'server.crt') }
  writeFileSync(paths.key, key, { mode: 0o600 })
  writeFileSync(paths.cert, cert)
  return paths
}

/** Whether somebody listens in the server's namespace. Seen from outside the namespace, it takes a process inside. */
async function isListening(wire, port) {
  const { stdout } = await wire.server.run('cat', ['/proc/net/tcp'])
  const LISTEN = '0A'
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return stdout.split('\n').some((line) => new RegExp(`^\\s*\\d+: [0-9A-F]{8}:${hex} \\S+ ${LISTEN} `).test(line))
}

const readIfThere = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : '')

/** The ids of a log; `-` is a request without one, which is none of ours. */
const idsIn = (text) => [...text.matchAll(/^id=(.+);$/gm)].map(([, id]) => id).filter((id) => id !== '-')
