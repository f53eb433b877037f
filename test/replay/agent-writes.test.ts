/**
 * What the writer of a request is told: the callback of each write once, and not with the failure of a connection from which
 * the request has moved on; 'prefinish' and 'finish' once.
 */
import type { ClientRequest } from 'node:http'
import { describe, expect, it } from 'vitest'
import { turns, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { onTrial, race, replayed, type SceneOptions, warm } from './agent-scenes.js'
import { Call, plainAgents, sendByHttp } from './caller.js'
import { type Ending, endings, TRACK, useTrack } from './race-track.js'

/** What the kernel takes while nothing leaves. */
const SEND_BUFFER = 64 * 1024
/** More than that: most of it waits to be written. */
const PIECES = 30
const PIECE = 30_000

/** Writes a request in pieces, and notes what it is told of each. */
class Writer {
  /** By piece, what its callback was given: one entry for each call. */
  readonly told: unknown[][] = Array.from({ length: PIECES }, () => [])
  /** Pieces in the order in which they were told of. */
  readonly order: number[] = []
  ended = 0

  /** Some at once, which are given to the system in one call, and some later, which wait behind them. */
  readonly begin = (request: ClientRequest): void => {
    for (let nth = 0; nth < PIECES / 2; nth++) this.#write(request, nth)
    setImmediate(() => {
      for (let nth = PIECES / 2; nth < PIECES; nth++) this.#write(request, nth)
      request.end(() => this.ended++)
    })
  }

  #write(request: ClientRequest, nth: number): void {
    request.write(Buffer.alloc(PIECE, nth), (error) => {
      this.told[nth]!.push(error ?? undefined)
      this.order.push(nth)
    })
  }

  get timesTold(): number[] {
    return this.told.map(({ length }) => length)
  }
}

const all = Array.from({ length: PIECES }, (_, nth) => nth)
const once = all.map(() => 1)

describeWith(TRACK, 'the writer of a request of an agent that is sent again', () => {
  const track = useTrack()

  for (const [what, begin] of [
    ['with a body', (request: ClientRequest) => void request.end('text')],
    ['without one', (request: ClientRequest) => void request.end()],
    [
      'in several writes',
      (request: ClientRequest) => {
        request.write('some ')
        setImmediate(() => request.end('text'))
      },
    ],
  ] as const)
    it(`hears "prefinish" and "finish" once, before the response (${what})`, async () => {
      let ends = 0
      const { call } = await race(track, {}, (request) => {
        request.once('finish', () => ends++)
        begin(request)
      })
      expect(call.only('prefinish', 'finish', 'response', 'close')).toEqual([
        ...['prefinish', 'finish', 'response 200', 'close'],
      ])
      expect(ends).toBe(1)
      expect(call.request).toMatchObject({ writableEnded: true, writableFinished: true, writableLength: 0 })
    })

  for (const tls of [false, true])
    for (const [method, ending] of [
      ['POST', 'close'],
      ['PUT', 'close'],
      ['PUT', 'reset'],
      ['PUT', 'halfClose'],
    ] as const)
      it(`hears of each write once, in order, and of no failure (${method}, ${ending}, TLS: ${tls})`, async () => {
        const writer = new Writer()
        const { call, server, pool } = await strandedMidway({ tls, method, ending: endings[ending] }, writer)
        await track.wire.mend()
        await call.ended
        expect(call).toMatchObject({ statusCode: 200, error: undefined })
        expect(pool.replays).toHaveLength(1)
        const { body } = server.connections[1]!.requests[0]!
        expect(body.length).toBe(PIECES * PIECE)
        expect(all.map((nth) => body[nth * PIECE])).toEqual(all)
        expect(writer.told).toEqual(all.map(() => [undefined]))
        expect(writer.order).toEqual(all)
        expect(writer.ended).toBe(1)
        expect(call.only('prefinish', 'finish', 'response', 'close')).toEqual([
          ...['prefinish', 'finish', 'response 200', 'close'],
        ])
      })

  /** A request of which most waits to be written when its connection ends. */
  async function strandedMidway(options: SceneOptions, writer: Writer) {
    track.limitSendBuffers(SEND_BUFFER)
    const { ending = endings.close, tls: _tls, pool: _pool, ...callOptions } = options
    const scene = await warm(track, options)
    let call!: Call
    const endIt: Ending = async (connection) => {
      expect(call.sockets[0]!.writableLength).toBeGreaterThan((PIECES * PIECE) / 2)
      await ending(connection)
    }
    await track.strand(scene.server, endIt, () => {
      call = new Call(scene.pool, scene.server.origin, callOptions, writer.begin)
    })
    await until(() => scene.pool.stats().closed['server-fin'] + scene.pool.stats().closed.reset > 0)
    return { ...scene, call }
  }

  describe('and is not, after all,', () => {
    const ends: Record<string, (scene: Awaited<ReturnType<typeof onTrial>>) => unknown> = {
      'for want of proof': () => {},
      'as the pool is destroyed': ({ pool }) => pool.destroy(),
      'as its caller destroys it': ({ call }) => call.request.destroy(),
      'as its caller aborts it': ({ call }) => call.request.abort(),
    }
    it.each(Object.entries(ends))('%s, hears of each write once', async (_why, end) => {
      track.limitSendBuffers(SEND_BUFFER)
      const writer = new Writer()
      const scene = await onTrial(track, {}, writer.begin)
      end(scene)
      await scene.call.ended
      await turns()
      expect(writer.timesTold).toEqual(once)
      expect(writer.order).toEqual(all)
      expect(scene.call.only('response', 'close')).toEqual(['close'])
    })

    it('hears of it through node as it does from node’s own agent', async () => {
      track.limitSendBuffers(SEND_BUFFER)
      const heard: unknown[] = []
      for (const agents of [track.pool(), plainAgents()]) {
        const server = await track.server()
        await sendByHttp(agents, server.origin)
        const writer = new Writer()
        const { sent: call } = await track.strand(
          server,
          endings.halfClose,
          () => new Call(agents, server.origin, { method: 'POST' }, writer.begin),
        )
        await call.ended
        await turns()
        heard.push({ told: call.only('finish', 'error', 'close'), timesTold: writer.timesTold })
        await track.wire.mend()
      }
      expect(heard[0]).toEqual(heard[1])
      expect(heard[0]).toEqual({ told: ['error ECONNRESET', 'close'], timesTold: once })
    })

    it('for its response has begun, hears of each write once', async () => {
      track.limitSendBuffers(SEND_BUFFER)
      const writer = new Writer()
      const server = await track.server([
        async (connection) => {
          await connection.takeRequest()
          await connection.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
          await connection.untilUnreadHolds('\r\n\r\n')
          await connection.send('HTTP/1.1 20')
          connection.reset()
        },
      ])
      const pool = track.pool()
      await new Call(pool, server.origin).ended
      const call = new Call(pool, server.origin, { method: 'PUT' }, writer.begin)
      await call.ended
      await turns()
      expect(call.error?.cause).toBeUndefined()
      expect(pool.replays).toEqual([])
      expect(writer.timesTold).toEqual(once)
    })
  })
})

describeWith(TRACK, 'what is written to a request of an agent', () => {
  const track = useTrack()

  it('is written again as it was, though its owner has filled the buffer with other things since', async () => {
    const buffer = Buffer.from('as it was')
    const { server } = await race(track, { headers: { 'content-length': 9 } }, (request) => {
      request.end(buffer, () => buffer.fill('?'))
    })
    expect(`${buffer}`).toBe('?????????')
    expect(`${replayed(server).body}`).toBe('as it was')
  })

  it('after its end is an error, on trial as at any time', async () => {
    const { call } = await onTrial(track, {}, (request) => void request.end('text'))
    const codes: unknown[] = []
    call.request.write('more', (error) => void codes.push((error as NodeJS.ErrnoException).code))
    await call.ended
    expect(codes).toEqual(['ERR_STREAM_WRITE_AFTER_END'])
    expect(call.only('error')).toEqual(['error ERR_STREAM_WRITE_AFTER_END', 'error ECONNRESET'])
  })
})
