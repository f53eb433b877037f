/**
 * 408 (Request Timeout), said to a connection that has idled for too long: where it crosses a request of an agent it is no
 * answer to it; else it is one, and the caller's, whole.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { turns, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { close, request, requestHead, respond, send as say, wait } from '../support/servers/script-steps.js'
import type { Script } from '../support/servers/scripted.js'
import { monotonic } from '../support/wire/clock.js'
import { type Begin, race, type Scene, warm } from './agent-scenes.js'
import { Call, sendByHttp } from './caller.js'
import {
  BOTH_ENDS,
  bodiesOf,
  descriptors,
  type Ending,
  endings,
  requestTimeout,
  serve,
  serveAll,
  TRACK,
  untilIdle,
  useTrack,
} from './race-track.js'

const POST = { method: 'POST', body: 'payload' } as const

/** 408, and then FIN, though what still comes is read and acknowledged. */
const lingering =
  (body = ''): Ending =>
  async (connection) => {
    await connection.send(requestTimeout({ body }))
    await connection.halfClose()
  }

/** What the caller hears of the one response that it gets. */
const heard = (call: Call): string[] => call.only('response', 'response-error', 'end', 'error', 'close')
const oneResponse = (status: number): string[] => [`response ${status}`, 'end', 'close']

describeWith(TRACK, 'a 408 that crosses a request of an agent', () => {
  const track = useTrack()

  for (const tls of [false, true])
    describe(tls ? 'over TLS' : 'in the clear', () => {
      it.each(['', 'too late'])('is not the answer to a POST that nobody read, its own body being %j', async (body) => {
        const ending: Ending = async (connection) => {
          await connection.send(requestTimeout({ body }))
          connection.destroy()
        }
        const { server, pool, call } = await race(track, { ...POST, tls, ending })
        expect(call).toMatchObject({ statusCode: 200, body: 'ok' })
        expect(heard(call)).toEqual(oneResponse(200))
        expect(pool.replays).toMatchObject([
          { verdict: 'refused', evidence: { requestTimeout: true, acknowledged: 0, reset: true } },
        ])
        expect(bodiesOf(server)).toEqual([[''], ['payload']])
        await untilIdle(pool)
        expect(pool.stats()).toMatchObject({ closed: { 'server-close': 1 }, pending: 0 })
      })

      it('is not the answer to a GET either, which waits for no proof', async () => {
        const { server, pool, call } = await race(track, { method: 'GET', tls, ending: endings.requestTimeout })
        expect(heard(call)).toEqual(oneResponse(200))
        expect(pool.replays).toMatchObject([{ method: 'GET', evidence: { requestTimeout: true, acknowledged: 0 } }])
        expect(bodiesOf(server)).toEqual([[''], ['']])
      })

      it('has its connection closed where the server does not do so itself', async () => {
        const ending: Ending = (connection) => connection.send(requestTimeout({ body: 'too late' }))
        const scripts = (nth: number) => (nth === 1 ? [serve()] : [serveAll])
        const { server, pool } = await warm(track, { tls, scripts })
        const { sent: call } = await track.strand(server, ending, () => new Call(pool, server.origin))
        await until(() => pool.replays.length === 1)
        await track.wire.mend()
        await call.ended
        expect(heard(call)).toEqual(oneResponse(200))
        await until(() => server.connections[0]!.clientEnded || server.connections[0]!.closedAt !== undefined)
        await untilIdle(pool)
        expect(pool.stats()).toMatchObject({ opened: 2, idle: 1, active: 0, closed: { 'server-close': 1 } })
      })

      it('is the answer to a POST that was read after all, whole', async () => {
        const { server, pool, call } = await race(track, { ...POST, tls, ending: lingering('too late') })
        expect(call).toMatchObject({ statusCode: 408, body: 'too late', error: undefined })
        expect(heard(call)).toEqual(oneResponse(408))
        expect(call.sockets).toHaveLength(1)
        expect(call.response!.headers).toMatchObject({ connection: 'close', 'content-length': '8' })
        expect(pool.replays).toEqual([])
        expect(bodiesOf(server)).toEqual([['', 'payload']])
        await until(() => pool.stats().active === 0)
        expect(pool.stats()).toMatchObject({ pending: 0, opened: 1, idle: 0, closed: { 'server-close': 1 } })
        await pool.close()
      })
    })

  it('is not the answer to a POST whose body is still being sent, and that body is sent from its beginning', async () => {
    const begin: Begin = (request) => {
      const words = ['one', 'two', 'three']
      const next = (): void => {
        const word = words.shift()
        if (word === undefined) request.end()
        else request.write(word, () => setTimeout(next, 40))
      }
      next()
    }
    const { server, call } = await race(track, { ending: endings.requestTimeout }, begin)
    expect(heard(call)).toEqual(oneResponse(200))
    expect(bodiesOf(server)).toEqual([[''], ['onetwothree']])
  })

  describe('of which only a part arrives before the connection is reset', () => {
    const cutShort: Ending = async (connection) => {
      await connection.send(requestTimeout({ body: 'too late' }).slice(0, -4))
      connection.reset()
    }

    it('is not the answer to a GET', async () => {
      const { call, pool } = await race(track, { method: 'GET', ending: cutShort })
      expect(heard(call)).toEqual(oneResponse(200))
      expect(pool.replays).toHaveLength(1)
    })

    it('leaves a POST without proof, which ends once', async () => {
      const { call, pool } = await race(track, { ...POST, ending: cutShort })
      // node tells of it by the request, by the response if that has begun, or by both.
      const ends = call.only('error', 'response-error')
      expect(ends.length).toBeGreaterThan(0)
      expect(new Set(ends).size).toBe(ends.length)
      expect(call.only('end')).toEqual([])
      expect(call.only('close')).toEqual(['close'])
      await until(() => pool.stats().active === 0)
      expect(pool.stats()).toMatchObject({ pending: 0, replayed: 0 })
    })
  })
})

describeWith(TRACK, 'a 408 to a request of an agent that is being looked into', () => {
  const track = useTrack()

  /** The 408 has arrived, and the POST that it crossed is still on the wire: nobody can tell yet whose it is. */
  async function lookedInto(): Promise<Scene> {
    await track.wire.setDelay(60)
    const scene = await warm(track)
    const { server, pool } = scene
    await track.wire.setDelay(1)
    const ending: Ending = async (connection) => {
      await connection.send(requestTimeout({ body: 'too late' }))
      connection.destroy()
    }
    const { sent: call } = await track.strand(server, ending, () => new Call(pool, server.origin, POST))
    await until(() => call.sockets[0]!.bytesRead > 100)
    await turns()
    expect(heard(call)).toEqual([])
    return { ...scene, call }
  }

  it('is not passed on if the RST comes: the request is sent again', async () => {
    const { call, pool, server } = await lookedInto()
    await track.wire.mend()
    await call.ended
    expect(heard(call)).toEqual(oneResponse(200))
    expect(pool.replays).toMatchObject([{ verdict: 'refused', evidence: { requestTimeout: true } }])
    expect(bodiesOf(server)).toEqual([[''], ['payload']])
  })

  it('is passed on when time is up', async () => {
    const { call, pool } = await lookedInto()
    await call.ended
    expect(heard(call)).toEqual(oneResponse(408))
    expect(call.body).toBe('too late')
    expect(pool.replays).toEqual([])
    await until(() => pool.stats().active === 0)
    expect(pool.stats().pending).toBe(0)
    await pool.close()
  })

  it.each([true, false])('is passed on whole, 200 kB in order, its connection ended: %s', async (ends) => {
    const text = Array.from({ length: 20_000 }, (_, nth) => `${nth}`.padStart(10)).join('')
    await track.wire.setDelay(20)
    const { server, pool } = await warm(track)
    await track.wire.setDelay(1)
    // The POST is lost on its way and comes a second time, when all of the 408 is here.
    await track.wire.drop('data', { direction: 'toServer', count: 1 })
    const start = monotonic()
    const call = new Call(pool, server.origin, POST)
    await track.entered('toServer', start, ({ lost }) => lost)
    await server.connections[0]!.send(requestTimeout({ body: text }))
    if (ends) await server.connections[0]!.halfClose()
    await until(() => call.sockets[0]!.bytesRead > text.length)
    expect(heard(call)).toEqual([])
    await call.ended
    expect(heard(call)).toEqual(oneResponse(408))
    expect(call.body === text).toBe(true)
    expect(pool.replays).toEqual([])
    await until(() => pool.stats().active === 0)
    expect(pool.stats().pending).toBe(0)
  })

  it('leaves nothing to pass on when the request is destroyed', async () => {
    const { call, pool, before } = await lookedInto()
    call.request.destroy()
    await call.ended
    await track.wire.mend()
    await until(() => descriptors() === before - BOTH_ENDS)
    expect(heard(call)).toEqual(['error ECONNRESET', 'close'])
    expect(pool.stats()).toMatchObject({ pending: 0, replayed: 0, active: 0 })
  })

  it('fails with the error of destroy()', async () => {
    const { call, pool, before } = await lookedInto()
    const reason = new Error('over')
    pool.destroy(reason)
    await call.ended
    expect(call.error).toBe(reason)
    await track.wire.mend()
    await until(() => descriptors() === before - BOTH_ENDS)
    expect(heard(call)).toEqual(['error undefined', 'close'])
    expect(pool.stats().pending).toBe(0)
  })

  it('keeps close() waiting', async () => {
    const { call, pool } = await lookedInto()
    const closing = pool.close()
    await track.wire.mend()
    await closing
    expect(call.statusCode).toBe(200)
  })
})

describeWith(TRACK, 'a 408 that answers a request of an agent', () => {
  const track = useTrack()

  async function answered(script: Script, options: object = POST, begin?: Begin) {
    const server = await track.server([serve(), ...script])
    const pool = track.pool({ replay: 'closing' })
    await sendByHttp(pool, server.origin)
    await untilIdle(pool)
    const call = new Call(pool, server.origin, options, begin)
    await until(() => call.response !== undefined)
    const respondedAt = performance.now()
    await call.ended
    expect(pool.replays).toEqual([])
    await until(() => pool.stats().pending === 0)
    return { call, respondedAt, pool }
  }

  it('too slow a one is passed on as it is, and at once', async () => {
    const startedAt = performance.now()
    const script = [requestHead(), wait(20), say(requestTimeout({ body: 'too slow' })), close()]
    const { call, respondedAt } = await answered(script, { method: 'POST' }, (request) => {
      request.write('a beginning')
      void sleep(300).then(() => request.end('that came too late'))
    })
    expect(call).toMatchObject({ statusCode: 408, body: 'too slow' })
    expect(respondedAt - startedAt).toBeLessThan(250)
  })

  it.each(['PUT', 'POST'] as const)('a %s that was read is passed on, idempotent or not', async (method) => {
    const { call } = await answered([request(), wait(60), say(requestTimeout()), close()], { ...POST, method })
    expect(call.statusCode).toBe(408)
  })

  it('a GET on every connection is passed on in the end', async () => {
    const server = await track.server((nth) => [
      ...(nth === 1 ? [serve()] : []),
      request(),
      say(requestTimeout({ body: 'always' })),
      close(),
    ])
    const pool = track.pool()
    await sendByHttp(pool, server.origin)
    await untilIdle(pool)
    expect(await sendByHttp(pool, server.origin)).toMatchObject({ statusCode: 408, body: 'always' })
    expect(pool.replays).toHaveLength(1)
    expect(server.connections).toHaveLength(2)
  })

  it('and keeps the connection is passed on: nobody is about to close it', async () => {
    const { call, pool } = await answered([
      requestHead(),
      respond({ status: 408, reason: 'Request Timeout', body: 'kept' }),
    ])
    expect(call).toMatchObject({ statusCode: 408, body: 'kept' })
    expect(pool.stats().idle).toBe(1)
  })

  it('on a new connection is passed on', async () => {
    const server = await track.server([say(requestTimeout({ body: 'who are you' })), close()])
    const pool = track.pool()
    expect(await sendByHttp(pool, server.origin, POST)).toMatchObject({ statusCode: 408, body: 'who are you' })
    expect(pool.replays).toEqual([])
  })

  it('is no different from other statuses that cross a request: they are answers', async () => {
    const { call, pool } = await race(track, {
      ...POST,
      scripts: [serveAll],
      ending: async (connection) => {
        await connection.send('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
        connection.destroy()
      },
    })
    expect(call.statusCode).toBe(503)
    expect(pool.replays).toEqual([])
  })
})
