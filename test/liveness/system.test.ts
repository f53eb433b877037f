import { describe, expect, it } from 'vitest'
import { type SystemAccess, systemLiveness } from '../../src/liveness/system.js'

/** A system whose files and commands are these; anything else fails as it would there. */
function system(
  platform: NodeJS.Platform,
  { files = {}, commands = {} }: { files?: Record<string, string>; commands?: Record<string, string> } = {},
): SystemAccess {
  const lookUp = (texts: Record<string, string>, name: string): string => {
    const text = texts[name]
    if (text === undefined) throw new Error(`ENOENT: ${name}`)
    return text
  }
  return {
    platform,
    readFile: (path) => lookUp(files, path),
    run: (command, args) => lookUp(commands, [command, ...args].join(' ')),
  }
}

const REGISTRY = 'reg query HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters'

/** As `reg query` prints a key. */
const registry = (...values: string[]): string =>
  ['', 'HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters', ...values, '', ''].join('\r\n')

const unixDefault = { idle: 7_200_000, interval: 75_000, probes: 9, source: 'default' }
const windowsDefault = { idle: 7_200_000, interval: 1_000, probes: 10, source: 'default' }

describe("Linux's own TCP keepalive", () => {
  const files = {
    '/proc/sys/net/ipv4/tcp_keepalive_time': '600\n',
    '/proc/sys/net/ipv4/tcp_keepalive_intvl': '60\n',
    '/proc/sys/net/ipv4/tcp_keepalive_probes': '5\n',
  }

  it('is read from the sysctls, in seconds', () => {
    const values = { idle: 600_000, interval: 60_000, probes: 5, source: 'sysctl' }
    expect(systemLiveness(system('linux', { files }))).toEqual(values)
  })

  it('is the documented default where they cannot be read', () => {
    expect(systemLiveness(system('linux'))).toEqual(unixDefault)
    const { '/proc/sys/net/ipv4/tcp_keepalive_probes': _, ...others } = files
    expect(systemLiveness(system('linux', { files: others }))).toEqual(unixDefault)
  })

  it.each(['', 'lots\n', '0\n', '-1\n'])('is the documented default where one of them is %j', (text) => {
    const odd = { ...files, '/proc/sys/net/ipv4/tcp_keepalive_intvl': text }
    expect(systemLiveness(system('linux', { files: odd }))).toEqual(unixDefault)
  })

  it('is known on the machine that runs this', () => {
    const { idle, interval, probes } = systemLiveness()
    for (const value of [idle, interval, probes]) expect(value).toBeGreaterThan(0)
  })
})

describe("Windows' own TCP keepalive", () => {
  it('is read from the registry, in milliseconds', () => {
    const text = registry(
      '    KeepAliveInterval    REG_DWORD    0x7d0',
      '    KeepAliveTime    REG_DWORD    0x493e0',
      '    Domain    REG_SZ    example.com',
    )
    expect(systemLiveness(system('win32', { commands: { [REGISTRY]: text } }))).toEqual({
      idle: 300_000,
      interval: 2_000,
      probes: 10,
      source: 'registry',
    })
  })

  it('is the default for the value that is not there', () => {
    const text = registry('    KeepAliveTime    REG_DWORD    0xEA60')
    expect(systemLiveness(system('win32', { commands: { [REGISTRY]: text } }))).toEqual({
      ...windowsDefault,
      idle: 60_000,
      source: 'registry',
    })
  })

  it('is the default where neither is there, or others with similar names are', () => {
    const text = registry('    KeepAliveTimeX    REG_DWORD    0x1', '    MyKeepAliveInterval    REG_DWORD    0x2')
    expect(systemLiveness(system('win32', { commands: { [REGISTRY]: text } }))).toEqual(windowsDefault)
  })

  it('is the default where the registry cannot be asked', () => {
    expect(systemLiveness(system('win32'))).toEqual(windowsDefault)
  })
})

describe("macOS' own TCP keepalive", () => {
  const SYSCTL = 'sysctl -n net.inet.tcp.keepidle net.inet.tcp.keepintvl net.inet.tcp.keepcnt'

  it('is read from sysctl, in milliseconds', () => {
    expect(systemLiveness(system('darwin', { commands: { [SYSCTL]: '600000\n60000\n4\n' } }))).toEqual({
      idle: 600_000,
      interval: 60_000,
      probes: 4,
      source: 'sysctl',
    })
  })

  it('is the default with its 8 probes where that fails, or says too little', () => {
    const fallback = { ...unixDefault, probes: 8 }
    expect(systemLiveness(system('darwin'))).toEqual(fallback)
    expect(systemLiveness(system('darwin', { commands: { [SYSCTL]: '600000\n60000\n' } }))).toEqual(fallback)
  })
})

describe('the own TCP keepalive of another system', () => {
  it('is the default, with the 8 probes of the BSDs', () => {
    for (const platform of ['freebsd', 'openbsd', 'netbsd'] as const)
      expect(systemLiveness(system(platform))).toEqual({ ...unixDefault, probes: 8 })
  })
})
