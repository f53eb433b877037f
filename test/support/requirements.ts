/**
 * What a test needs beyond Node itself: real servers, root, other Node versions. A test that lacks one is skipped on a
 * contributor's machine, with a line that says what is missing and how to get it; in CI (`CI` set) it fails instead, so
 * that a machine without nginx cannot turn half of the suite green by running nothing.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { networkInterfaces } from 'node:os'
import { describe, it } from 'vitest'
import { findCommand } from './commands.js'
import { hasNode, type NodeMajor } from './nodes.js'

/** Each requirement: is it here, and how does a user get it? */
const REQUIREMENTS = {
  nginx: command('nginx', 'apt-get install nginx-light'),
  apache2: command('apache2', 'apt-get install apache2'),
  haproxy: command('haproxy', 'apt-get install haproxy'),
  openssl: command('openssl', 'apt-get install openssl'),
  curl: command('curl', 'apt-get install curl'),
  chromium: command('chromium', 'apt-get install chromium'),
  iptables: command('iptables', 'apt-get install iptables'),
  ip: command('ip', 'apt-get install iproute2'),
  strace: {
    // Containers often forbid ptrace, so having the command is not enough.
    isMet: () => runs('strace', ['-o', '/dev/null', 'true']),
    remedy: 'apt-get install strace, and in a container allow it: --cap-add SYS_PTRACE',
  },
  linux: { isMet: () => process.platform === 'linux', remedy: 'run the tests on Linux' },
  root: { isMet: () => process.getuid?.() === 0, remedy: 'run the tests as root (sudo npm test)' },
  netns: {
    isMet: () => runs('unshare', ['--net', 'true']),
    remedy: 'run the tests on Linux as root, and in a container with --cap-add SYS_ADMIN,NET_ADMIN',
  },
  tun: {
    isMet: () => existsSync('/dev/net/tun'),
    remedy: 'modprobe tun, and in a container --device /dev/net/tun',
  },
  ipv6: {
    isMet: () =>
      Object.values(networkInterfaces())
        .flat()
        .some((entry) => entry?.address === '::1'),
    remedy: 'enable IPv6 on the loopback interface (sysctl net.ipv6.conf.lo.disable_ipv6=0)',
  },
  koffi: { isMet: canLoadKoffi, remedy: 'npm install --include=optional' },
  node20: otherNode(20),
  node22: otherNode(22),
  node24: otherNode(24),
  node26: otherNode(26),
} satisfies Record<string, RequirementCheck>

interface RequirementCheck {
  isMet(): boolean
  readonly remedy: string
}

export type Requirement = keyof typeof REQUIREMENTS

/** What is missing of `needs`, as one sentence for a person, or undefined when everything is here. */
export function missing(needs: Requirement | readonly Requirement[]): string | undefined {
  const sentences = [needs]
    .flat()
    .filter((name) => !isMet(name))
    .map((name) => `needs ${name}: ${REQUIREMENTS[name].remedy}`)
  return sentences.length === 0 ? undefined : sentences.join('; ')
}

/** `describe` for tests that need something of the machine. */
export function describeWith(needs: Requirement | readonly Requirement[], title: string, body: () => void): void {
  const lack = missing(needs)
  if (lack === undefined) describe(title, body)
  else if (missingIsFailure()) describe(title, () => failing('has what it needs', lack))
  else describe.skip(`${title} [skipped, ${lack}]`, body)
}

/** `it` for one test that needs something of the machine. */
export function itWith(
  needs: Requirement | readonly Requirement[],
  title: string,
  body: () => void | Promise<void>,
  timeout?: number,
): void {
  const lack = missing(needs)
  if (lack === undefined) it(title, body, timeout)
  else if (missingIsFailure()) failing(title, lack)
  else it.skip(`${title} [skipped, ${lack}]`, body)
}

function failing(title: string, lack: string): void {
  it(title, () => {
    throw new Error(`This test ${lack} (a failure because CI is set; without CI it would be skipped)`)
  })
}

/** As the CI services set it: any value but an empty one or "false". */
function missingIsFailure(): boolean {
  return !['', 'false', '0', undefined].includes(process.env.CI)
}

const known = new Map<Requirement, boolean>()

/** Every requirement is looked at once a process: some start a command to find out. */
function isMet(name: Requirement): boolean {
  let met = known.get(name)
  if (met === undefined) known.set(name, (met = REQUIREMENTS[name].isMet()))
  return met
}

function command(name: string, remedy: string): RequirementCheck {
  return { isMet: () => findCommand(name) !== undefined, remedy }
}

function otherNode(major: NodeMajor): RequirementCheck {
  return { isMet: () => hasNode(major), remedy: `node test/support/install-nodes.js ${major}` }
}

function runs(name: string, args: string[]): boolean {
  const path = findCommand(name)
  return path !== undefined && spawnSync(path, args, { timeout: 5000 }).status === 0
}

function canLoadKoffi(): boolean {
  try {
    createRequire(import.meta.url)('koffi')
    return true
  } catch {
    return false
  }
}
