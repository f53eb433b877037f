import { describe, expect, it } from 'vitest'
import type { Native } from '../../src/liveness/native.js'
import { hasFin, type KernelTally, TcpInfoReader } from '../../src/liveness/tcp-info.js'

/** A kernel that answers with these bytes, and so many unread. */
function kernel(bytes: Buffer, { unread = 0, length = bytes.length } = {}): Native & { asked: number[][] } {
  const asked: number[][] = []
  return {
    asked,
    version: 'fake',
    getBytes(fd, level, name, target) {
      asked.push([fd, level, name])
      bytes.copy(target)
      return length
    },
    getInt: () => -1,
    setInt: () => -1,
    unread: () => unread,
    duplicate: () => -1,
    close() {},
  }
}

/** struct tcp_info as linux/tcp.h lays it out. */
function tcpInfo({
  state = 1,
  retransmits = 0,
  probes = 0,
  lastData = 0,
  lastAck = 0,
  rtt = 0,
  variance = 0,
  acknowledged = 1n,
  received = 0n,
  sent = 0n,
} = {}): Buffer {
  const bytes = Buffer.alloc(232, 0xee)
  bytes[0] = state
  bytes[2] = retransmits
  bytes[3] = probes
  bytes.writeUInt32LE(lastData, 52)
  bytes.writeUInt32LE(lastAck, 56)
  bytes.writeUInt32LE(rtt, 68)
  bytes.writeUInt32LE(variance, 72)
  bytes.writeBigUInt64LE(acknowledged, 120)
  bytes.writeBigUInt64LE(received, 128)
  bytes.writeBigUInt64LE(sent, 200)
  return bytes
}

describe('TCP_INFO', () => {
  it('is read as milliseconds and bytes', () => {
    const bytes = tcpInfo({ lastData: 4_950, rtt: 40_250, variance: 1_500, received: 5n * 2n ** 32n + 7n })
    const native = kernel(bytes, { unread: 3 })
    expect(new TcpInfoReader(native).read(17, undefined)).toEqual({
      established: true,
      unread: 3,
      probes: 0,
      retransmits: 0,
      sinceLastData: 4_950,
      rtt: 40.25,
      rttVariance: 1.5,
      bytesReceived: 5 * 2 ** 32 + 7,
    })
    expect(native.asked).toEqual([[17, 6, 11]])
  })

  it.each([
    [1, true],
    [2, false],
    [4, false],
    [7, false],
    [8, false],
    [9, false],
  ])('in state %i is established: %s', (state, established) => {
    expect(new TcpInfoReader(kernel(tcpInfo({ state }))).read(3, 0)).toMatchObject({ established })
  })

  it('tells of probes and of what is sent again', () => {
    const view = new TcpInfoReader(kernel(tcpInfo({ probes: 2, retransmits: 5 }))).read(3, 0)
    expect(view).toMatchObject({ probes: 2, retransmits: 5 })
  })

  it('counts as unread what came and was not read, without a second call where that is known', () => {
    const native = kernel(tcpInfo({ received: 120n }), { unread: 999 })
    expect(new TcpInfoReader(native).read(3, 100)?.unread).toBe(20)
    expect(new TcpInfoReader(native).read(3, 120)?.unread).toBe(0)
  })

  it('says nothing unread where that cannot be asked', () => {
    expect(new TcpInfoReader(kernel(tcpInfo(), { unread: -1 })).read(3, undefined)?.unread).toBe(0)
  })

  it('says nothing of what has no descriptor, is no TCP socket, or comes from a kernel that does not count bytes', () => {
    expect(new TcpInfoReader(kernel(tcpInfo())).read(-1, 0)).toBeUndefined()
    expect(new TcpInfoReader(kernel(tcpInfo(), { length: -1 })).read(3, 0)).toBeUndefined()
    // As older kernels have it: without any counts of bytes, and without the bytes sent.
    for (const length of [104, 136, 200, 207]) {
      expect(new TcpInfoReader(kernel(tcpInfo(), { length })).read(3, 0)).toBeUndefined()
      expect(new TcpInfoReader(kernel(tcpInfo(), { length })).tally(3)).toBeUndefined()
    }
    expect(new TcpInfoReader(kernel(tcpInfo(), { length: 208 })).read(3, 0)).toBeDefined()
    expect(new TcpInfoReader(kernel(tcpInfo(), { length: 208 })).tally(3)).toBeDefined()
  })

  it('gives out one object, anew with each answer', () => {
    const reader = new TcpInfoReader(kernel(tcpInfo({ lastData: 5 })))
    expect(reader.read(3, 0)).toBe(reader.read(4, 0))
  })
})

describe("a connection's account at its end", () => {
  it('is in bytes and milliseconds, without the SYN', () => {
    const bytes = tcpInfo({
      ...{ state: 8, rtt: 40_250, variance: 1_500, lastData: 9_000, lastAck: 12 },
      ...{ received: 2n ** 33n + 121n, acknowledged: 2n ** 32n + 501n, sent: 2n ** 32n + 900n },
    })
    const native = kernel(bytes, { unread: 20 })
    expect(new TcpInfoReader(native).tally(17)).toEqual({
      closed: false,
      bytesReceived: 2 ** 33 + 121,
      unread: 20,
      bytesSent: 2 ** 32 + 900,
      bytesAcknowledged: 2 ** 32 + 500,
      sinceLastData: 9_000,
      sinceLastHeard: 12,
      rtt: 40.25,
      rttVariance: 1.5,
    })
    expect(native.asked).toEqual([[17, 6, 11]])
  })

  it.each([
    [1, false],
    [4, false],
    [7, true],
    [8, false],
    [9, false],
  ])('in state %i is closed for good: %s', (state, closed) => {
    expect(new TcpInfoReader(kernel(tcpInfo({ state }))).tally(3)).toMatchObject({ closed })
  })

  it('says nothing unread where that cannot be asked', () => {
    expect(new TcpInfoReader(kernel(tcpInfo(), { unread: -1 })).tally(3)?.unread).toBe(0)
  })

  it('says nothing of what has no descriptor or is no TCP socket', () => {
    const native = kernel(tcpInfo())
    expect(new TcpInfoReader(native).tally(-1)).toBeUndefined()
    expect(native.asked).toEqual([])
    expect(new TcpInfoReader(kernel(tcpInfo(), { length: -1 })).tally(3)).toBeUndefined()
  })

  it('is a new one each time: two can be compared', () => {
    const reader = new TcpInfoReader(kernel(tcpInfo({ sent: 5n })))
    const first = reader.tally(3)
    const second = reader.tally(3)
    expect(first).toEqual(second)
    expect(first).not.toBe(second)
  })

  it.each([
    ['all was read, and no FIN came', { bytesReceived: 100, unread: 0 }, 100, false],
    ['all was read, and the FIN came', { bytesReceived: 101, unread: 0 }, 100, true],
    ['30 are unread, and no FIN came', { bytesReceived: 100, unread: 30 }, 70, false],
    ['30 are unread, and the FIN is behind them', { bytesReceived: 101, unread: 30 }, 70, true],
    ['nothing came but the FIN', { bytesReceived: 1, unread: 0 }, 0, true],
    ['one byte came and nobody counted it', { bytesReceived: 1, unread: 1 }, 0, false],
    ['it is not known how many were read', { bytesReceived: 101, unread: 0 }, Number.NaN, false],
  ])('has a FIN, or not: %s', (_, counts, bytesRead, fin) => {
    const tally = new TcpInfoReader(kernel(tcpInfo())).tally(3) as KernelTally
    expect(hasFin({ ...tally, ...counts }, bytesRead)).toBe(fin)
  })
})
