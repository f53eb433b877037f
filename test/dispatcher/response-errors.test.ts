import { setTimeout as sleep } from 'node:timers/promises'
import { errors } from 'undici'
import { describe, expect, it } from 'vitest'
import { ConnectionError } from '../../src/index.js'
import { close, request, reset, respond, send as sendBytes, silence, wait } from '../support/servers/script-steps.js'
import { inOrder } from '../support/servers/scripted.js'
import { books, get, quietBooks, send, testPool, testScripted, testServer, until } from './support.js'

describe('a malformed response', () => {
  it.each<[string, string, boolean?]>([
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a status line without a status', 'HTTP/1.1 \r\n\r\n'],
    ['a header line without a name', 'HTTP/1.1 200 OK\r\n: nameless\r\n\r\n'],
    ['a length that is no number', 'HTTP/1.1 200 OK\r\ncontent-length: some\r\n\r\n'],
    ['a length of 2 and one of 3', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nokay', true],
    ['a length and chunks', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n', true],
    ['a chunk size that is no number', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
  ])('%s: is an error, and the connection is closed', async (_, bytes, lengthIsWrong) => {
    const { origin } = await testScripted([request(), sendBytes(bytes)])
    const pool = testPool()
    const failure = await send(pool, origin).then(
      () => undefined,
      (error: Error) => error,
    )
    expect(failure).toBeInstanceOf(lengthIsWrong ? errors.ResponseContentLengthMismatchError : errors.HTTPParserError)
    expect(failure?.cause).toBeInstanceOf(ConnectionError)
    expect(failure?.cause).toMatchObject({ connection: { origin, requests: 1 } })
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { error: 1 } }))
  })

  it('costs nobody else anything', async () => {
    const { origin } = await testScripted(inOrder([request(), sendBytes('nonsense')], [request(), respond()]))
    const pool = testPool({ maxConnections: 1 })
    const [broken, fine] = await Promise.allSettled([get(pool, origin), get(pool, origin)])
    expect(broken.status).toBe('rejected')
    expect(fine).toMatchObject({ status: 'fulfilled', value: 'ok' })
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 2, requests: 2, closed: { error: 1 } }))
  })
})

describe('a server that goes away', () => {
  it('under the first request of a connection: the request fails, with all that is known', async () => {
    const { origin, port } = await testScripted([request(), close()])
    const pool = testPool()
    const failure = (await get(pool, origin).catch((error: Error) => error)) as Error
    expect(failure).toMatchObject({ code: 'UND_ERR_SOCKET', message: 'other side closed' })
    expect(failure.cause).toMatchObject({
      code: 'ERR_KEEPWISE_CONNECTION',
      connection: { id: 1, origin, remoteAddress: '127.0.0.1', remotePort: port, requests: 1, idle: 0 },
      message: expect.stringContaining(
        `Connection 1 to ${origin} (127.0.0.1:${port}) failed under its request number 1`,
      ),
    })
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { 'server-fin': 1 } }))
  })

  it('by a reset: the request fails with ECONNRESET', async () => {
    const { origin } = await testScripted([request(), reset()])
    const pool = testPool()
    await expect(get(pool, origin)).rejects.toMatchObject({
      code: 'ECONNRESET',
      cause: { code: 'ERR_KEEPWISE_CONNECTION' },
    })
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { reset: 1 } }))
  })

  it.each([
    ['closes', close(), 'UND_ERR_SOCKET', 'server-fin'],
    ['resets', reset(), undefined, undefined],
  ] as const)(
    'at once after it accepted (%s): the request fails, and does not try for ever',
    async (_, step, code, reason) => {
      const { origin, connections } = await testScripted([step])
      const pool = testPool()
      const failure = await get(pool, origin).catch((error: Error) => error)
      expect(failure).toBeInstanceOf(Error)
      if (code !== undefined) expect(failure).toMatchObject({ code })
      await until(() => pool.stats().pending === 0 && pool.stats().active === 0)
      expect(connections.length).toBeLessThanOrEqual(1)
      const { closed, opened, ...rest } = books(pool)
      expect(Object.values(closed).reduce((sum, count) => sum + count, 0)).toBe(opened)
      if (reason !== undefined) expect(closed).toEqual({ [reason]: 1 })
      expect(rest).toMatchObject({ active: 0, idle: 0, dialing: 0, waiting: 0, pending: 0 })
    },
  )

  it('while its connection is idle: the connection leaves the pool, and nobody notices', async () => {
    const { origin } = await testScripted(
      inOrder([request(), respond(), wait(10), close()], [request(), respond({ body: 'second' })]),
    )
    const pool = testPool()
    await get(pool, origin)
    await until(() => pool.stats().idle === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { 'server-fin': 1 } }))
    expect(await get(pool, origin)).toBe('second')
  })

  it('by a reset while its connection is idle: the same', async () => {
    const { origin } = await testScripted(
      inOrder([request(), respond(), wait(10), reset()], [request(), respond({ body: 'second' })]),
    )
    const pool = testPool()
    await get(pool, origin)
    await until(() => pool.stats().idle === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { reset: 1 } }))
    expect(await get(pool, origin)).toBe('second')
  })
})

describe('a server that is slow', () => {
  it('with its headers: the request fails after headersTimeout, the connection is closed', async () => {
    const { origin } = await testScripted([request(), silence()])
    const pool = testPool({ headersTimeout: 100 })
    const failed = get(pool, origin)
    await expect(failed).rejects.toMatchObject({
      code: 'UND_ERR_HEADERS_TIMEOUT',
      cause: { code: 'ERR_KEEPWISE_CONNECTION' },
    })
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { error: 1 } }))
  })

  it('with its body: the response fails after bodyTimeout, the connection is closed', async () => {
    const { origin } = await testScripted([
      request(),
      sendBytes('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome'),
      silence(),
    ])
    const pool = testPool({ bodyTimeout: 100 })
    await expect(get(pool, origin)).rejects.toMatchObject({ code: 'UND_ERR_BODY_TIMEOUT' })
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { error: 1 } }))
  })

  it('may be given other times by a request of its own', async () => {
    const { origin } = await testScripted(inOrder([request(), wait(1600), respond()], [request(), silence()]))
    const pool = testPool({ headersTimeout: 100 })
    const patient = send(pool, origin, { headersTimeout: 0 })
    await sleep(5)
    const impatient = send(pool, origin, { headersTimeout: 50 })
    await expect(impatient).rejects.toMatchObject({ code: 'UND_ERR_HEADERS_TIMEOUT' })
    expect((await patient).body).toBe('ok')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 2, requests: 2, closed: { error: 1 } }))
  })

  it('but steady is waited for', async () => {
    const { origin } = await testServer(async (_, response) => {
      for (let n = 0; n < 8; n++) {
        response.write('.')
        await sleep(200)
      }
      response.end()
    })
    const pool = testPool({ bodyTimeout: 600 })
    expect(await get(pool, origin)).toBe('........')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })
})
