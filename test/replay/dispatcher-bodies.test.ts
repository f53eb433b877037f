/** What is sent again is the whole request: bodies of every kind that undici and fetch take. */
import { Blob as BufferBlob, File as NodeFile } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Dispatcher, FormData as UndiciFormData } from 'undici'
import { describe, expect, it } from 'vitest'
import { get, legacyHandler, send, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import type { ReceivedRequest } from '../support/servers/request-parser.js'
import type { ScriptedServer } from '../support/servers/scripted.js'
import { bodiesOf, endings, failureOf, TRACK, type TrackPool, untilIdle, useTrack } from './race-track.js'

type Body = NonNullable<Dispatcher.RequestOptions['body']> | null

/** A generator's chunks, and how often it was told to finish. */
class Chunks {
  finished = 0
  pulled = 0
  #chunks: readonly (string | Uint8Array)[]

  constructor(...chunks: (string | Uint8Array)[]) {
    this.#chunks = chunks
  }

  *generate(): Generator<string | Uint8Array> {
    try {
      for (const chunk of this.#chunks) {
        this.pulled++
        yield chunk
      }
    } finally {
      this.finished++
    }
  }

  async *generateLater(pause = 1): AsyncGenerator<string | Uint8Array> {
    for (const chunk of this.generate()) {
      await sleep(pause)
      yield chunk
    }
  }
}

/** Any old bytes, all different. */
const bytes = (size: number): Buffer => Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * 31) & 0xff))

describeWith(TRACK, 'a raced POST is sent again', () => {
  const track = useTrack()

  /** Has a POST cross the server's close; what arrived of it, where. */
  async function race(body: Body, { tls = false } = {}): Promise<{ pool: TrackPool; server: ScriptedServer }> {
    const server = await track.server(undefined, { tls })
    const pool = track.pool()
    await send(pool, server.origin)
    const answer = await track.cross(server, endings.close, () => send(pool, server.origin, { method: 'POST', body }))
    expect(answer.statusCode).toBe(200)
    await untilIdle(pool)
    expect(pool.replays.map(({ verdict }) => verdict)).toEqual(['refused'])
    return { pool, server }
  }

  /** The one request that a server took beside the first one, which came on the second connection. */
  function replayed({ connections }: ScriptedServer): ReceivedRequest {
    expect(connections.map(({ requests }) => requests.length)).toEqual([1, 1])
    return connections[1]!.requests[0]!
  }

  describe('whole, with a body that is', () => {
    const text = 'some text, and an é'
    const big = bytes(2 * 1024 * 1024)
    const bodies: [what: string, make: () => Body, expected: Buffer, length: string | undefined][] = [
      ['a string', () => text, Buffer.from(text), '20'],
      ['an empty string', () => '', Buffer.alloc(0), '0'],
      ['none', () => null, Buffer.alloc(0), '0'],
      ['a Buffer', () => bytes(3000), bytes(3000), '3000'],
      ['a Buffer of 2 MiB', () => big, big, `${big.length}`],
      ['a string of 2 MiB', () => big.toString('latin1'), Buffer.from(big.toString('latin1')), undefined],
      ['a Uint8Array', () => new Uint8Array([1, 2, 3]), Buffer.from([1, 2, 3]), '3'],
      ['a Blob', () => new Blob([bytes(100_000)]) as never, bytes(100_000), '100000'],
      ["node:buffer's Blob", () => new BufferBlob(['blob']) as never, Buffer.from('blob'), '4'],
      ['a File', () => new NodeFile(['file'], 'name') as never, Buffer.from('file'), '4'],
      ['a generator', () => new Chunks('a', 'bc', 'def').generate() as never, Buffer.from('abcdef'), undefined],
      ['an array of chunks', () => ['a', bytes(9)] as never, Buffer.concat([Buffer.from('a'), bytes(9)]), undefined],
      ['an asynchronous generator', () => new Chunks('a', 'b').generateLater() as never, Buffer.from('ab'), undefined],
      ['a ReadableStream', () => new Blob(['stream']).stream() as never, Buffer.from('stream'), undefined],
    ]
    it.each(bodies)('%s', async (_what, make, expected, length) => {
      const { server } = await race(make())
      const { body, headers } = replayed(server)
      expect(body.equals(expected)).toBe(true)
      if (length !== undefined) expect(headers['content-length']).toBe(length)
    })

    // Of its own make: undici 7 does not know the global one of other versions. fetch does, see below.
    it("undici's FormData, file and all", async () => {
      const form = new UndiciFormData()
      form.set('field', 'value')
      form.set('file', new Blob([bytes(20_000)]) as never, 'name.bin')
      const { server } = await race(form)
      const { body, headers } = replayed(server)
      const type = { headers: { 'content-type': headers['content-type']! } }
      const parsed = await new Response(new Uint8Array(body), type).formData()
      expect(parsed.get('field')).toBe('value')
      const file = parsed.get('file') as File
      expect(file.name).toBe('name.bin')
      expect(Buffer.from(await file.arrayBuffer()).equals(bytes(20_000))).toBe(true)
    })

    it('a generator, over TLS', async () => {
      const { server } = await race(new Chunks('a', 'b').generateLater() as never, { tls: true })
      expect(replayed(server).body.toString()).toBe('ab')
    })
  })

  it('with its headers as they were', async () => {
    const server = await track.server()
    const pool = track.pool()
    await send(pool, server.origin)
    const headers = { 'content-type': 'text/odd', 'x-one': ['a', 'b'] as unknown as string, authorization: 'me' }
    await track.cross(server, endings.close, () => send(pool, server.origin, { method: 'POST', headers, body: 'x' }))
    const { rawHeaders, ...rest } = replayed(server)
    expect(rest).toMatchObject({ method: 'POST', target: '/' })
    expect(rest.headers).toEqual({
      host: new URL(server.origin).host,
      connection: 'keep-alive',
      'content-type': 'text/odd',
      'x-one': 'a, b',
      authorization: 'me',
      'content-length': '1',
    })
    expect(rawHeaders).toHaveLength(14)
  })

  describe('by the built-in fetch', () => {
    const bodies: [what: string, make: () => RequestInit, expected: string, type: string | undefined][] = [
      ['a string', () => ({ body: 'text' }), 'text', 'text/plain;charset=UTF-8'],
      [
        'JSON',
        () => ({ body: JSON.stringify({ a: 1 }), headers: { 'content-type': 'application/json' } }),
        '{"a":1}',
        'application/json',
      ],
      [
        'URLSearchParams',
        () => ({ body: new URLSearchParams({ a: 'b c' }) }),
        'a=b+c',
        'application/x-www-form-urlencoded;charset=UTF-8',
      ],
      ['bytes', () => ({ body: new Uint8Array(bytes(70_000)) }), bytes(70_000).toString('latin1'), undefined],
      ['a Blob', () => ({ body: new Blob(['blob'], { type: 'text/odd' }) }), 'blob', 'text/odd'],
      [
        'a ReadableStream',
        () => ({ body: new Blob(['in ', 'parts']).stream(), duplex: 'half' }),
        'in parts',
        undefined,
      ],
      ['no body at all', () => ({}), '', undefined],
    ]
    it.each(bodies)('%s', async (_what, make, expected, type) => {
      const server = await track.server()
      const pool = track.pool()
      await send(pool, server.origin)
      const init = { method: 'POST', ...make(), dispatcher: pool.dispatcher } as RequestInit
      const answer = await track.cross(server, endings.close, async () => (await fetch(server.origin, init)).text())
      expect(answer).toBe('ok')
      const { body, headers } = replayed(server)
      expect(body.toString('latin1')).toBe(expected)
      expect(headers['content-type']).toBe(type)
      expect(pool.replays).toHaveLength(1)
    })

    it('a form', async () => {
      const server = await track.server()
      const pool = track.pool()
      await send(pool, server.origin)
      const form = new FormData()
      form.set('file', new Blob([bytes(20_000)]), 'name.bin')
      const init = { method: 'POST', body: form, dispatcher: pool.dispatcher } as RequestInit
      await track.cross(server, endings.close, async () => (await fetch(server.origin, init)).text())
      const { body, headers } = replayed(server)
      expect(headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
      expect(Number(headers['content-length'])).toBe(body.length)
      expect(body.includes(bytes(20_000))).toBe(true)
    })
  })

  describe('with an iterable', () => {
    it('that is longer than what is remembered, of which little had been read', async () => {
      const source = new Chunks(...Array.from({ length: 48 }, (_, n) => Buffer.alloc(64 * 1024, n)))
      const { server } = await race(source.generateLater(0) as never)
      const { body } = replayed(server)
      expect(body.length).toBe(3 * 1024 * 1024)
      for (let n = 0; n < 48; n++) expect(body[n * 64 * 1024]).toBe(n)
      expect(source.finished).toBe(1)
    })

    it('of which the next chunk would have been one too many', async () => {
      const source = new Chunks(...Array.from({ length: 4 }, (_, n) => Buffer.alloc(600_000, n)))
      const { server } = await race(source.generateLater(0) as never)
      const { body } = replayed(server)
      expect([...new Set(body)]).toEqual([0, 1, 2, 3])
      expect(body.length).toBe(2_400_000)
      expect(source.finished).toBe(1)
    })

    it('that was still being read, from its beginning, and on to its end', async () => {
      const source = new Chunks('a', 'b', 'c', 'd')
      const { server } = await race(source.generateLater(60) as never)
      expect(replayed(server).body.toString()).toBe('abcd')
      expect(source).toMatchObject({ pulled: 4, finished: 1 })
    })

    it('whose owner uses the same buffer for all chunks', async () => {
      async function* source(): AsyncGenerator<Buffer> {
        const buffer = Buffer.alloc(3)
        for (const word of ['one', 'two', 'six']) {
          buffer.write(word)
          yield buffer
          await sleep(40)
        }
      }
      const { server } = await race(source() as never)
      expect(replayed(server).body.toString()).toBe('onetwosix')
    })

    it('that yields nothing', async () => {
      const { server } = await race(new Chunks().generateLater() as never)
      expect(replayed(server).headers['content-length']).toBe('0')
    })

    it('whose first chunk is late: nothing was written yet when the connection ended', async () => {
      const server = await track.server()
      const pool = track.pool()
      await send(pool, server.origin)
      const source = new Chunks('late')
      const body = source.generateLater(60) as never
      const answer = send(pool, server.origin, { method: 'POST', body })
      await until(() => pool.stats().active === 1)
      server.connections[0]!.destroy()
      expect((await answer).statusCode).toBe(200)
      expect(pool.replays).toMatchObject([{ verdict: 'unsent', evidence: { written: 0 } }])
      expect(replayed(server).body.toString()).toBe('late')
      expect(source).toMatchObject({ pulled: 1, finished: 1 })
    })

    it('that fails on the way, which fails the request with its error, once', async () => {
      const failure = new Error('no more of it')
      async function* source(): AsyncGenerator<string> {
        yield 'a'
        await sleep(100)
        throw failure
      }
      const server = await track.server()
      const pool = track.pool()
      await send(pool, server.origin)
      const body = source() as never
      const request = track.cross(server, endings.close, () => send(pool, server.origin, { method: 'POST', body }))
      expect(await failureOf(request)).toBe(failure)
      expect(failure.cause).toBeUndefined()
      expect(pool.replays).toHaveLength(1)
      await until(() => pool.stats().pending === 0)
      expect(bodiesOf(server)).toEqual([[''], []])
    })
  })
})

describeWith(TRACK, 'a raced POST is not sent again', () => {
  const track = useTrack()

  async function raceAndFail(
    body: Body,
  ): Promise<{ error: Awaited<ReturnType<typeof failureOf>>; server: ScriptedServer }> {
    const server = await track.server()
    const pool = track.pool({ replay: 'closing' })
    await send(pool, server.origin)
    const request = track.cross(server, endings.close, () => send(pool, server.origin, { method: 'POST', body }))
    const error = await failureOf(request)
    expect(pool.replays).toEqual([])
    expect(bodiesOf(server)).toEqual([['']])
    return { error, server }
  }

  const streams: [what: string, make: () => Body][] = [
    ['a Readable', () => Readable.from(['a', 'b'])],
    ['a file stream', () => createReadStream(fileURLToPath(import.meta.url))],
  ]
  it.each(streams)('where its body is %s, and says so', async (_what, make) => {
    const body = make()
    const { error } = await raceAndFail(body)
    expect(error.code).toBe('UND_ERR_SOCKET')
    expect(error.cause).toMatchObject({ verdict: 'refused', refusal: 'body-gone', evidence: { acknowledged: 0 } })
    expect(error.cause?.message).toContain('its body was a stream, or too long to be remembered')
    await until(() => (body as Readable).destroyed)
  })

  it('where more of an iterable had been read than is remembered', async () => {
    const source = new Chunks(Buffer.alloc(1024 * 1024 + 1), 'rest')
    const { error } = await raceAndFail(source.generateLater() as never)
    expect(error.cause).toMatchObject({ verdict: 'refused', refusal: 'body-gone' })
    await until(() => source.finished === 1)
  })

  it('where its body has failed meanwhile', async () => {
    const failure = new Error('no more of it')
    async function* source(): AsyncGenerator<string> {
      yield 'a'
      throw failure
    }
    const { error } = await raceAndFail(source() as never)
    expect(error).toBe(failure)
  })
})

describeWith(TRACK, 'the body of a request', () => {
  const track = useTrack()

  it('is told once that nobody wants it any more, when the request is refused a replay', async () => {
    const server = await track.server()
    const pool = track.pool()
    await send(pool, server.origin)
    const source = new Chunks('a', 'b', 'c')
    const body = source.generateLater(60) as never
    const error = await failureOf(
      track.cross(server, endings.halfClose, () => send(pool, server.origin, { method: 'POST', body })),
    )
    expect(error.cause).toMatchObject({ verdict: 'unknown', refusal: 'not-proven' })
    await until(() => source.finished === 1)
    await sleep(150)
    expect(source.finished).toBe(1)
  })

  const settings: [where: string, replay: 'off' | 'proven', isUsed: boolean, isCopied: boolean][] = [
    ['a new connection', 'proven', false, false],
    ['a used connection, replay being off', 'off', true, false],
    ['a used connection', 'proven', true, true],
  ]
  it.each(settings)('is copied only where it may be sent again: on %s', async (_where, replay, isUsed, isCopied) => {
    const server = await track.server()
    const pool = track.pool({ replay })
    if (isUsed) await get(pool, server.origin)
    const chunk = Buffer.from('a chunk')
    let sent: unknown
    const onBodySent = (written: unknown): void => {
      sent = written
    }
    const { handler, told } = legacyHandler({ onBodySent } as Dispatcher.DispatchHandler)
    const body = new Chunks(chunk).generate() as never
    pool.dispatcher.dispatch({ origin: server.origin, path: '/', method: 'POST', body }, handler)
    await told.ended
    expect(sent).toEqual(chunk)
    expect(sent !== chunk).toBe(isCopied)
    expect(bodiesOf(server)[0]!.at(-1)).toBe('a chunk')
  })
})
