import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { EventSource, WebSocket } from 'undici'
import { expect, it, onTestFinished } from 'vitest'
import { books, get, quietBooks, testPool, testServer, until } from './support.js'

/** As much of a WebSocket server as an echo of short texts takes (RFC 6455). */
async function echoServer() {
  const running = await testServer()
  running.server.on('upgrade', (request, socket: Socket) => {
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n' +
        `sec-websocket-accept: ${createHash('sha1').update(key).digest('base64')}\r\n\r\n`,
    )
    socket.on('data', (frame: Buffer) => {
      const length = frame[1]! & 0x7f
      const mask = frame.subarray(2, 6)
      const payload = frame.subarray(6, 6 + length).map((byte, index) => byte ^ mask[index % 4]!)
      socket.write(Buffer.concat([Buffer.from([frame[0]!, length]), payload]))
      if ((frame[0]! & 0x0f) === 8) socket.end()
    })
  })
  return running
}

it('a WebSocket goes through the pool, which lets go of its connection', async () => {
  const { origin, openConnections } = await echoServer()
  const pool = testPool()
  const socket = new WebSocket(origin.replace('http:', 'ws:'), { dispatcher: pool.dispatcher })
  onTestFinished(() => socket.close())
  await once(socket as never, 'open')
  expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { upgrade: 1 } }))
  for (const text of ['hello', 'again']) {
    const message = once(socket as never, 'message')
    socket.send(text)
    expect((await message)[0].data).toBe(text)
  }
  socket.close()
  await once(socket as never, 'close')
  await until(() => openConnections() === 0)
  expect(await get(pool, origin)).toBe('ok')
})

it('a WebSocket to a server that wants none fails, and costs the pool nothing', async () => {
  const { origin } = await testServer((_, response) => void response.writeHead(403).end('no'))
  const pool = testPool()
  const socket = new WebSocket(origin.replace('http:', 'ws:'), { dispatcher: pool.dispatcher })
  await once(socket as never, 'close')
  await until(() => pool.stats().pending === 0 && pool.stats().active === 0)
  expect(pool.stats()).toMatchObject({ waiting: 0, dialing: 0, opened: 1, requests: 1 })
})

it('an EventSource goes through the pool', async () => {
  const { origin } = await testServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: first\n\n')
  })
  const pool = testPool()
  const source = new EventSource(origin, { dispatcher: pool.dispatcher } as never)
  onTestFinished(() => source.close())
  const [message] = await once(source as never, 'message')
  expect(message.data).toBe('first')
  expect(books(pool)).toEqual(quietBooks({ active: 1, opened: 1, requests: 1, pending: 1 }))
  source.close()
  await until(() => pool.stats().active === 0)
  expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
})
