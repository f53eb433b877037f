/** What a link sees to itself on a real socket, whoever has connected it, and what it knows where the kernel says nothing. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/clock.js'
import { loadNative, type Native } from '../../src/liveness/native.js'
import { planOf } from '../../src/liveness/presets.js'
import { TcpInfoReader } from '../../src/liveness/tcp-info.js'
import type { Evidence } from '../../src/replay/verdict.js'
import type { LinkEnding } from '../../src/wire/link.js'
import { SocketLink } from '../../src/wire/socket-link.js'
import { itWith } from '../support/requirements.js'

/** A kernel that knows no socket. */
const silent: Native = {
  version: 'fake',
  getBytes: () => -1,
  getInt: () => -1,
  setInt: () => -1,
  unread: () => -1,
  duplicate: () => -1,
  close: () => {},
}

const askingNobody = { plan: { kind: 'off' }, clock: systemClock, native: undefined, tcpInfo: undefined } as const

/** A socket that only we have touched: it has no listener of a connector. */
async function connected(): Promise<Socket> {
  const server = createServer((socket) => void socket.on('error', () => {}).resume())
  onTestFinished(() => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const socket = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  await once(socket, 'connect')
  onTestFinished(() => void socket.destroy())
  return socket
}

it('hears an error that nobody else listens to, and tells its owner when the socket has closed', async () => {
  const socket = await connected()
  expect(socket.listenerCount('error')).toBe(0)
  const link = new SocketLink(socket, askingNobody)
  const endings: LinkEnding[] = []
  link.owner = { linkEnded: (ending) => void endings.push(ending) }
  const error = new Error('from elsewhere')
  socket.destroy(error)
  expect(endings).toEqual([])
  // Not `once`: it would listen to errors as well.
  await new Promise((resolve) => socket.on('close', resolve))
  expect(endings).toEqual([{ error, fin: false, finAge: undefined, silence: undefined }])
})

const TCP = 6
/** Ti and Td in seconds, and Nm, as the kernel has them. */
const TRIPLE = [4, 5, 6]

for (const option of ['system', { idle: 40_000, interval: 7_000, probes: 4 }] as const)
  itWith(['linux', 'koffi'], `has its peer asked at once, and then as usual: ${JSON.stringify(option)}`, async () => {
    const native = loadNative().native as Native
    const socket = await connected()
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
    const triple = () => TRIPLE.map((name) => native.getInt(fd, TCP, name))
    const tools = { plan: planOf(option), clock: systemClock, native, tcpInfo: new TcpInfoReader(native) }
    const link = new SocketLink(socket, tools)
    const usual = triple()
    expect(usual.map((value, index) => (index < 2 ? value * 1000 : value))).toEqual([
      link.liveness.idle,
      link.liveness.interval,
      link.liveness.probes,
    ])
    expect(link.ask()).toBe(true)
    expect(triple()[0]).toBe(1)
    // Somebody else has a say, too.
    socket.setKeepAlive(true, 3_000)
    link.askAsUsual()
    expect(triple()).toEqual(usual)
    expect(link.signs()).toMatchObject({ probes: 0, retransmits: 0, unacknowledged: 0 })
    socket.destroy()
    expect([link.ask(), link.signs()]).toEqual([false, undefined])
  })

it('leaves nothing on a socket that it lets go', async () => {
  const socket = await connected()
  const before = ['error', 'close', 'readable'].map((name) => socket.listeners(name))
  const link = new SocketLink(socket, askingNobody)
  link.park()
  link.unpark()
  expect(socket.listenerCount('error')).toBe(1)
  link.letGo()
  expect(['error', 'close', 'readable'].map((name) => socket.listeners(name))).toEqual(before)
  expect(Object.hasOwn(socket, '_destroy')).toBe(false)
})

it.each([
  ['cannot be asked', {}],
  ['says nothing', { native: silent, tcpInfo: new TcpInfoReader(silent) }],
])('knows of a request only what Node has counted where the kernel %s', async (_, tools) => {
  const socket = await connected()
  const link = new SocketLink(socket, { ...askingNobody, ...tools })
  link.owner = { linkEnded: () => {} }
  expect(link.provable).toBe(false)
  socket.write('before')
  link.beginRequest()
  socket.write('request')
  socket.destroy()
  const told: Evidence[] = []
  link.inquire(true, (evidence) => told.push(evidence))
  const unknown = { sent: undefined, acknowledged: undefined, fin: false, reset: false }
  expect(told).toEqual([{ ...unknown, written: 7, requestTimeout: false, watched: 0 }])
})
