/** Network namespaces by name, with the `ip` command. Only ever those whose names are given. */
import { execFileSync } from 'node:child_process'

const IP = 'ip'

/** @param {string[]} args  @param {string} [input] */
export function ip(args, input) {
  const options = { encoding: /** @type {const} */ ('utf8'), input, env: withDaemonPaths(), timeout: 10_000 }
  return execFileSync(IP, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] })
}

/** `ip` lives where an ordinary user's PATH does not look. */
export function withDaemonPaths() {
  return { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin` }
}

export function addNamespace(name) {
  ip(['netns', 'add', name])
  ip(['-n', name, 'link', 'set', 'lo', 'up'])
}

/** Moves a TUN device into a namespace, gives it its addresses, and says that the peer's are behind it. */
export function plugIn(namespace, device, [address, ...more], [peer, ...others]) {
  ip(['link', 'set', 'dev', device, 'netns', namespace])
  const commands = [
    // No IPv6 on the wire: its neighbour discovery would be traffic that nobody asked for.
    `link set dev ${device} addrgenmode none`,
    `addr add ${address} peer ${peer}/32 dev ${device}`,
    ...more.map((another) => `addr add ${another}/32 dev ${device}`),
    `link set dev ${device} up`,
    ...others.map((another) => `route add ${another}/32 dev ${device}`),
  ]
  ip(['-n', namespace, '-batch', '-'], `${commands.join('\n')}\n`)
}

/** Ends every process in a namespace and removes it. Does nothing if there is none of that name. */
export function removeNamespace(name) {
  if (!namespaces().includes(name)) return
  for (const pid of ip(['netns', 'pids', name]).split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It ended by itself since.
    }
  }
  ip(['netns', 'del', name])
}

/** The names of all namespaces. */
export function namespaces() {
  return ip(['netns', 'list'])
    .split('\n')
    .map((line) => line.split(' ')[0])
    .filter(Boolean)
}
