/** TUN devices, and a wait for several descriptors that is exact to a fraction of a millisecond: Linux, through koffi. */
import { closeSync, constants, openSync } from 'node:fs'
import koffi from 'koffi'

const libc = koffi.load(null)
const ioctl = libc.func('int ioctl(int fd, unsigned long request, void *value)')
const ppoll = libc.func('int ppoll(void *fds, unsigned long count, void *timeout, void *mask)')

const TUNSETIFF = 0x400454ca
const IFF_TUN = 0x0001
const IFF_NO_PI = 0x1000
const POLLIN = 1

/**
 * Creates a TUN device. It is gone when the descriptor is closed, so it cannot outlive this process.
 * @returns {{ fd: number, name: string }}
 */
export function openTun() {
  const fd = openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK)
  const request = Buffer.alloc(40)
  // The kernel puts the first number in that is free.
  request.write('keepwise%d', 'latin1')
  request.writeUInt16LE(IFF_TUN | IFF_NO_PI, 16)
  if (ioctl(fd, TUNSETIFF, request) !== 0) {
    closeSync(fd)
    throw new Error('The kernel refused a TUN device (TUNSETIFF): this needs root and CAP_NET_ADMIN')
  }
  return { fd, name: request.toString('latin1', 0, request.indexOf(0)) }
}

/**
 * Waits until one of the descriptors can be read, or the time is over. Blocks the process: the one wait that keeps no
 * core busy and still ends on the microsecond.
 * @param {readonly number[]} fds
 * @param {number} milliseconds Infinity = no limit
 * @returns {boolean[]} which of them can be read, or have ended
 */
export function waitReadable(fds, milliseconds) {
  const polled = Buffer.alloc(8 * fds.length)
  fds.forEach((fd, index) => {
    polled.writeInt32LE(fd, 8 * index)
    polled.writeInt16LE(POLLIN, 8 * index + 4)
  })
  let timeout = null
  if (milliseconds !== Number.POSITIVE_INFINITY) {
    const nanoseconds = BigInt(Math.max(0, Math.ceil(milliseconds * 1e6)))
    timeout = Buffer.alloc(16)
    timeout.writeBigInt64LE(nanoseconds / 1_000_000_000n, 0)
    timeout.writeBigInt64LE(nanoseconds % 1_000_000_000n, 8)
  }
  // -1 is an interruption by a signal: nothing can be read then, and the caller waits again.
  const count = ppoll(polled, fds.length, timeout, null)
  return fds.map((_, index) => count > 0 && polled.readInt16LE(8 * index + 6) !== 0)
}
