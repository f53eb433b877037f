/**
 * The operating system's own TCP keepalive values, for `liveness: 'system'` and for `explain`.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { LivenessPlan, LivenessTriple } from './presets.js'

/** Reaches outside, one function each, so that tests can stand in for another system. */
export interface SystemAccess {
  readonly platform: NodeJS.Platform
  readFile(path: string): string
  run(command: string, args: readonly string[]): string
}

/** A registry or sysctl query that takes longer is given up; the documented default stands in. */
const QUERY_TIMEOUT = 2_000

export const thisSystem: SystemAccess = {
  platform: process.platform,
  readFile: (path) => readFileSync(path, 'latin1'),
  run: (command, args) =>
    execFileSync(command, args, { encoding: 'latin1', timeout: QUERY_TIMEOUT, stdio: ['ignore', 'pipe', 'ignore'] }),
}

export interface SystemLiveness extends LivenessTriple {
  /** Where the values come from: the sysctl or the registry, or the platform's documented default. */
  readonly source: 'sysctl' | 'registry' | 'default'
}

/** Two hours, 75 s, 9 probes: tcp(7). */
const LINUX_DEFAULT: LivenessTriple = { idle: 7_200_000, interval: 75_000, probes: 9 }

/** The same with 8 probes (TCPTV_KEEPCNT); macOS is one of them. */
const BSD_DEFAULT: LivenessTriple = { ...LINUX_DEFAULT, probes: 8 }

/** Two hours, 1 s, and since Vista always 10 probes (SIO_KEEPALIVE_VALS). */
const WINDOWS_DEFAULT: LivenessTriple = { idle: 7_200_000, interval: 1_000, probes: 10 }

/** The values a socket gets that only switches keepalive on. Read anew at each call; meant for `explain`. */
export function systemLiveness(system: SystemAccess = thisSystem): SystemLiveness {
  switch (system.platform) {
    case 'linux':
      return orDefault(LINUX_DEFAULT, () => readLinux(system))
    case 'win32':
      return orDefault(WINDOWS_DEFAULT, () => readWindows(system))
    case 'darwin':
      return orDefault(BSD_DEFAULT, () => readDarwin(system))
    default:
      return { ...BSD_DEFAULT, source: 'default' }
  }
}

/** Ti of a plan; undefined where nothing probes. */
export function probedAfter(plan: LivenessPlan, system: () => LivenessTriple = systemLiveness): number | undefined {
  if (plan.kind === 'off') return undefined
  return plan.kind === 'set' ? plan.idle : system().idle
}

function orDefault(fallback: LivenessTriple, read: () => SystemLiveness): SystemLiveness {
  try {
    const values = read()
    if (values.idle > 0 && values.interval > 0 && values.probes > 0) return values
  } catch {
    // Not readable in this sandbox: the documented default is the best that can be said.
  }
  return { ...fallback, source: 'default' }
}

/** Of this network namespace, in seconds. */
function readLinux(system: SystemAccess): SystemLiveness {
  const read = (name: string): number => Number(system.readFile(`/proc/sys/net/ipv4/tcp_keepalive_${name}`))
  return { idle: read('time') * 1000, interval: read('intvl') * 1000, probes: read('probes'), source: 'sysctl' }
}

/** In milliseconds; the registry's values are absent until somebody sets them. */
function readWindows(system: SystemAccess): SystemLiveness {
  const key = 'HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters'
  const output = system.run('reg', ['query', key])
  const read = (name: string): number | undefined => {
    const digits = new RegExp(`^\\s*${name}\\s+REG_DWORD\\s+0x([0-9a-f]+)`, 'im').exec(output)?.[1]
    return digits === undefined ? undefined : Number.parseInt(digits, 16)
  }
  const idle = read('KeepAliveTime')
  const interval = read('KeepAliveInterval')
  if (idle === undefined && interval === undefined) return { ...WINDOWS_DEFAULT, source: 'default' }
  return {
    idle: idle ?? WINDOWS_DEFAULT.idle,
    interval: interval ?? WINDOWS_DEFAULT.interval,
    probes: WINDOWS_DEFAULT.probes,
    source: 'registry',
  }
}

/** In milliseconds. */
function readDarwin(system: SystemAccess): SystemLiveness {
  const names = ['net.inet.tcp.keepidle', 'net.inet.tcp.keepintvl', 'net.inet.tcp.keepcnt']
  const [idle = 0, interval = 0, probes = 0] = system
    .run('sysctl', ['-n', ...names])
    .trim()
    .split(/\s+/)
    .map(Number)
  return { idle, interval, probes, source: 'sysctl' }
}
