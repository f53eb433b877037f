/**
 * The door to the kernel: getsockopt, setsockopt and ioctl through koffi, an optional dependency. Loaded on first use;
 * where it is missing, or the platform is not one we know, there is no door, and everything above does without.
 */
import { createRequire } from 'node:module'

/** Socket calls by descriptor. None throws; failures are -1, as in C. */
export interface Native {
  /** Version of koffi that gave access. */
  readonly version: string
  /** Fills `target` with the option's bytes; the number of bytes the kernel wrote, or -1. */
  getBytes(fd: number, level: number, name: number, target: Buffer): number
  /** The option's value as a 32-bit integer, or -1. */
  getInt(fd: number, level: number, name: number): number
  /** 0, or -1. */
  setInt(fd: number, level: number, name: number, value: number): number
  /** Bytes received and not yet read (FIONREAD), or -1. */
  unread(fd: number): number
  /** A second descriptor of the same socket, which stays open until it is closed itself; or -1. Not inherited by children. */
  duplicate(fd: number): number
  close(fd: number): void
}

export type NativeResult = { readonly native: Native; readonly why?: undefined } | { native?: undefined; why: string }

let loaded: NativeResult | undefined

/** Native access of this process, or why there is none. Decided once. */
export function loadNative(): NativeResult {
  loaded ??= tryLoad()
  return loaded
}

const FIONREAD = 0x541b
const F_DUPFD_CLOEXEC = 1030

function tryLoad(): NativeResult {
  if (process.platform !== 'linux') return { why: `not supported on ${process.platform} yet` }
  if (process.arch !== 'x64' && process.arch !== 'arm64') return { why: `not supported on ${process.arch}` }
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    // The symbols are those of the C library that node itself is linked to, be it glibc or musl.
    const libc = koffi.load(null)
    const getsockopt = libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)')
    const setsockopt = libc.func('int setsockopt(int fd, int level, int name, void *value, unsigned int length)')
    const ioctl = libc.func('int ioctl(int fd, unsigned long request, void *value)')
    const fcntl = libc.func('int fcntl(int fd, int command, ...)')
    const close = libc.func('int close(int fd)')
    // Reused for every call: the calls are synchronous, and decoded output parameters cost twice as much.
    const int = Buffer.alloc(4)
    const length = Buffer.alloc(4)
    return {
      native: {
        version: koffi.version,
        getBytes(fd, level, name, target) {
          length.writeUInt32LE(target.length)
          return getsockopt(fd, level, name, target, length) === 0 ? length.readUInt32LE() : -1
        },
        getInt(fd, level, name) {
          length.writeUInt32LE(4)
          return getsockopt(fd, level, name, int, length) === 0 ? int.readInt32LE() : -1
        },
        setInt(fd, level, name, value) {
          int.writeInt32LE(value)
          return setsockopt(fd, level, name, int, 4)
        },
        unread: (fd) => (ioctl(fd, FIONREAD, int) === 0 ? int.readInt32LE() : -1),
        duplicate: (fd) => fcntl(fd, F_DUPFD_CLOEXEC, 'int', 0),
        close: (fd) => void close(fd),
      },
    }
  } catch (error) {
    return { why: `koffi could not be loaded: ${error instanceof Error ? error.message.split('\n')[0] : error}` }
  }
}
