import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ConnectError } from '../../src/index.js'
import { testCertificates } from '../support/tls.js'
import { books, get, legacyHandler, quietBooks, send, testPool, testServer, turns, until } from './support.js'

/** The origin of a port that nobody listens on. */
async function deadOrigin(): Promise<string> {
  const { origin, close } = await testServer()
  await close()
  return origin
}

/** A server that accepts and then says nothing. */
async function muteServer(): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket
      .on('error', () => {})
      .on('close', () => sockets.delete(socket))
      .resume()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as { port: number }).port, sockets }
}

describe('a refused connection', () => {
  it('fails the request with its code, and with what the pool knows as the cause', async () => {
    const origin = await deadOrigin()
    const pool = testPool()
    const failure = (await get(pool, origin).catch((error: Error) => error)) as Error
    expect(failure).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1' })
    expect(failure.cause).toBeInstanceOf(ConnectError)
    expect(failure.cause).toMatchObject({
      code: 'ERR_KEEPWISE_CONNECT',
      state: { origin, active: 0, idle: 0, maxConnections: 256 },
    })
    expect((failure.cause as Error).message).toContain(`Could not connect to ${origin}: `)
    expect(books(pool)).toEqual(quietBooks({}))
    expect(pool.stats().dialFailures).toBe(1)
  })

  it.each([1, 2, 256])('settles all who wait, at %i connections', async (maxConnections) => {
    const origin = await deadOrigin()
    const pool = testPool({ maxConnections })
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => get(pool, origin)))
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'ECONNREFUSED', cause: { code: 'ERR_KEEPWISE_CONNECT' } },
      })
    expect(books(pool)).toEqual(quietBooks({}))
  })

  it('settles those who wait for slots of the whole pool, and leaves none taken', async () => {
    const origin = await deadOrigin()
    const { origin: alive } = await testServer()
    const pool = testPool({ maxTotalConnections: 1 })
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 5 }, () => get(pool, origin)),
      ...Array.from({ length: 5 }, () => get(pool, alive)),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual([...Array(5).fill('rejected'), ...Array(5).fill('fulfilled')])
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 5 }))
  })

  it('fails those only who had nothing else to wait for', async () => {
    let goOn!: () => void
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const server = await testServer(async (_, response) => {
      await gate
      response.end('at last')
    })
    const pool = testPool({ maxConnections: 2 })
    const first = get(pool, server.origin)
    await until(() => server.requestCount() === 1)
    // No new connections from now on; the one that is open stays.
    server.server.close()
    const second = get(pool, server.origin)
    const outcome = await Promise.race([second.catch((error) => error), first])
    expect(outcome).toMatchObject({ code: 'ECONNREFUSED' })
    goOn()
    expect(await first).toBe('at last')
    expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, dialing: 0, dialFailures: 1, opened: 1 })
  })

  it('does not stop the next request from trying again', async () => {
    const { origin, close, port } = await testServer()
    await close()
    const pool = testPool()
    await expect(get(pool, origin)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    const again = createServer((socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok'),
    )
    again.listen(port, '127.0.0.1')
    await once(again, 'listening')
    onTestFinished(() => void again.close())
    expect(await get(pool, origin)).toBe('ok')
  })
})

describe('a name that nobody knows', () => {
  it('fails the request with ENOTFOUND', async () => {
    const notFound = Object.assign(new Error('getaddrinfo ENOTFOUND nowhere.test'), {
      code: 'ENOTFOUND',
      syscall: 'getaddrinfo',
      hostname: 'nowhere.test',
    })
    const lookup = (_: string, __: unknown, callback: (error: Error) => void): void =>
      void setImmediate(callback, notFound)
    const pool = testPool({ connect: { lookup: lookup as never } })
    const outcomes = await Promise.allSettled([get(pool, 'http://nowhere.test'), get(pool, 'http://nowhere.test')])
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'ENOTFOUND', hostname: 'nowhere.test', cause: { code: 'ERR_KEEPWISE_CONNECT' } },
      })
    expect(books(pool)).toEqual(quietBooks({}))
  })
})

describe('a connection that takes too long', () => {
  it('to look its name up fails with UND_ERR_CONNECT_TIMEOUT', async () => {
    const pool = testPool({ connect: { timeout: 100, lookup: () => {} } })
    const failed = get(pool, 'http://slow.test')
    await expect(failed).rejects.toMatchObject({
      code: 'UND_ERR_CONNECT_TIMEOUT',
      cause: { code: 'ERR_KEEPWISE_CONNECT' },
    })
    expect(books(pool)).toEqual(quietBooks({}))
    expect(pool.stats().dialFailures).toBe(1)
  })

  it('to shake hands with TLS fails likewise, and its socket is closed', async () => {
    const { port, sockets } = await muteServer()
    const pool = testPool({ connect: { timeout: 100 } })
    await expect(get(pool, `https://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'UND_ERR_CONNECT_TIMEOUT' })
    expect(books(pool)).toEqual(quietBooks({}))
    await until(() => sockets.size === 0)
  })

  it('is given up when the pool is destroyed', async () => {
    const { port, sockets } = await muteServer()
    const pool = testPool()
    const failed = get(pool, `https://127.0.0.1:${port}`)
    failed.catch(() => {})
    await until(() => sockets.size === 1)
    pool.destroy()
    await expect(failed).rejects.toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
    await until(() => sockets.size === 0)
    expect(books(pool)).toEqual(quietBooks({}))
  })
})

describe('a certificate that is not trusted', () => {
  it.each([
    ['of an unknown authority', {}, 'localhost', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['signed by itself', { own: true }, 'localhost', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['for another name', { second: true, trusted: true }, 'localhost', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ] as const)('%s: fails the request with the code of OpenSSL or Node', async (_, how, host, code) => {
    const { ca, untrusted, second, localhost } = testCertificates()
    const identity = 'own' in how ? untrusted : 'second' in how ? second : localhost
    const { port } = await testServer({ tls: true, ...identity })
    const pool = testPool({ connect: 'trusted' in how ? { ca } : {} })
    const failures = await Promise.all(
      [1, 2].map(() => get(pool, `https://${host}:${port}`).catch((error: Error & { code: string }) => error)),
    )
    for (const failure of failures) expect(failure).toMatchObject({ code, cause: { code: 'ERR_KEEPWISE_CONNECT' } })
    await turns()
    expect(books(pool)).toEqual(quietBooks({}))
  })

  it('is trusted with rejectUnauthorized: false', async () => {
    const { port } = await testServer({ tls: true, ...testCertificates().untrusted })
    const pool = testPool({ connect: { rejectUnauthorized: false } })
    expect(await get(pool, `https://localhost:${port}`)).toBe('ok')
  })
})

it('a plain server that is spoken to with TLS, and the other way round, fail with what the peer said', async () => {
  const plain = await testServer()
  const secure = await testServer({ tls: true })
  const pool = testPool({ connect: { ca: testCertificates().ca } })
  await expect(get(pool, plain.origin.replace('http:', 'https:'))).rejects.toMatchObject({
    code: 'ERR_SSL_WRONG_VERSION_NUMBER',
  })
  await expect(get(pool, secure.origin.replace('https:', 'http:'))).rejects.toBeInstanceOf(Error)
  await until(() => pool.stats().pending === 0 && pool.stats().active === 0)
  expect(pool.stats()).toMatchObject({ idle: 0, dialing: 0, waiting: 0 })
})

it('a body that was to be sent is untouched when no connection could be opened', async () => {
  const pool = testPool()
  let touched = false
  async function* body(): AsyncGenerator<string> {
    touched = true
    yield 'x'
  }
  const origin = await deadOrigin()
  await expect(send(pool, origin, { method: 'POST', body: body() as never })).rejects.toMatchObject({
    code: 'ECONNREFUSED',
  })
  expect(touched).toBe(false)
})

it('the handler is told once, and was told how to abort before', async () => {
  const pool = testPool()
  const { handler, told } = legacyHandler()
  pool.dispatcher.dispatch({ origin: await deadOrigin(), path: '/', method: 'GET' }, handler)
  await told.ended
  await turns()
  expect(told.calls).toEqual(['onConnect', 'onError'])
})
