import type http from 'node:http'
import { Readable } from 'node:stream'
import { Client, type Dispatcher, FormData } from 'undici'
import { describe, expect, it } from 'vitest'
import { bytes, forever, request, respond, silence } from '../support/servers/script-steps.js'
import {
  books,
  catchingUncaught,
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

type Body = NonNullable<Dispatcher.DispatchOptions['body']>

/** Answers with the framing of the request, and its body. */
const mirror: http.RequestListener = async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const { 'content-length': length, 'transfer-encoding': encoding, 'content-type': type } = request.headers
  response.end(JSON.stringify({ length, encoding, type, body: Buffer.concat(chunks).toString('latin1') }))
}

async function* words(): AsyncGenerator<Buffer> {
  for (const word of ['one ', 'two ', 'three']) {
    await turns(1)
    yield Buffer.from(word)
  }
}

describe('a request body', () => {
  it.each<[string, () => unknown, Record<string, string>]>([
    ['a string', () => 'one two three', { length: '13', body: 'one two three' }],
    ['an empty string', () => '', { length: '0', body: '' }],
    ['null', () => null, { length: '0', body: '' }],
    ['a Buffer', () => Buffer.from('one two three'), { length: '13', body: 'one two three' }],
    ['an empty Buffer', () => Buffer.alloc(0), { length: '0', body: '' }],
    [
      'a part of an Uint8Array',
      () => new TextEncoder().encode('one two three').subarray(4, 7),
      { length: '3', body: 'two' },
    ],
    ['a Readable', () => Readable.from(words(), { objectMode: false }), { encoding: 'chunked', body: 'one two three' }],
    ['an empty Readable', () => Readable.from([], { objectMode: false }), { length: '0', body: '' }],
    ['an async iterable', () => words(), { encoding: 'chunked', body: 'one two three' }],
    ['a web stream', () => ReadableStream.from(words()), { encoding: 'chunked', body: 'one two three' }],
    [
      'a Blob',
      () => new Blob(['one two three'], { type: 'text/x-blob' }),
      { length: '13', type: 'text/x-blob', body: 'one two three' },
    ],
  ])('may be %s', async (_, body, expected) => {
    const { origin } = await testServer(mirror)
    const pool = testPool()
    const received = await send(pool, origin, { method: 'POST', body: body() as Body })
    expect(JSON.parse(received.body)).toEqual(expected)
    expect(await get(pool, origin)).toContain('"body":""')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it('may be form data', async () => {
    const { origin } = await testServer(mirror)
    const pool = testPool()
    const form = new FormData()
    form.set('name', 'value')
    const { type, body, length } = JSON.parse((await send(pool, origin, { method: 'POST', body: form })).body)
    expect(type).toMatch(/^multipart\/form-data; boundary=/)
    expect(body).toContain('name="name"\r\n\r\nvalue')
    expect(Number(length)).toBe(body.length)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it('goes with the content-length that the caller gives, where it is right', async () => {
    const { origin } = await testServer(mirror)
    const pool = testPool()
    const { body } = await send(pool, origin, {
      method: 'POST',
      body: words() as never,
      headers: { 'content-length': '13' },
    })
    expect(JSON.parse(body)).toEqual({ length: '13', body: 'one two three' })
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })
})

describe('a body that is not as long as its content-length', () => {
  it.each([
    ['a string, too long', 'four', '3'],
    ['a string, too short', 'four', '5'],
  ])('%s: is not sent, and the connection stays', async (_, body, length) => {
    const { origin, requestCount } = await testServer(mirror)
    const pool = testPool()
    await get(pool, origin)
    const wrong = send(pool, origin, { method: 'POST', body, headers: { 'content-length': length } })
    await expect(wrong).rejects.toMatchObject({ code: 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH' })
    await get(pool, origin)
    expect(requestCount()).toBe(2)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it.each([
    ['a stream, too long', '12'],
    ['a stream, too short', '14'],
  ])('%s: fails under way, and the connection is closed', async (_, length) => {
    const { origin } = await testServer(mirror)
    const pool = testPool()
    const body = Readable.from(words(), { objectMode: false })
    const wrong = send(pool, origin, { method: 'POST', body, headers: { 'content-length': length } })
    await expect(wrong).rejects.toMatchObject({ code: 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH' })
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
    await get(pool, origin)
    expect(books(pool)).toMatchObject({ idle: 1, opened: 2, requests: 2 })
  })
})

/** A stream that gives some bytes and then fails, after a moment. */
function failing(error: Error): Readable {
  return Readable.from(
    (async function* () {
      yield Buffer.from('some')
      await turns()
      throw error
    })(),
    { objectMode: false },
  )
}

describe('a body stream that fails', () => {
  const lost = new Error('the disk is gone')

  it('before it was asked for anything: nothing is sent, and an idle connection survives', async () => {
    const { origin, requestCount } = await testServer(mirror)
    const pool = testPool()
    await get(pool, origin)
    const body = new Readable({ read() {} })
    const failed = send(pool, origin, { method: 'POST', body })
    body.destroy(lost)
    await expect(failed).rejects.toBe(lost)
    await turns()
    await get(pool, origin)
    expect(requestCount()).toBe(2)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it('while its request waits in line: it fails, leaves the line, and nothing of it is sent', async () => {
    const { origin, requestCount } = await testServer({
      handler: (_, response) => void setTimeout(() => response.end(), 50),
    })
    const pool = testPool({ maxConnections: 1 })
    const first = get(pool, origin)
    const body = new Readable({ read() {} })
    const failed = send(pool, origin, { method: 'POST', body })
    await turns()
    body.destroy(lost)
    await expect(failed).rejects.toBe(lost)
    await first
    await get(pool, origin)
    expect(requestCount()).toBe(2)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it('while its request waits in line, handed to dispatch() itself: as with undici, the handler is told', async () => {
    const { origin, requestCount } = await testServer({
      handler: (_, response) => void setTimeout(() => response.end(), 50),
    })
    const outcome = async (dispatcher: Dispatcher): Promise<{ caught: unknown[]; error: unknown }> => {
      let error: unknown
      const caught = await catchingUncaught(async () => {
        const first = legacyHandler()
        dispatcher.dispatch({ origin, path: '/', method: 'GET' }, first.handler)
        const body = new Readable({ read() {} })
        const { handler, told } = legacyHandler()
        dispatcher.dispatch({ origin, path: '/lost', method: 'POST', body }, handler)
        await turns()
        body.destroy(lost)
        await Promise.all([first.told.ended, told.ended])
        error = told.error
      })
      return { caught, error }
    }
    const client = new Client(origin)
    expect(await outcome(client)).toEqual({ caught: [], error: lost })
    await client.destroy()
    const pool = testPool({ maxConnections: 1 })
    expect(await outcome(pool.dispatcher)).toEqual({ caught: [], error: lost })
    await until(() => pool.stats().pending === 0)
    expect(requestCount()).toBe(2)
    expect(books(pool)).toMatchObject({ active: 0, waiting: 0, opened: 1 })
  })

  it('under way: the request fails with its error, and the connection is closed', async () => {
    const { origin } = await testScripted([bytes(1), silence()])
    const pool = testPool()
    await expect(send(pool, origin, { method: 'POST', body: failing(lost) })).rejects.toBe(lost)
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
  })

  it('under way, an async iterable: the request fails with its error, and the connection is closed', async () => {
    const { origin } = await testScripted([bytes(1), silence()])
    const pool = testPool()
    async function* broken(): AsyncGenerator<string> {
      yield 'some'
      await turns()
      throw lost
    }
    await expect(send(pool, origin, { method: 'POST', body: broken() as never })).rejects.toBe(lost)
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toEqual(quietBooks({ opened: 1, requests: 1, closed: { aborted: 1 } }))
  })

  it('destroyed without an error: the request is aborted', async () => {
    const { origin } = await testScripted([bytes(1), silence()])
    const pool = testPool()
    const body = new Readable({ read() {} })
    body.push('some')
    const failed = send(pool, origin, { method: 'POST', body })
    await turns()
    body.destroy()
    await expect(failed).rejects.toMatchObject({ code: 'UND_ERR_ABORTED' })
    await until(() => pool.stats().active === 0)
    expect(books(pool)).toMatchObject({ idle: 0, pending: 0, opened: 1 })
  })

  it('before the request: the request fails with its error', async () => {
    const { origin, requestCount } = await testServer(mirror)
    const pool = testPool()
    const body = new Readable({ read() {} }).on('error', () => {})
    body.destroy(lost)
    await turns()
    await expect(send(pool, origin, { method: 'POST', body })).rejects.toBe(lost)
    await until(() => pool.stats().active === 0)
    expect(requestCount()).toBe(0)
    await get(pool, origin)
    expect(books(pool)).toMatchObject({ active: 0, pending: 0, idle: 1 })
  })

  it('is destroyed itself when the request fails for another reason', async () => {
    const { origin, close } = await testServer()
    await close()
    const pool = testPool()
    const body = Readable.from(words(), { objectMode: false })
    await expect(send(pool, origin, { method: 'POST', body })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(body.destroyed).toBe(true)
  })
})

it('a body with GET closes the connection, as in undici: servers differ in what they make of it', async () => {
  const { origin, connections } = await testScripted([forever(request(), respond())])
  const pool = testPool()
  await send(pool, origin, { method: 'GET', body: 'unexpected' })
  await until(() => pool.stats().idle === 0)
  await get(pool, origin)
  expect(connections.map((connection) => connection.requests.length)).toEqual([1, 1])
  expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 2, requests: 2, closed: { 'server-close': 1 } }))
})
