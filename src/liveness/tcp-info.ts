/**
 * What the Linux kernel knows of a connection: TCP_INFO, one system call.
 */
import type { Native } from './native.js'
import { IPPROTO_TCP, TCP_INFO } from './socket-options.js'
import type { Signs } from './vital-signs.js'

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
  /** Bytes received in the connection's life. */
  bytesReceived: number
}

/** What became of what was sent and who has ended: read at a connection's end, so each reading is a new object. */
export interface KernelTally {
  /** Nothing will come or go any more: the peer has reset the connection, or the kernel has given up on it (CLOSE). */
  readonly closed: boolean
  /** Bytes received in the connection's life. The peer's FIN counts as one, as it does among TCP's sequence numbers. */
  readonly bytesReceived: number
  /** Of these, those that nobody has read yet; the FIN is not among them. */
  readonly unread: number
  /** Payload bytes that have left this machine, those that were sent again counted again. */
  readonly bytesSent: number
  /** Payload bytes that the peer's kernel has acknowledged. */
  readonly bytesAcknowledged: number
  /** Milliseconds since data arrived; its FIN is none. */
  readonly sinceLastData: number
  /** Milliseconds since the peer sent anything at all, be it a bare acknowledgement or its FIN. */
  readonly sinceLastHeard: number
  /** Smoothed round-trip time and its variance, in milliseconds. */
  readonly rtt: number
  readonly rttVariance: number
}

/**
 * Whether the peer's FIN is among what was received: it is counted there, and can be neither read nor unread.
 *
 * @param bytesRead what was read from the socket in its life
 */
export function hasFin({ bytesReceived, unread }: KernelTally, bytesRead: number): boolean {
  return bytesReceived - unread - bytesRead === 1
}

const ESTABLISHED = 1
const CLOSE = 7

/** Offsets in struct tcp_info (linux/tcp.h); it only ever grows at its end. */
const STATE = 0
const RETRANSMITS = 2
const PROBES = 3
const UNACKNOWLEDGED = 24
const LAST_DATA_RECEIVED = 52
const LAST_ACK_RECEIVED = 56
const RTT_US = 68
const RTT_VARIANCE_US = 72
const BYTES_ACKNOWLEDGED = 120
const BYTES_RECEIVED = 128
const BYTES_SENT = 200
const SEND_WINDOW = 228

/** A kernel that gives less than this (before 4.19) does not count all bytes, and is treated as one that cannot be asked. */
const ENOUGH_BYTES = BYTES_SENT + 8

export class TcpInfoReader {
  readonly #native: Native
  readonly #bytes = Buffer.alloc(256)
  /** Bytes that the kernel has filled last. */
  #length = 0
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
    if (!this.#fill(fd)) return undefined
    const view = this.#view
    view.established = bytes[STATE] === ESTABLISHED
    view.retransmits = bytes[RETRANSMITS] as number
    view.probes = bytes[PROBES] as number
    view.sinceLastData = bytes.readUInt32LE(LAST_DATA_RECEIVED)
    view.rtt = bytes.readUInt32LE(RTT_US) / 1000
    view.rttVariance = bytes.readUInt32LE(RTT_VARIANCE_US) / 1000
    view.bytesReceived = this.#count(BYTES_RECEIVED)
    view.unread = bytesRead === undefined ? this.#unread(fd) : view.bytesReceived - bytesRead
    return view
  }

  /** Asks about the end of a connection; undefined for what is not a TCP socket, or not open. */
  tally(fd: number): KernelTally | undefined {
    const bytes = this.#bytes
    if (!this.#fill(fd)) return undefined
    return {
      closed: bytes[STATE] === CLOSE,
      bytesReceived: this.#count(BYTES_RECEIVED),
      unread: this.#unread(fd),
      bytesSent: this.#count(BYTES_SENT),
      bytesAcknowledged: this.#count(BYTES_ACKNOWLEDGED) - 1, // the SYN is counted, too
      sinceLastData: bytes.readUInt32LE(LAST_DATA_RECEIVED),
      sinceLastHeard: bytes.readUInt32LE(LAST_ACK_RECEIVED),
      rtt: bytes.readUInt32LE(RTT_US) / 1000,
      rttVariance: bytes.readUInt32LE(RTT_VARIANCE_US) / 1000,
    }
  }

  /** Asks whether the peer is still there; undefined for what is not a TCP socket, or not open. */
  signs(fd: number): Signs | undefined {
    const bytes = this.#bytes
    if (!this.#fill(fd)) return undefined
    return {
      // The one counts data, the other everything that acknowledges something anew, or answers a probe.
      silence: Math.min(bytes.readUInt32LE(LAST_DATA_RECEIVED), bytes.readUInt32LE(LAST_ACK_RECEIVED)),
      probes: bytes[PROBES] as number,
      retransmits: bytes[RETRANSMITS] as number,
      unacknowledged: bytes.readUInt32LE(UNACKNOWLEDGED),
      acknowledged: this.#count(BYTES_ACKNOWLEDGED) - 1, // the SYN is counted, too
      window: this.#length >= SEND_WINDOW + 4 ? bytes.readUInt32LE(SEND_WINDOW) : undefined,
      rtt: bytes.readUInt32LE(RTT_US) / 1000,
      rttVariance: bytes.readUInt32LE(RTT_VARIANCE_US) / 1000,
    }
  }

  #fill(fd: number): boolean {
    this.#length = fd < 0 ? -1 : this.#native.getBytes(fd, IPPROTO_TCP, TCP_INFO, this.#bytes)
    return this.#length >= ENOUGH_BYTES
  }

  #count(offset: number): number {
    return this.#bytes.readUInt32LE(offset) + this.#bytes.readUInt32LE(offset + 4) * 2 ** 32
  }

  #unread(fd: number): number {
    return Math.max(0, this.#native.unread(fd))
  }
}
