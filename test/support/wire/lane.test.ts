import { describe, expect, it } from 'vitest'
import { Lane } from './lane.js'
import { concerns, KINDS, summarize } from './packets.js'

const SYN = 2
const FIN_ACK = 0x11
const RST = 4
const PUSH_ACK = 0x18
const ACK = 0x10

const USUAL = { from: [10, 0, 0, 1], to: [10, 0, 0, 2], port: 80 }

/** An IPv4 packet of TCP with these flags and so much payload. */
function tcp(flags: number, payload = 0, between = USUAL): Buffer {
  const packet = Buffer.alloc(40 + payload)
  packet[0] = 0x45
  packet.writeUInt16BE(packet.length, 2)
  packet[9] = 6
  packet.set(between.from, 12)
  packet.set(between.to, 16)
  packet.writeUInt16BE(50_000, 20)
  packet.writeUInt16BE(between.port, 22)
  packet.writeUInt32BE(1000, 24)
  packet.writeUInt32BE(0xffff_ffff, 28)
  packet[32] = 5 << 4
  packet[33] = flags
  packet.writeUInt16BE(513, 34)
  return packet
}

/** Everything that leaves at `now`. */
function leaving(lane: Lane, now: number): Buffer[] {
  const packets: Buffer[] = []
  for (let packet = lane.leave(now); packet; packet = lane.leave(now)) packets.push(packet)
  return packets
}

describe('a lane', () => {
  it('delivers after its delay, not before, and says when', () => {
    const lane = new Lane()
    lane.delay = 20
    const packet = tcp(SYN)
    lane.enter(packet, 100)
    expect(lane.nextDue).toBe(120)
    expect(leaving(lane, 119.9)).toEqual([])
    expect(leaving(lane, 120)).toEqual([packet])
    expect(lane.nextDue).toBe(Number.POSITIVE_INFINITY)
    expect(lane.counts()).toEqual({ passed: 1, dropped: 0, late: 0, latest: 0 })
  })

  it('keeps the order when the delay gets shorter', () => {
    const lane = new Lane()
    lane.delay = 20
    const [first, second] = [tcp(ACK), tcp(SYN)]
    lane.enter(first, 0)
    lane.delay = 5
    lane.enter(second, 1)
    expect(leaving(lane, 10)).toEqual([])
    expect(leaving(lane, 20)).toEqual([first, second])
  })

  it('counts by how much packets left late', () => {
    const lane = new Lane()
    lane.enter(tcp(ACK), 0)
    lane.enter(tcp(ACK), 0)
    lane.leave(1)
    lane.leave(3)
    expect(lane.counts()).toEqual({ passed: 2, dropped: 0, late: 2, latest: 3 })
  })

  it('loses what is in it when it is cut, and what enters until it is mended', () => {
    const lane = new Lane()
    lane.delay = 10
    lane.enter(tcp(ACK), 0)
    lane.cut()
    lane.enter(tcp(ACK), 1)
    lane.mend()
    const packet = tcp(SYN)
    lane.enter(packet, 2)
    expect(leaving(lane, 100)).toEqual([packet])
    expect(lane.counts()).toMatchObject({ passed: 1, dropped: 2 })
    expect(lane.trace(0).map(({ lost }) => lost)).toEqual([true, true, false])
  })

  it('loses of some ports or addresses only what concerns them', () => {
    const lane = new Lane()
    lane.delay = 10
    const elsewhere = tcp(ACK, 0, { ...USUAL, port: 443 })
    const other = tcp(ACK, 0, { ...USUAL, to: [10, 0, 0, 3] })
    for (const packet of [tcp(ACK), elsewhere, other]) lane.enter(packet, 0)
    lane.cut({ ports: [80], addresses: ['10.0.0.2'] })
    expect(leaving(lane, 10)).toEqual([elsewhere, other])
    lane.cut({ addresses: ['10.0.0.3'] })
    for (const packet of [tcp(ACK), elsewhere, other]) lane.enter(packet, 20)
    expect(leaving(lane, 30)).toEqual([elsewhere])
  })

  it('is mended at one place while it stays cut at another', () => {
    const lane = new Lane()
    lane.cut({ ports: [80] })
    lane.cut({ ports: [443] })
    lane.mend({ ports: [80] })
    const packet = tcp(ACK)
    for (const each of [packet, tcp(ACK, 0, { ...USUAL, port: 443 })]) lane.enter(each, 0)
    expect(leaving(lane, 0)).toEqual([packet])
    expect(() => lane.mend({ ports: [80] })).toThrow('Nothing is cut at {"ports":[80]}')
    lane.mend()
    lane.enter(tcp(ACK, 0, { ...USUAL, port: 443 }), 1)
    expect(leaving(lane, 1)).toHaveLength(1)
  })

  it('holds everything until it is mended, and loses nothing', () => {
    const lane = new Lane()
    lane.hold()
    const packets = [tcp(SYN), tcp(ACK)]
    for (const packet of packets) lane.enter(packet, 0)
    expect(lane.nextDue).toBe(Number.POSITIVE_INFINITY)
    expect(leaving(lane, 100)).toEqual([])
    lane.mend()
    expect(leaving(lane, 100)).toEqual(packets)
  })

  it('drops so many of a kind, and traces what it lost', () => {
    const lane = new Lane()
    lane.drop('rst', 1)
    const [lost, passed] = [tcp(RST), tcp(RST)]
    lane.enter(tcp(ACK), 1)
    lane.enter(lost, 2)
    lane.enter(passed, 3)
    expect(leaving(lane, 3)).toHaveLength(2)
    expect(lane.trace(2)).toMatchObject([
      { at: 2, flags: 'R', lost: true },
      { at: 3, flags: 'R', lost: false },
    ])
  })
})

describe('a trace', () => {
  it('remembers the last 20 000 packets, in order', () => {
    const lane = new Lane()
    for (let at = 0; at < 20_003; at++) lane.enter(tcp(ACK), at)
    const times = lane.trace(0).map(({ at }) => at)
    expect(times).toEqual(Array.from({ length: 20_000 }, (_, index) => index + 3))
  })
})

describe('summarize', () => {
  it('reads addresses, ports, flags, numbers, payload and window', () => {
    expect(summarize(tcp(PUSH_ACK, 7))).toEqual({
      length: 47,
      source: '10.0.0.1',
      target: '10.0.0.2',
      sourcePort: 50_000,
      targetPort: 80,
      flags: 'PA',
      sequence: 1000,
      acknowledgement: 0xffff_ffff,
      payload: 7,
      window: 513,
    })
  })

  it('says nothing of what is not TCP over IPv4, or cut short', () => {
    const udp = tcp(ACK)
    udp[9] = 17
    for (const packet of [udp, Buffer.alloc(60, 0x60), tcp(ACK).subarray(0, 30)]) {
      expect(summarize(packet)).toMatchObject({ length: packet.length, source: '', flags: '', payload: 0 })
    }
  })

  it('tells the kinds of packets', () => {
    const kindsOf = (packet: Buffer) => Object.keys(KINDS).filter((kind) => KINDS[kind as 'all'](summarize(packet)))
    expect(kindsOf(tcp(SYN))).toEqual(['all', 'syn'])
    expect(kindsOf(tcp(FIN_ACK))).toEqual(['all', 'fin'])
    expect(kindsOf(tcp(RST | ACK))).toEqual(['all', 'rst'])
    expect(kindsOf(tcp(PUSH_ACK, 1))).toEqual(['all', 'data'])
    expect(kindsOf(tcp(FIN_ACK, 1))).toEqual(['all', 'fin', 'data'])
    expect(kindsOf(tcp(ACK))).toEqual(['all', 'ack'])
  })
})

describe('concerns', () => {
  it('tells whether a packet comes from or goes to a place', () => {
    const packet = summarize(tcp(ACK))
    const connection = { ports: [80], clientPorts: [50_000] }
    for (const place of [{}, { ports: [1, 80] }, { ports: [50_000] }, { addresses: ['10.0.0.1'] }, connection])
      expect(concerns(place, packet)).toBe(true)
    const others = [
      { ports: [80], addresses: ['10.0.0.3'] },
      { ports: [80], clientPorts: [50_001] },
    ]
    for (const place of [{ ports: [] }, { ports: [81] }, ...others]) expect(concerns(place, packet)).toBe(false)
  })
})
