import { describe, expect, it } from 'vitest'
import type { Native } from '../../src/liveness/native.js'
import { TcpInfoReader } from '../../src/liveness/tcp-info.js'

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
  }
}

/** struct tcp_info as linux/tcp.h lays it out. */
function tcpInfo({
  state = 1,
  retransmits = 0,
  probes = 0,
  lastData = 0,
  rtt = 0,
  variance = 0,
  received = 0n,
} = {}): Buffer {
  const bytes = Buffer.alloc(232, 0xee)
  bytes[0] = state
  bytes[2] = retransmits
  bytes[3] = probes
  bytes.writeUInt32LE(lastData, 52)
  bytes.writeUInt32LE(rtt, 68)
  bytes.writeUInt32LE(variance, 72)
  bytes.writeBigUInt64LE(received, 128)
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
    expect(new TcpInfoReader(kernel(tcpInfo(), { length: 104 })).read(3, 0)).toBeUndefined()
    expect(new TcpInfoReader(kernel(tcpInfo(), { length: 136 })).read(3, 0)).toBeDefined()
  })

  it('gives out one object, anew with each answer', () => {
    const reader = new TcpInfoReader(kernel(tcpInfo({ lastData: 5 })))
    expect(reader.read(3, 0)).toBe(reader.read(4, 0))
  })
})
