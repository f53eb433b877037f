/**
 * What the kernel itself says of a TCP socket of this process, found by the port it is bound to and without the help of
 * Node's socket objects or of the code under test: its state, its options, its timer. Linux; needs koffi.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Pool } from '../../src/index.js'
import { loadNative, type Native } from '../../src/liveness/native.js'
import { block } from '../servers/other-process.js'

const SOL_SOCKET = 1
const SO_KEEPALIVE = 9
const IPPROTO_TCP = 6
const TCP_INFO = 11
/** In seconds, seconds, and a count. */
const TRIPLE = { idle: 4, interval: 5, probes: 6 }
/** Both in milliseconds; the second one since Linux 6.15. */
const TCP_USER_TIMEOUT = 18
const TCP_RTO_MAX_MS = 44

const ESTABLISHED = 1
const KEEPALIVE_TIMER = 2
/** Ticks a second in /proc, whatever the kernel itself counts in. */
const USER_HZ = 100

export class KernelSocket {
  readonly #fd: number
  readonly #native = native()

  constructor(readonly localPort: number) {
    this.#fd = descriptorOf(localPort)
  }

  /** Neither end has closed. */
  get established(): boolean {
    const info = Buffer.alloc(8)
    if (this.#native.getBytes(this.#fd, IPPROTO_TCP, TCP_INFO, info) < 1) throw new Error('Not a TCP socket any more')
    return info[0] === ESTABLISHED
  }

  /** Bytes that wait to be read. */
  get unread(): number {
    return this.#native.unread(this.#fd)
  }

  get keepAlive(): { enabled: boolean; idle: number; interval: number; probes: number } {
    const read = (name: number) => this.#native.getInt(this.#fd, IPPROTO_TCP, name)
    return {
      enabled: this.#native.getInt(this.#fd, SOL_SOCKET, SO_KEEPALIVE) === 1,
      idle: read(TRIPLE.idle) * 1000,
      interval: read(TRIPLE.interval) * 1000,
      probes: read(TRIPLE.probes),
    }
  }

  get userTimeout(): number {
    return this.#native.getInt(this.#fd, IPPROTO_TCP, TCP_USER_TIMEOUT)
  }

  /** Longest pause between two retransmissions; undefined where the kernel has no such setting. */
  get retransmitInterval(): number | undefined {
    const milliseconds = this.#native.getInt(this.#fd, IPPROTO_TCP, TCP_RTO_MAX_MS)
    return milliseconds < 0 ? undefined : milliseconds
  }

  /** Milliseconds until the kernel next looks whether it has to probe; undefined while no such timer runs. */
  get keepAliveTimer(): number | undefined {
    const [kind, ticks] = timerOf(this.#fd)
      .split(':')
      .map((digits) => Number.parseInt(digits, 16))
    return kind === KEEPALIVE_TIMER ? (ticks! * 1000) / USER_HZ : undefined
  }

  /** Blocks the event loop until the socket is as wanted: what came meanwhile, nobody has read. */
  blockUntil(holds: (socket: this) => boolean): void {
    if (this.becomes(holds, 3000)) return
    const { established, unread } = this
    throw new Error(`Not so after 3 s: ${holds}; it is ${JSON.stringify({ established, unread })}`)
  }

  /** Blocks the event loop until the socket is as wanted, or time is up; whether it is. */
  becomes(holds: (socket: this) => boolean, timeout: number): boolean {
    const deadline = performance.now() + timeout
    while (!holds(this)) {
      if (performance.now() > deadline) return false
      block(1)
    }
    return true
  }
}

/** The kernel's side of the only connection that a pool has to an origin. */
export function onlySocket(pool: Pool, origin: string): KernelSocket {
  const { connections } = pool.explain(origin)
  if (connections.length !== 1) throw new Error(`The pool has ${connections.length} connections to ${origin}, not 1`)
  return new KernelSocket(connections[0]!.localPort!)
}

function native(): Native {
  const { native, why } = loadNative()
  if (native === undefined) throw new Error(`${why}; guard the test with describeWith or itWith`)
  return native
}

const AF_INET = 2

/** The descriptor of this process's IPv4 socket that is bound to a port. */
function descriptorOf(localPort: number): number {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  const getsockname = koffi.load(null).func('int getsockname(int fd, void *address, void *length)')
  for (const fd of readdirSync('/proc/self/fd').map(Number)) {
    const address = Buffer.alloc(16)
    const length = Buffer.from(Uint32Array.of(address.length).buffer)
    const isSocket = getsockname(fd, address, length) === 0
    if (isSocket && address.readUInt16LE(0) === AF_INET && address.readUInt16BE(2) === localPort) return fd
  }
  throw new Error(`No socket of this process is bound to port ${localPort}`)
}

/** The timer column of a socket's row in the kernel's table, which may leave a row out while others come and go. */
function timerOf(fd: number): string {
  const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
  for (let attempt = 0; attempt < 20; attempt++) {
    for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
      const fields = line.trim().split(/\s+/)
      if (fields[9] === inode) return fields[5]!
    }
  }
  throw new Error(`The kernel's table has no socket ${inode}`)
}
