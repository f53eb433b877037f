import { setTimeout as sleep } from 'node:timers/promises'
import { Client, type Dispatcher } from 'undici'
import { describe, expect, it } from 'vitest'
import {
  clientEnd,
  close,
  forever,
  halfClose,
  interim,
  request,
  requestHead,
  respond,
  response,
  send as sendBytes,
  sendInPieces,
} from '../support/servers/script-steps.js'
import {
  books,
  get,
  legacyHandler,
  quietBooks,
  send,
  testPool,
  testScripted,
  testServer,
  turns,
  until,
} from './support.js'

/** One connection that is kept and has served this many requests. */
const kept = (requests: number) => quietBooks({ idle: 1, opened: 1, requests })

describe('a response without a body', () => {
  it('to HEAD keeps the connection', async () => {
    const { origin, connections } = await testServer((_, response) => {
      response.writeHead(200, { 'content-length': 1000 }).end()
    })
    const pool = testPool()
    for (let n = 0; n < 3; n++) {
      const { statusCode, headers, body } = await send(pool, origin, { method: 'HEAD' })
      expect([statusCode, headers['content-length'], body]).toEqual([200, '1000', ''])
    }
    expect(connections).toHaveLength(1)
    expect(books(pool)).toEqual(kept(3))
  })

  it('to HEAD keeps the connection when it would have been chunked', async () => {
    const { origin } = await testScripted([
      forever(request(), sendBytes('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')),
    ])
    const pool = testPool()
    for (let n = 0; n < 3; n++) await send(pool, origin, { method: 'HEAD' })
    expect(books(pool)).toEqual(kept(3))
  })

  it('to HEAD asks for the connection to be kept', async () => {
    const { origin, connections } = await testScripted([forever(request(), respond({ body: '' }))])
    const pool = testPool()
    await send(pool, origin, { method: 'HEAD' })
    expect(connections[0]!.requests[0]!.headers.connection).toBe('keep-alive')
  })

  it('to HEAD obeys the reset option', async () => {
    const { origin, connections } = await testScripted([request(), respond({ body: '' })])
    const pool = testPool()
    await send(pool, origin, { method: 'HEAD', reset: true })
    await until(() => pool.stats().idle === 0)
    expect(connections[0]!.requests[0]!.headers.connection).toBe('close')
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { 'server-close': 1 } }))
  })

  it.each([204, 304])('%i keeps the connection', async (status) => {
    const { origin } = await testScripted([
      forever(request(), respond({ status, reason: 'No Body', framing: 'none', body: '' })),
    ])
    const pool = testPool()
    for (let n = 0; n < 3; n++) expect(await send(pool, origin)).toMatchObject({ statusCode: status, body: '' })
    expect(books(pool)).toEqual(kept(3))
  })

  it('304 that names the length the body would have had is what undici makes of it', async () => {
    const notModified = respond({
      status: 304,
      reason: 'Not Modified',
      framing: 'none',
      headers: { 'content-length': '5' },
      body: '',
    })
    const { origin } = await testScripted([forever(request(), notModified)])
    const outcome = async ({ dispatcher }: { dispatcher: Dispatcher }) => {
      const { statusCode, body } = await dispatcher.request({ origin, path: '/', method: 'GET' })
      const rest = await body.text().catch(({ name, message }: Error) => ({ name, message }))
      return { statusCode, rest }
    }
    const client = new Client(origin)
    expect(await outcome(testPool())).toEqual(await outcome({ dispatcher: client }))
    await client.destroy()
  })

  it('with a length of 0 keeps the connection', async () => {
    const { origin } = await testScripted([forever(request(), respond({ body: '' }))])
    const pool = testPool()
    for (let n = 0; n < 3; n++) expect((await send(pool, origin)).body).toBe('')
    expect(books(pool)).toEqual(kept(3))
  })
})

describe('an interim response', () => {
  it('103 Early Hints goes to onInfo, and says nothing of the connection', async () => {
    const { origin } = await testScripted([
      forever(
        request(),
        interim(103, 'Early Hints', { link: '</style.css>', 'keep-alive': 'timeout=1' }),
        interim(103, 'Early Hints', { link: '</script.js>' }),
        respond(),
      ),
    ])
    const pool = testPool()
    const links: unknown[] = []
    for (let n = 0; n < 2; n++)
      await send(pool, origin, { onInfo: ({ statusCode, headers }) => void links.push(statusCode, headers.link) })
    expect(links).toEqual([103, '</style.css>', 103, '</script.js>', 103, '</style.css>', 103, '</script.js>'])
    expect(books(pool)).toEqual(kept(2))
    expect(pool.explain(origin).idleTimeout.source).toBe('automatic')
  })

  it('100 Continue that nobody asked for fails the request, as in undici, and closes the connection', async () => {
    const { origin } = await testScripted([request(), interim(100, 'Continue'), respond()])
    const pool = testPool()
    await expect(send(pool, origin)).rejects.toMatchObject({ code: 'UND_ERR_SOCKET', message: 'bad response' })
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { error: 1 } }))
  })

  it('101 that nobody asked for fails the request, and closes the connection', async () => {
    const { origin } = await testScripted([
      request(),
      sendBytes('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'),
    ])
    const pool = testPool()
    await expect(send(pool, origin)).rejects.toMatchObject({ code: 'UND_ERR_SOCKET', message: 'bad upgrade' })
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { error: 1 } }))
  })
})

describe('a response body', () => {
  it('in chunks, with trailers, keeps the connection', async () => {
    const { origin } = await testScripted([
      forever(request(), respond({ framing: 'chunked', body: 'hello', trailers: { 'x-sum': '5' } })),
    ])
    const pool = testPool()
    for (let n = 0; n < 2; n++)
      expect(await send(pool, origin)).toMatchObject({ body: 'hello', trailers: { 'x-sum': '5' } })
    expect(books(pool)).toEqual(kept(2))
  })

  it('that the end of the connection delimits is complete, and the connection is not kept', async () => {
    const { origin } = await testScripted([
      request(),
      respond({ framing: 'none', body: 'until the end' }),
      halfClose(),
      clientEnd(),
    ])
    const pool = testPool()
    expect((await send(pool, origin)).body).toBe('until the end')
    await until(() => pool.stats().active + pool.stats().idle === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { 'server-close': 1 } }))
  })

  it('cut short of its length is an error, and so is one cut between chunks', async () => {
    for (const bytes of [
      'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    ]) {
      const { origin } = await testScripted([request(), sendBytes(bytes), close()])
      const pool = testPool()
      await expect(send(pool, origin)).rejects.toMatchObject({
        code: 'UND_ERR_SOCKET',
        cause: { code: 'ERR_KEEPWISE_CONNECTION', connection: { requests: 1 } },
      })
      await until(() => pool.stats().active === 0)
      expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { 'server-fin': 1 } }))
    }
  })

  it('in single bytes is what it is', async () => {
    const { origin } = await testScripted([
      request(),
      sendInPieces(response({ headers: { 'keep-alive': 'timeout=7, max=3' }, body: 'bit by bit' }), 1, 0),
      request(),
      sendInPieces(response({ framing: 'chunked', body: 'chunk by chunk', trailers: { 'x-end': 'yes' } }), 1, 0),
    ])
    const pool = testPool()
    expect((await send(pool, origin)).body).toBe('bit by bit')
    expect(pool.explain(origin).connections[0]).toMatchObject({ advertisedTimeout: 7000, remaining: 3 })
    expect(await send(pool, origin)).toMatchObject({ body: 'chunk by chunk', trailers: { 'x-end': 'yes' } })
    expect(books(pool)).toEqual(kept(2))
  })
})

describe('response headers', () => {
  it('may be as large as Node allows', async () => {
    const { origin } = await testScripted([forever(request(), respond({ headers: { 'x-large': 'x'.repeat(15_000) } }))])
    const pool = testPool()
    for (let n = 0; n < 2; n++) expect((await send(pool, origin)).headers['x-large']).toHaveLength(15_000)
    expect(books(pool)).toEqual(kept(2))
  })

  it('larger than that are an error, and the connection is closed', async () => {
    const { origin } = await testScripted([request(), respond({ headers: { 'x-large': 'x'.repeat(20_000) } })])
    const pool = testPool()
    await expect(send(pool, origin)).rejects.toMatchObject({ code: 'UND_ERR_HEADERS_OVERFLOW' })
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { error: 1 } }))
  })

  it('named like those of the connection, in any case and several lines, are understood', async () => {
    const { origin } = await testScripted([
      request(),
      respond({ headers: { 'KEEP-ALIVE': ['timeout=9', 'max=4'], Connection: 'Keep-Alive' } }),
      request(),
      respond({ headers: { cONNECTION: 'x-other, Close' } }),
      clientEnd(),
    ])
    const pool = testPool()
    await get(pool, origin)
    expect(pool.explain(origin).connections[0]).toMatchObject({ advertisedTimeout: 9000, remaining: 4 })
    await get(pool, origin)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 2, closed: { 'server-close': 1 } }))
  })
})

describe('a connection that the response ends', () => {
  it.each<[string, string]>([
    ['Connection: close', response({ headers: { connection: 'close' } })],
    ['Connection: close, chunked', response({ framing: 'chunked', headers: { connection: 'close' } })],
    ['HTTP/1.0', response({ version: '1.0' })],
    ['HTTP/1.0 with Connection: close', response({ version: '1.0', headers: { connection: 'close' } })],
  ])('%s: is not used again, and others who wait get one of their own', async (_, bytes) => {
    // As a server that then closes at its leisure: whatever else came here would be lost.
    const { origin, connections } = await testScripted([request(), sendBytes(bytes), clientEnd()])
    const pool = testPool({ maxConnections: 1 })
    const bodies = await Promise.all(Array.from({ length: 4 }, () => get(pool, origin)))
    expect(bodies).toEqual(Array(4).fill('ok'))
    await until(() => pool.stats().active + pool.stats().idle === 0)
    expect(connections.map((connection) => connection.requests.length)).toEqual([1, 1, 1, 1])
    expect(books(pool)).toEqual(quietBooks({ opened: 4, requests: 4, closed: { 'server-close': 4 } }))
    expect(pool.stats().reused).toBe(0)
  })

  it.each<[string, Parameters<typeof send>[2]]>([
    ['the reset option', { reset: true }],
    ['Connection: close among its headers', { headers: { connection: 'close' } }],
    ['Connection: close among raw headers', { headers: ['Connection', 'close'] }],
  ])('or the request, by %s: is not used again either', async (_, options) => {
    const { origin, connections } = await testScripted([request(), respond(), clientEnd()])
    const pool = testPool({ maxConnections: 1 })
    await Promise.all(Array.from({ length: 3 }, () => send(pool, origin, options)))
    await until(() => pool.stats().active + pool.stats().idle === 0)
    expect(connections.map(({ requests }) => requests.map(({ headers }) => headers.connection))).toEqual(
      Array(3).fill(['close']),
    )
    expect(books(pool)).toEqual(quietBooks({ opened: 3, requests: 3, closed: { 'server-close': 3 } }))
    expect(pool.stats().reused).toBe(0)
  })

  it('HTTP/1.0 with keep-alive is kept', async () => {
    const { origin } = await testScripted([
      forever(request(), respond({ version: '1.0', headers: { connection: 'keep-alive' } })),
    ])
    const pool = testPool()
    for (let n = 0; n < 3; n++) await get(pool, origin)
    expect(books(pool)).toEqual(kept(3))
  })
})

describe('a response that comes before the request was sent', () => {
  it('is the answer; the connection is closed, so that the rest of the body is taken for no request', async () => {
    const { origin, connections } = await testScripted([
      requestHead(),
      respond({ status: 413, reason: 'Content Too Large', body: 'too much' }),
      clientEnd(),
    ])
    const pool = testPool()
    let produced = 0
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        produced++
        yield Buffer.alloc(1000)
        await sleep(1)
      }
    }
    const answer = await send(pool, origin, { method: 'POST', body: endless() as never })
    expect(answer).toMatchObject({ statusCode: 413, body: 'too much' })
    await until(() => pool.stats().active + pool.stats().idle === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
    await until(() => connections[0]!.closedAt !== undefined)
    await turns()
    const standstill = produced
    await sleep(20)
    expect(produced).toBe(standstill)
  })

  it('hands nothing on to those who wait', async () => {
    const { origin, connections } = await testScripted((nth) =>
      nth === 1
        ? [requestHead(), respond({ status: 413, reason: 'No' }), clientEnd()]
        : [forever(request(), respond())],
    )
    const pool = testPool({ maxConnections: 1 })
    async function* slow(): AsyncGenerator<string> {
      yield 'some'
      await sleep(1000)
      yield 'more'
    }
    const first = legacyHandler()
    pool.dispatcher.dispatch({ origin, path: '/', method: 'POST', body: slow() as never }, first.handler)
    const others = await Promise.all([get(pool, origin, '/a'), get(pool, origin, '/b')])
    expect(first.told.statusCode).toBe(413)
    expect(others).toEqual(['ok', 'ok'])
    expect(connections.map(({ requests }) => requests.map(({ target }) => target))).toEqual([[], ['/a', '/b']])
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 2, requests: 3, closed: { aborted: 1 } }))
  })
})
