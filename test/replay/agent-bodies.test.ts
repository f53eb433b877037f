/** What arrives of a request through an agent that is sent again: all of it, in order, once. */
import type { ClientRequest, RequestOptions } from 'node:http'
import { PassThrough, pipeline, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { MOST_REMEMBERED } from '../../src/replay/remembered-body.js'
import { turns, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { type Begin, onTrial, race, replayed } from './agent-scenes.js'
import { bodiesOf, TRACK, untilIdle, useTrack } from './race-track.js'

/** Any old bytes, all different. */
const bytes = (size: number): Buffer => Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * 31) & 0xff))

const CHUNKED = { 'transfer-encoding': 'chunked' }
const length = (size: number) => ({ headers: { 'content-length': size } })

interface Body {
  readonly begin: Begin
  readonly expected: Buffer
  readonly options?: RequestOptions
  /** Of the request's headers. */
  readonly framing: Record<string, string>
}

const text = 'some text, and an é'

const bodies: Record<string, Body> = {
  none: { begin: (request) => void request.end(), expected: Buffer.alloc(0), framing: { 'content-length': '0' } },
  'a string': {
    begin: (request) => void request.end(text),
    expected: Buffer.from(text),
    framing: { 'content-length': '20' },
  },
  'a string in latin1': {
    begin: (request) => void request.end(text, 'latin1'),
    expected: Buffer.from(text, 'latin1'),
    framing: { 'content-length': '19' },
  },
  'a string in hex': {
    begin: (request) => {
      request.write('c3', 'hex')
      request.end('a9', 'hex')
    },
    options: length(2),
    expected: Buffer.from('é'),
    framing: { 'content-length': '2' },
  },
  'a Buffer': {
    begin: (request) => void request.end(bytes(3000)),
    expected: bytes(3000),
    framing: { 'content-length': '3000' },
  },
  'a Uint8Array': {
    begin: (request) => void request.end(new Uint8Array([1, 2, 3])),
    expected: Buffer.from([1, 2, 3]),
    framing: { 'content-length': '3' },
  },
  'several writes of a known length': {
    begin: (request) => {
      for (const word of ['one', 'two', 'three']) request.write(word)
      request.end()
    },
    options: length(11),
    expected: Buffer.from('onetwothree'),
    framing: { 'content-length': '11' },
  },
  'several writes, chunked': {
    begin: (request) => {
      for (const word of ['one', 'two']) request.write(word)
      request.end('three')
    },
    expected: Buffer.from('onetwothree'),
    framing: CHUNKED,
  },
  'writes that begin when the socket is there': {
    begin: (request) => void request.once('socket', () => request.write('one') && request.end('two')),
    expected: Buffer.from('onetwo'),
    framing: CHUNKED,
  },
  'writes that begin after that': {
    begin: (request) => void request.once('socket', () => setImmediate(() => request.write('one') && request.end())),
    expected: Buffer.from('one'),
    framing: CHUNKED,
  },
  'headers that are flushed first': {
    begin: (request) => {
      request.flushHeaders()
      setImmediate(() => request.end('later'))
    },
    expected: Buffer.from('later'),
    framing: CHUNKED,
  },
  'writes that are corked': {
    begin: (request) => {
      request.cork()
      request.write('one')
      request.write('two')
      setImmediate(() => {
        request.uncork()
        request.end()
      })
    },
    expected: Buffer.from('onetwo'),
    framing: CHUNKED,
  },
  'a stream that is piped': {
    begin: (request) => void Readable.from([bytes(40_000), bytes(40_000)]).pipe(request),
    expected: Buffer.concat([bytes(40_000), bytes(40_000)]),
    framing: CHUNKED,
  },
  'a stream in a pipeline, of 600 kB': {
    begin: (request) => void pipeline(Readable.from([...slices(bytes(600_000), 10_000)]), request, () => {}),
    options: length(600_000),
    expected: bytes(600_000),
    framing: { 'content-length': '600000' },
  },
}

function* slices(whole: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size)
}

describeWith(TRACK, 'a raced POST through an agent is sent again whole, its body being', () => {
  const track = useTrack()

  for (const tls of [false, true])
    describe(tls ? 'over TLS' : 'in the clear', () => {
      it.each(Object.entries(bodies))('%s', async (_what, { begin, expected, options, framing }) => {
        const { pool, server, call } = await race(track, { tls, method: 'POST', ...options }, begin)
        expect(call).toMatchObject({ statusCode: 200, body: 'ok', error: undefined })
        expect(pool.replays).toMatchObject([{ method: 'POST', verdict: 'refused', evidence: { acknowledged: 0 } }])
        const { body, headers } = replayed(server)
        expect(body.equals(expected)).toBe(true)
        expect(headers).toEqual({ host: new URL(server.origin).host, connection: 'keep-alive', ...framing })
        await untilIdle(pool)
        expect(pool.stats()).toMatchObject({ opened: 2, replayed: 1, pending: 0, requests: 3 })
      })
    })

  it('chunked, with trailers, and headers as they were', async () => {
    const headers = { 'x-one': ['a', 'b'], Trailer: 'x-end', authorization: 'me' }
    const { server } = await race(track, { headers, path: '/a?b' }, (request) => {
      request.write('text')
      request.addTrailers({ 'x-end': 'yes' })
      request.end()
    })
    const { target, body, rawHeaders, trailers } = replayed(server)
    expect({ target, body: `${body}`, trailers }).toEqual({
      target: '/a?b',
      body: 'text',
      trailers: { 'x-end': 'yes' },
    })
    const { host } = new URL(server.origin)
    const given = ['x-one', 'a', 'x-one', 'b', 'Trailer', 'x-end', 'authorization', 'me']
    expect(rawHeaders).toEqual([...given, 'Host', host, 'Connection', 'keep-alive', 'Transfer-Encoding', 'chunked'])
  })
})

describeWith(TRACK, 'a request through an agent that is still being written when its connection dies', () => {
  const track = useTrack()

  for (const [framing, headers] of [
    ['chunked', {}],
    ['of a known length', length(24).headers],
  ] as const)
    it(`arrives once and in order, whenever its pieces were written (${framing})`, async () => {
      const { call, pool, server } = await onTrial(track, { headers }, (request) => {
        request.write('before, ')
      })
      call.request.write('on trial, ')
      await turns()
      await track.wire.mend()
      await until(() => server.connections[1] !== undefined && call.sockets.length === 2)
      call.request.write('after')
      await sleep(10)
      call.request.end('.')
      await call.ended
      expect(call).toMatchObject({ statusCode: 200, error: undefined })
      expect(`${replayed(server).body}`).toBe('before, on trial, after.')
      expect(pool.replays).toMatchObject([{ verdict: 'refused', attempt: 1 }])
      await untilIdle(pool)
    })

  it('arrives so too where it is ended while it is on trial', async () => {
    const { call, server } = await onTrial(track, {}, (request) => void request.write('before, '))
    call.request.end('on trial')
    await track.wire.mend()
    await call.ended
    expect(call).toMatchObject({ statusCode: 200, error: undefined })
    expect(`${replayed(server).body}`).toBe('before, on trial')
  })

  it('arrives so too where nothing but its headers was written before', async () => {
    const { call, server } = await onTrial(track, {}, (request) => request.flushHeaders())
    await track.wire.mend()
    await until(() => call.sockets.length === 2)
    call.request.end('all of it')
    await call.ended
    expect(`${replayed(server).body}`).toBe('all of it')
  })

  it('arrives so too where it waits for a connection again', async () => {
    const { server, pool, call } = await onTrial(track, { pool: { maxConnections: 1 } }, (request) => {
      request.write('before, ')
    })
    const words = setInterval(() => call.request.write('meanwhile, '), 5)
    await sleep(20)
    await track.wire.mend()
    await until(() => call.sockets.length === 2)
    clearInterval(words)
    call.request.end('after')
    await call.ended
    expect(`${replayed(server).body}`).toMatch(/^before, (meanwhile, ){2,}after$/)
    await untilIdle(pool)
  })

  it('arrives so too where its owner fills one buffer again and again, each time it was told that it was written', async () => {
    const words = ['one', 'two', 'six', 'ten', 'end']
    const { call, server } = await race(track, {}, (request) => {
      const buffer = Buffer.alloc(3)
      const next = (): void => {
        const word = words.shift()
        if (word === undefined) return void request.end()
        buffer.write(word)
        request.write(buffer, () => {
          buffer.fill('?')
          setTimeout(next, 20)
        })
      }
      next()
    })
    expect(call.statusCode).toBe(200)
    expect(`${replayed(server).body}`).toBe('onetwosixtenend')
  })

  it('arrives so too where a producer waits for "drain", 900 kB of it', async () => {
    const whole = bytes(900_000)
    const pieces = [...slices(whole, 30_000)]
    let drains = 0
    const produce = (request: ClientRequest): void => {
      for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift())
        if (!request.write(piece)) {
          request.once('drain', () => {
            drains++
            produce(request)
          })
          return
        }
      request.end()
    }
    const { call, server } = await onTrial(track, {}, produce)
    await track.wire.mend()
    await call.ended
    expect(call).toMatchObject({ statusCode: 200, error: undefined })
    expect(replayed(server).body.equals(whole)).toBe(true)
    expect(drains).toBeGreaterThan(1)
    expect(drains).toBeLessThanOrEqual(30)
  })

  it('fails its own stream once when that fails on the way, and nothing is answered', async () => {
    const failure = new Error('no more of it')
    const source = new PassThrough()
    const outcomes: unknown[] = []
    const { call, pool, server } = await onTrial(track, {}, (request) => {
      source.write('a')
      pipeline(source, request, (error) => void outcomes.push(error))
    })
    source.destroy(failure)
    await call.ended
    await track.wire.mend()
    expect(outcomes).toEqual([failure])
    // A pipeline aborts a request.
    expect(call.only('abort', 'error', 'response', 'close')).toEqual(['abort', 'error ECONNRESET', 'close'])
    await until(() => pool.stats().pending === 0)
    expect(pool.replays).toEqual([])
    expect(bodiesOf(server)).toEqual([['']])
  })
})

describeWith(TRACK, 'of a request through an agent that dies is remembered', () => {
  const track = useTrack()

  /** A POST of which so many bytes were written when it dies: headers, one chunk, and what stands around it. */
  function raceBytes(size: number, written: (error?: Error | null) => void = () => {}) {
    const FRAMING = '12345\r\n'.length + '\r\n'.length + '0\r\n\r\n'.length
    return race(track, {}, (request) => {
      request.flushHeaders()
      const { length } = (request as unknown as { _header: string })._header
      request.write(Buffer.alloc(size - length - FRAMING, 'x'), written)
      request.end()
    })
  }

  it('1 MiB, headers and all', async () => {
    const { call, server } = await raceBytes(MOST_REMEMBERED)
    expect(call.statusCode).toBe(200)
    expect(replayed(server).body.length).toBeGreaterThan(MOST_REMEMBERED - 500)
  })

  it('no byte more: it fails, says why, and its writer is told once', async () => {
    const written: unknown[] = []
    const { call, server, pool } = await raceBytes(MOST_REMEMBERED + 1, (error) => void written.push(error))
    expect(call.only('error', 'response', 'close')).toEqual(['error ECONNRESET', 'close'])
    expect(call.error).toMatchObject({ message: 'socket hang up' })
    expect(call.error?.cause).toMatchObject({ verdict: 'refused', refusal: 'body-gone', evidence: { acknowledged: 0 } })
    expect(call.error?.cause?.message).toContain('too long to be remembered')
    expect(written).toHaveLength(1)
    expect(pool.replays).toEqual([])
    expect(bodiesOf(server)).toEqual([['']])
    expect(pool.stats()).toMatchObject({ pending: 0, active: 0, replayed: 0, opened: 1 })
  })
})
