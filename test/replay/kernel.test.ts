/** What the argument for a replay stands on: facts of this kernel and of Node's counters, from real sockets. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, type SecureVersion, type TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadNative, type Native } from '../../src/liveness/native.js'
import { hasFin, type KernelTally, TcpInfoReader } from '../../src/liveness/tcp-info.js'
import { until } from '../dispatcher/support.js'
import { NODE_MAJORS, nodeBinary, projectPath } from '../support/nodes.js'
import { describeWith, itWith } from '../support/requirements.js'
import type { Scripts } from '../support/servers/scripted.js'
import type { ScriptedConnection } from '../support/servers/scripted-connection.js'
import { monotonic } from '../support/wire/clock.js'
import { descriptors, TRACK, useTrack } from './race-track.js'

/** One connection, seen from both ends, and by the kernel of the client's. */
interface Line {
  socket: Socket
  /** The other end. */
  peer: ScriptedConnection
  fd: number
  native: Native
  tally: (fd?: number) => KernelTally
  /** What Node has counted on the wire. */
  counted: () => { read: number; written: number }
}

interface Counters {
  readonly fd: number
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly _parent?: Counters
}

const O_CLOEXEC = 0o2000000

const COUNTERS = projectPath('test/support/wire/clients/counters.js')

/** Nothing but what a test has it do: the peer of a socket by hand. */
const byHand: Scripts = [(connection) => connection.closed()]

describeWith(TRACK, 'the kernel', () => {
  const track = useTrack()

  async function line(tls?: SecureVersion): Promise<Line> {
    const server = await track.server(byHand, { tls: tls !== undefined })
    const where = { host: track.wire.server.address, port: server.port, allowHalfOpen: true }
    const versions = tls && { minVersion: tls, maxVersion: tls }
    const socket = tls ? connectTls({ ...where, ...versions, rejectUnauthorized: false }) : connect(where)
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    await once(socket, tls ? 'secureConnect' : 'connect')
    const handle = (socket as unknown as { _handle: Counters })._handle
    const wire = tls === undefined ? handle : handle._parent!
    const native = loadNative().native!
    const reader = new TcpInfoReader(native)
    return {
      socket,
      peer: await server.connection(1),
      fd: handle.fd,
      native,
      tally(fd = handle.fd) {
        const tally = reader.tally(fd)
        if (tally === undefined) throw new Error('The kernel says nothing')
        return tally
      },
      counted: () => ({ read: wire.bytesRead, written: wire.bytesWritten }),
    }
  }

  describe('counts what the peer says', () => {
    it('its FIN as one byte, which can be neither read nor unread', async () => {
      const { peer, tally, counted, socket } = await line()
      await peer.send('12345')
      await until(() => tally().bytesReceived === 5)
      expect(hasFin(tally(), counted().read)).toBe(false)
      await peer.halfClose()
      await until(() => tally().bytesReceived === 6)
      socket.resume()
      await once(socket, 'end')
      expect(counted().read).toBe(5)
      expect(tally()).toMatchObject({ bytesReceived: 6, unread: 0, closed: false })
      expect(hasFin(tally(), counted().read)).toBe(true)
    })

    it('its FIN behind bytes that nobody has read', async () => {
      const { peer, tally, native, fd } = await line()
      // As long as the event loop is blocked, nobody reads.
      await track.wire.hold('toClient')
      await peer.send('12345')
      await peer.halfClose()
      await track.wire.mend()
      const deadline = monotonic() + 2000
      while (tally().bytesReceived < 6 && monotonic() < deadline);
      expect(native.unread(fd)).toBe(5)
      expect(tally()).toMatchObject({ bytesReceived: 6, unread: 5 })
      expect(hasFin(tally(), 0)).toBe(true)
    })

    it('its RST alone as nothing', async () => {
      const { peer, tally, counted, native, fd } = await line()
      const own = native.duplicate(fd)
      onTestFinished(() => native.close(own))
      await peer.send('12345')
      await until(() => counted().read === 5)
      peer.reset()
      await until(() => tally(own).closed)
      expect(tally(own)).toMatchObject({ bytesReceived: 5, unread: 0 })
      expect(hasFin(tally(own), 5)).toBe(false)
    })

    it('its FIN still, after an RST came behind it', async () => {
      const { peer, tally, native, fd, socket } = await line()
      const own = native.duplicate(fd)
      onTestFinished(() => native.close(own))
      peer.destroy()
      await until(() => tally(own).bytesReceived === 1)
      expect(tally(own).closed).toBe(false)
      socket.write('too late')
      await until(() => tally(own).closed)
      expect(tally(own)).toMatchObject({ bytesReceived: 1, bytesSent: 8, bytesAcknowledged: 0 })
      expect(hasFin(tally(own), 0)).toBe(true)
    })
  })

  describe('counts what the peer has acknowledged', () => {
    it('nothing while the acknowledgement is on its way, and all of it when it is there', async () => {
      const { socket, tally, peer } = await line()
      await track.wire.hold('toClient')
      socket.write(Buffer.alloc(1000))
      await until(() => peer.bytesReceived === 1000)
      expect(tally()).toMatchObject({ bytesSent: 1000, bytesAcknowledged: 0 })
      await track.wire.mend()
      await until(() => tally().bytesAcknowledged === 1000)
    })

    it('a FIN of the peer is no acknowledgement of what crossed it', async () => {
      const { socket, tally, peer } = await line()
      socket.write('first')
      await until(() => tally().bytesAcknowledged === 5)
      await track.wire.hold('toServer')
      socket.write('second')
      await peer.halfClose()
      await until(() => tally().bytesReceived === 1)
      expect(tally()).toMatchObject({ bytesSent: 11, bytesAcknowledged: 5 })
    })

    it('nor is an RST, even of a peer that had received it all', async () => {
      const { socket, tally, peer, native, fd } = await line()
      const own = native.duplicate(fd)
      onTestFinished(() => native.close(own))
      await track.wire.hold('toClient')
      socket.write('received')
      await until(() => peer.bytesReceived === 8)
      peer.reset()
      // What was only an acknowledgement is lost: Linux ignores the one that an RST carries.
      await track.wire.cut('toClient')
      await track.wire.mend('toClient')
      const { bytesAcknowledged } = tally(own)
      expect(bytesAcknowledged).toBe(0)
    })

    it('what was sent twice as sent twice, and acknowledged once', async () => {
      const { socket, tally, peer } = await line()
      await track.wire.drop('data', { direction: 'toServer', count: 1 })
      socket.write('lost and sent again')
      await until(() => peer.bytesReceived === 19)
      await until(() => tally().bytesAcknowledged === 19)
      expect(tally().bytesSent).toBe(38)
    })

    it('not what has not left yet', async () => {
      const { socket, tally } = await line()
      await track.wire.hold('toClient')
      socket.write(Buffer.alloc(200_000))
      await until(() => tally().bytesSent > 0)
      expect(tally().bytesSent).toBeLessThan(50_000)
      expect(tally().bytesAcknowledged).toBe(0)
    })
  })

  describe('keeps a socket for a second descriptor', () => {
    it('when the first one is closed: nothing is said to the peer, and its RST is still seen', async () => {
      const { socket, tally, native, fd, peer } = await line()
      const before = descriptors()
      const own = native.duplicate(fd)
      expect(descriptors()).toBe(before + 1)
      await track.wire.hold('toServer')
      socket.write('on its way')
      peer.destroy()
      await until(() => tally(own).bytesReceived === 1)
      const start = monotonic()
      socket.destroy()
      await once(socket, 'close')
      await sleep(20)
      expect(tally(own)).toMatchObject({ closed: false, bytesAcknowledged: 0, bytesSent: 10 })
      const { toServer } = await track.wire.trace(start)
      expect(toServer.filter(({ flags }) => /[FR]/.test(flags))).toEqual([])
      await track.wire.mend()
      await until(() => tally(own).closed)
      expect(tally(own)).toMatchObject({ bytesReceived: 1, bytesAcknowledged: 0 })
      native.close(own)
      expect(() => tally(own)).toThrow('The kernel says nothing')
    })

    it('which children of this process do not inherit', async () => {
      const { native, fd } = await line()
      const own = native.duplicate(fd)
      onTestFinished(() => native.close(own))
      const [, flags] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${own}`, 'latin1'))!
      expect(Number.parseInt(flags!, 8) & O_CLOEXEC).toBe(O_CLOEXEC)
    })

    it('and lets it go with the last of them', async () => {
      const { socket, native, fd, peer } = await line()
      const own = native.duplicate(fd)
      socket.destroy()
      await once(socket, 'close')
      await sleep(20)
      expect(peer.clientEnded).toBe(false)
      native.close(own)
      await until(() => peer.clientEnded)
    })
  })

  it.each([0, 40])('dates the FIN, however late one asks (%i ms)', async (late) => {
    const { tally, peer } = await line()
    const start = monotonic()
    await peer.halfClose()
    await until(() => tally().bytesReceived === 1)
    await sleep(late)
    const { at } = await track.entered('toClient', start, ({ flags }) => flags.includes('F'))
    const age = tally().sinceLastHeard
    // It entered the wire a millisecond before it came out; kernels count in ticks of up to 10 ms.
    expect(Math.abs(monotonic() - at - 1 - age)).toBeLessThan(15)
    expect(age).toBeGreaterThanOrEqual(late - 10)
  })

  it('says nothing of what is no socket, or not open', () => {
    const reader = new TcpInfoReader(loadNative().native!)
    expect(reader.tally(0)).toBeUndefined()
    expect(reader.tally(-1)).toBeUndefined()
    expect(reader.tally(999)).toBeUndefined()
  })

  describe('agrees with Node’s counters of a connection', () => {
    it.each([undefined, 'TLSv1.2', 'TLSv1.3'] as const)(
      'after its handshake and after each exchange (%s)',
      async (tls) => {
        const { socket, peer, tally, counted } = await line(tls)
        const agree = (): void => {
          const { bytesSent, bytesReceived, unread } = tally()
          expect(counted()).toEqual({ read: bytesReceived - unread, written: bytesSent })
        }
        agree()
        for (const size of [1, 100, 5000, 70_000]) {
          const received = peer.bytesReceived
          socket.write(Buffer.alloc(size))
          await until(() => peer.bytesReceived === received + size)
          await until(() => tally().bytesSent === tally().bytesAcknowledged)
          agree()
          const answer = once(socket, 'data')
          await peer.send(`${size}`)
          await answer
          agree()
        }
        expect(counted().written).toBeGreaterThanOrEqual(75_101)
        if (tls !== undefined) expect((socket as TLSSocket).getProtocol()).toBe(tls)
      },
    )

    for (const major of NODE_MAJORS)
      itWith(`node${major}`, `on Node ${major}, plain and TLS`, async () => {
        for (const tls of [false, true]) {
          const server = await track.server([echo], { tls })
          const client = await track.wire.client.node(COUNTERS, { node: nodeBinary(major) })
          const start = monotonic()
          const { port, counters } = await client.call('connect', track.wire.server.address, server.port, tls)
          const counts = [counters]
          for (const size of [1, 300, 20_000]) counts.push(await client.call('exchange', size))
          await sleep(10)
          expect(counts.at(-1)).toEqual({
            bytesWritten: await track.payload('toServer', start, port),
            bytesRead: await track.payload('toClient', start, port),
          })
          const wrote = counts.map(({ bytesWritten }: { bytesWritten: number }) => bytesWritten)
          expect(wrote).toEqual([...wrote].sort((one, other) => one - other))
          expect(wrote.at(-1)! - wrote[0]!).toBeGreaterThanOrEqual(20_301)
          await client.stop()
        }
      })

    async function echo(connection: ScriptedConnection): Promise<void> {
      for (const total of [1, 301, 20_301]) {
        await connection.untilReceived(total)
        await connection.send(`${total}`)
      }
    }
  })
})
