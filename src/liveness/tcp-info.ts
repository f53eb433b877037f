/**
 * What the Linux kernel knows of a connection: TCP_INFO, one system call.
 */
import type { Native } from './native.js'

/**
 * The kernel's view of one connection. The object that a reader gives out is its only one: valid until the next read,
 * so that asking before every reuse allocates nothing.
 */
export interface KernelView {
  /** Neither end has closed. */
  established: boolean
  /** Bytes received that nobody has read yet. */
  unread: number
  /** Keepalive or window probes that wait for an answer. */
  probes: number
  /** Retransmissions of the oldest unacknowledged segment, in a row. */
  retransmits: number
  /** Milliseconds since the last data arrived; since the connection was made, if none ever did. */
  sinceLastData: number
  /** Smoothed round-trip time and its variance, in milliseconds. */
  rtt: number
  rttVariance: number
  /** Payload bytes received in the connection's life. */
  bytesReceived: number
}

const IPPROTO_TCP = 6
const TCP_INFO = 11
const ESTABLISHED = 1

/** Offsets in struct tcp_info (linux/tcp.h); it only ever grows at its end. */
const STATE = 0
const RETRANSMITS = 2
const PROBES = 3
const LAST_DATA_RECEIVED = 52
const RTT_US = 68
const RTT_VARIANCE_US = 72
const BYTES_RECEIVED = 128

/** A kernel that gives less than this (before 4.2) does not count bytes, and is treated as one that cannot be asked. */
const ENOUGH_BYTES = BYTES_RECEIVED + 8

export class TcpInfoReader {
  readonly #native: Native
  readonly #bytes = Buffer.alloc(256)
  readonly #view: KernelView = {
    established: false,
    unread: 0,
    probes: 0,
    retransmits: 0,
    sinceLastData: 0,
    rtt: 0,
    rttVariance: 0,
    bytesReceived: 0,
  }

  constructor(native: Native) {
    this.#native = native
  }

  /**
   * Asks about one descriptor.
   *
   * @param bytesRead bytes that were read from the socket itself, if the caller knows: it saves a second call
   * @returns undefined for what is not a TCP socket, or not open
   */
  read(fd: number, bytesRead: number | undefined): KernelView | undefined {
    const bytes = this.#bytes
    if (fd < 0 || this.#native.getBytes(fd, IPPROTO_TCP, TCP_INFO, bytes) < ENOUGH_BYTES) return undefined
    const view = this.#view
    view.established = bytes[STATE] === ESTABLISHED
    view.retransmits = bytes[RETRANSMITS] as number
    view.probes = bytes[PROBES] as number
    view.sinceLastData = bytes.readUInt32LE(LAST_DATA_RECEIVED)
    view.rtt = bytes.readUInt32LE(RTT_US) / 1000
    view.rttVariance = bytes.readUInt32LE(RTT_VARIANCE_US) / 1000
    view.bytesReceived = bytes.readUInt32LE(BYTES_RECEIVED) + bytes.readUInt32LE(BYTES_RECEIVED + 4) * 2 ** 32
    view.unread = bytesRead === undefined ? Math.max(0, this.#native.unread(fd)) : view.bytesReceived - bytesRead
    return view
  }
}
