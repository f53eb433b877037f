import { once } from 'node:events'
import type http from 'node:http'
import { Readable, Writable } from 'node:stream'
import { pipeline as pipe } from 'node:stream/promises'
import undici, { type Dispatcher } from 'undici'
import { describe, expect, it } from 'vitest'
import { respond, send as sendBytes } from '../support/servers/script-steps.js'
import { books, quietBooks, testPool, testScripted, testServer, until } from './support.js'

const echo: http.RequestListener = (request, response) => {
  response.setHeader('x-method', request.method!)
  response.setHeader('x-path', request.url!)
  request.pipe(response)
}

describe('undici.request', () => {
  it('sends method, path, query, headers and body through the pool', async () => {
    const { origin } = await testServer(echo)
    const pool = testPool()
    const { statusCode, headers, body } = await undici.request(`${origin}/there?a=1`, {
      dispatcher: pool.dispatcher,
      method: 'PUT',
      headers: { 'content-type': 'text/plain' },
      body: 'some words',
    })
    expect(statusCode).toBe(200)
    expect(headers['x-method']).toBe('PUT')
    expect(headers['x-path']).toBe('/there?a=1')
    expect(await body.text()).toBe('some words')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('adds the query option to the path', async () => {
    const { origin } = await testServer(echo)
    const pool = testPool()
    const { headers, body } = await pool.dispatcher.request({ origin, path: '/q', method: 'GET', query: { b: 'x y' } })
    await body.dump()
    expect(headers['x-path']).toBe('/q?b=x%20y')
  })

  it('gives the response to a callback', async () => {
    const { origin } = await testServer(echo)
    const pool = testPool()
    const data = await new Promise<Dispatcher.ResponseData>((resolve, reject) => {
      pool.dispatcher.request({ origin, path: '/', method: 'GET' }, (error, data) =>
        error ? reject(error) : resolve(data),
      )
    })
    expect(data.statusCode).toBe(200)
    expect(await data.body.text()).toBe('')
  })

  it('gives raw headers when they are asked for', async () => {
    const { origin } = await testScripted([respond({ headers: { 'X-Odd-Case': 'kept' } })])
    const pool = testPool()
    const { headers, body } = await pool.dispatcher.request({
      origin,
      path: '/',
      method: 'GET',
      responseHeaders: 'raw',
    })
    await body.dump()
    expect(headers).toEqual(['content-length', '2', 'X-Odd-Case', 'kept'])
  })
})

describe('undici.stream', () => {
  it('writes the response into what the factory returns, and gives the trailers', async () => {
    const { origin } = await testServer((_, response) => {
      response.writeHead(200, { trailer: 'x-sum' })
      response.write('streamed ')
      response.addTrailers({ 'x-sum': '42' })
      response.end('words')
    })
    const pool = testPool()
    const chunks: Buffer[] = []
    let statusCode = 0
    const { trailers } = await undici.stream(origin, { dispatcher: pool.dispatcher, method: 'GET' }, (data) => {
      statusCode = data.statusCode
      return new Writable({
        write(chunk, _, done) {
          chunks.push(chunk)
          done()
        },
      })
    })
    expect(statusCode).toBe(200)
    expect(Buffer.concat(chunks).toString()).toBe('streamed words')
    expect(trailers).toEqual({ 'x-sum': '42' })
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('fails with the error of a factory that throws, and closes the connection', async () => {
    const { origin } = await testServer((_, response) => void response.end('x'.repeat(200_000)))
    const pool = testPool()
    const failing = undici.stream(origin, { dispatcher: pool.dispatcher, method: 'GET' }, () => {
      throw new Error('no writable today')
    })
    await expect(failing).rejects.toThrow('no writable today')
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
  })
})

describe('undici.pipeline', () => {
  it('is a duplex: what is written is sent, what is received is read', async () => {
    const { origin } = await testServer(echo)
    const pool = testPool()
    const duplex = undici.pipeline(origin, { dispatcher: pool.dispatcher, method: 'POST' }, ({ body }) => body)
    const received: Buffer[] = []
    await pipe(Readable.from(['one ', 'two ', 'three']), duplex, async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) received.push(chunk)
    })
    expect(Buffer.concat(received).toString()).toBe('one two three')
    await until(() => pool.stats().pending === 0)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })
})

describe('undici.upgrade', () => {
  it('hands the socket over, and the pool lets go of it', async () => {
    const { origin, server } = await testServer()
    server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello ')
      socket.pipe(socket)
    })
    const pool = testPool()
    const { headers, socket } = await undici.upgrade(origin, { dispatcher: pool.dispatcher, protocol: 'echo' })
    expect(headers.upgrade).toBe('echo')
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { upgrade: 1 } }))

    const words = readUntil(socket, 'hello there')
    socket.write('there')
    await words

    // Nothing of the pool holds or ends it.
    await pool.close()
    const more = readUntil(socket, 'still here')
    socket.write('still here')
    await more
    socket.destroy()
    await once(socket, 'close')
  })

  it('goes on a connection that has served requests before', async () => {
    const { origin, server, connections } = await testServer()
    server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
      socket.pipe(socket)
    })
    const pool = testPool()
    await (await pool.dispatcher.request({ origin, path: '/', method: 'GET' })).body.dump()
    const { socket } = await undici.upgrade(origin, { dispatcher: pool.dispatcher, protocol: 'echo' })
    const words = readUntil(socket, 'hi')
    socket.write('hi')
    await words
    expect(connections).toHaveLength(1)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 2, closed: { upgrade: 1 } }))
    socket.destroy()
  })

  it('gives its place in the pool to others', async () => {
    const { origin, server, connections } = await testServer()
    server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
    })
    const pool = testPool({ maxConnections: 1 })
    const upgrades = [1, 2].map(() => undici.upgrade(origin, { dispatcher: pool.dispatcher, protocol: 'echo' }))
    const rest = pool.dispatcher.request({ origin, path: '/', method: 'GET' })
    const sockets = (await Promise.all(upgrades)).map(({ socket }) => socket)
    expect(await (await rest).body.text()).toBe('ok')
    expect(connections).toHaveLength(3)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 3, requests: 3, closed: { upgrade: 2 } }))
    for (const socket of sockets) socket.destroy()
  })

  it('fails when the server answers with something else, and closes the connection', async () => {
    const { origin } = await testScripted([respond({ status: 403, reason: 'Forbidden', body: 'no' })])
    const pool = testPool()
    const refused = undici.upgrade(origin, { dispatcher: pool.dispatcher, protocol: 'echo' })
    await expect(refused).rejects.toMatchObject({ code: 'UND_ERR_SOCKET', message: 'bad upgrade' })
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toMatchObject({ idle: 0, pending: 0, opened: 1 })
  })
})

describe('undici.connect', () => {
  it('makes a tunnel, with what came right behind the response', async () => {
    const { origin } = await testScripted([
      sendBytes('HTTP/1.1 200 Connection established\r\n\r\nfirst bytes'),
      async ({ socket }) => {
        socket.once('data', () => {})
        await once(socket, 'close')
      },
    ])
    const pool = testPool()
    const { statusCode, socket } = await undici.connect(origin, {
      dispatcher: pool.dispatcher,
      path: 'elsewhere.test:443',
    } as never)
    expect(statusCode).toBe(200)
    await readUntil(socket, 'first bytes')
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { upgrade: 1 } }))
    socket.destroy()
  })

  it('carries bytes both ways through a real server', async () => {
    const { origin, server } = await testServer()
    server.on('connect', (request: http.IncomingMessage, socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      socket.write(`to ${request.url}: `)
      socket.pipe(socket)
    })
    const pool = testPool()
    const { socket } = await pool.dispatcher.connect({ origin, path: 'elsewhere.test:443' })
    const words = readUntil(socket, 'to elsewhere.test:443: hello')
    socket.write('hello')
    await words
    socket.destroy()
  })
})

/** Reads until exactly this text has come. */
async function readUntil(socket: Readable, text: string): Promise<void> {
  let read = ''
  const take = (chunk: Buffer): void => void (read += chunk)
  socket.on('data', take)
  await until(() => read.length >= text.length)
  socket.off('data', take)
  expect(read).toBe(text)
}
