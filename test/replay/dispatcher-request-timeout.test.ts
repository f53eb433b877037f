/**
 * 408 (Request Timeout): some servers say it to a connection that has idled for too long, before they close it. If that
 * crosses a request, it is no answer to it; else it is one, and the caller's.
 */
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { describe, expect, it } from 'vitest'
import { catchingUncaught, get, legacyHandler, modernHandler, send, type Told, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { close, request, requestHead, respond, send as say, wait } from '../support/servers/script-steps.js'
import type { Script, ScriptedServer } from '../support/servers/scripted.js'
import type { ScriptedConnection } from '../support/servers/scripted-connection.js'
import { monotonic } from '../support/wire/clock.js'
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
  type TrackPool,
  untilIdle,
  useTrack,
} from './race-track.js'

const POST = { method: 'POST', path: '/', body: 'payload' } as const

/** 408, and then FIN, though what still comes is read and acknowledged. */
const lingering =
  (body = ''): Ending =>
  async (connection) => {
    await connection.send(requestTimeout({ body }))
    await connection.halfClose()
  }

describeWith(TRACK, 'a 408 that crosses a request', () => {
  const track = useTrack()

  interface Scene {
    pool: TrackPool
    server: ScriptedServer
    told: Told
  }

  async function dispatched(
    ending: Ending,
    options: Partial<Dispatcher.DispatchOptions> = POST,
    { shape = legacyHandler, overrides = {}, tls = false } = {},
  ): Promise<Scene> {
    const server = await track.server(undefined, { tls })
    const pool = track.pool()
    await get(pool, server.origin)
    const { handler, told } = shape(overrides)
    await track.cross(server, ending, () => {
      pool.dispatcher.dispatch({ origin: server.origin, path: '/', method: 'GET', ...options }, handler)
      return told.ended
    })
    return { server, pool, told }
  }

  for (const tls of [false, true])
    describe(tls ? 'over TLS' : 'in the clear', () => {
      it.each(['', 'too late'])('is not the answer to a POST that nobody read, its own body being %j', async (body) => {
        const ending: Ending = async (connection) => {
          await connection.send(requestTimeout({ body }))
          connection.destroy()
        }
        const { server, pool, told } = await dispatched(ending, POST, { tls })
        expect(told).toMatchObject({ statusCode: 200, body: 'ok' })
        expect(pool.replays).toMatchObject([
          { verdict: 'refused', evidence: { requestTimeout: true, acknowledged: 0, reset: true } },
        ])
        expect(bodiesOf(server)).toEqual([[''], ['payload']])
        await untilIdle(pool)
        expect(pool.stats().closed['server-close']).toBe(1)
      })

      it('is not the answer to a GET either, which waits for no proof', async () => {
        const { server, pool, told } = await dispatched(endings.requestTimeout, { method: 'GET' }, { tls })
        expect(told.statusCode).toBe(200)
        expect(pool.replays).toMatchObject([{ method: 'GET', evidence: { requestTimeout: true, acknowledged: 0 } }])
        expect(bodiesOf(server)).toEqual([[''], ['']])
      })

      it('is the answer to a POST that was read after all', async () => {
        const { server, pool, told } = await dispatched(lingering('too late'), POST, { tls })
        expect(told).toMatchObject({ statusCode: 408, body: 'too late', error: undefined })
        expect(pool.replays).toEqual([])
        expect(bodiesOf(server)).toEqual([['', 'payload']])
        expect(pool.stats().pending).toBe(0)
      })
    })

  it('is not the answer to a POST whose body is still being sent, and that body is sent from its beginning', async () => {
    async function* words(): AsyncGenerator<string> {
      for (const word of ['one', 'two', 'three']) {
        yield word
        await sleep(40)
      }
    }
    const { server, told } = await dispatched(endings.requestTimeout, { method: 'POST', body: words() as never })
    expect(told.statusCode).toBe(200)
    expect(bodiesOf(server)).toEqual([[''], ['onetwothree']])
    expect(told.calls).toEqual([
      'onConnect',
      'onBodySent',
      'onResponseStarted',
      ...['onBodySent', 'onBodySent', 'onRequestSent'],
      ...['onHeaders 200', 'onData', 'onComplete'],
    ])
  })

  it('is not the answer to a fetch', async () => {
    const server = await track.server()
    const pool = track.pool()
    await get(pool, server.origin)
    const init = { method: 'POST', body: 'payload', dispatcher: pool.dispatcher } as RequestInit
    const response = await track.cross(server, endings.requestTimeout, () => fetch(server.origin, init))
    expect([response.status, await response.text()]).toEqual([200, 'ok'])
  })

  it('is the answer all the same where the body is a stream that cannot be sent again', async () => {
    const { told, pool } = await dispatched(endings.requestTimeout, {
      method: 'POST',
      body: Readable.from(['payload']),
    })
    expect(told.statusCode).toBe(408)
    expect(pool.replays).toEqual([])
    expect(pool.stats().pending).toBe(0)
  })

  describe('that is passed on in the end', () => {
    const text = 'too late. '.repeat(20_000)

    /** The POST is lost on its way and comes a second time; meanwhile a 408 of 200 kB arrives, more than is kept of one. */
    async function lateAndLong(
      shape: typeof legacyHandler,
      overrides: Dispatcher.DispatchHandler = {},
    ): Promise<Scene> {
      await track.wire.setDelay(20)
      const server = await track.server()
      const pool = track.pool()
      await get(pool, server.origin)
      await track.wire.setDelay(1)
      await track.wire.drop('data', { direction: 'toServer', count: 1 })
      const { handler, told } = shape(overrides)
      const start = monotonic()
      pool.dispatcher.dispatch({ origin: server.origin, ...POST }, handler)
      await track.entered('toServer', start, ({ lost }) => lost)
      // No FIN: undici's parser does not expect one while its reader pauses.
      await server.connections[0]!.send(requestTimeout({ body: text }))
      await told.ended
      expect(told).toMatchObject({ statusCode: 408, error: undefined })
      expect(told.body === text).toBe(true)
      expect(told.calls.filter((call) => /onHeaders|onResponseStart /.test(call))).toHaveLength(1)
      expect(told.calls.filter((call) => /Complete|ResponseEnd/.test(call))).toHaveLength(1)
      expect(pool.replays).toEqual([])
      expect(pool.stats().pending).toBe(0)
      return { server, pool, told }
    }

    it('comes whole to a handler of either shape: 200 kB, in order', async () => {
      await lateAndLong(legacyHandler)
      await lateAndLong(modernHandler)
    })

    it('waits for a reader that pauses, at its headers and at every chunk', async () => {
      let goOn = (): void => {}
      let paused = 0
      const pause = (): boolean => {
        paused++
        setTimeout(() => goOn(), 1)
        return false
      }
      const overrides = {
        onHeaders(_status: number, _headers: Buffer[], resume: () => void): boolean {
          goOn = resume
          return pause()
        },
        onData: pause,
      } as unknown as Dispatcher.DispatchHandler
      const { told } = await lateAndLong(legacyHandler, overrides)
      expect(paused).toBe(1 + told.calls.filter((call) => call === 'onData').length)
    })

    it('waits for a controller that pauses', async () => {
      let paused = 0
      const pause = (controller: Dispatcher.DispatchController): void => {
        paused++
        controller.pause()
        setTimeout(() => controller.resume(), 1)
      }
      const { told } = await lateAndLong(modernHandler, { onResponseStart: pause, onResponseData: pause })
      expect(paused).toBe(1 + told.calls.filter((call) => call === 'onResponseData').length)
    })

    it.each(['onHeaders', 'onData'] as const)('fails by what its handler throws in %s', async (method) => {
      const failure = new Error('thrown by the handler')
      const overrides = {
        [method]: () => {
          throw failure
        },
      } as Dispatcher.DispatchHandler
      const caught = await catchingUncaught(async () => {
        const { told, pool } = await dispatched(lingering('too late'), POST, { overrides })
        expect(told.error).toBe(failure)
        expect(told.calls.filter((call) => call === 'onError')).toHaveLength(1)
        expect(pool.stats()).toMatchObject({ pending: 0, active: 0 })
      })
      expect(caught).toEqual([])
    })

    it('fails by what its handler throws after a pause', async () => {
      const failure = new Error('thrown by the handler')
      const overrides = {
        onHeaders: (_status: unknown, _headers: unknown, resume: () => void) => {
          setTimeout(resume, 30)
          return false
        },
        onData: () => {
          throw failure
        },
      } as Dispatcher.DispatchHandler
      const caught = await catchingUncaught(async () => {
        const { told, pool } = await dispatched(lingering('too late'), POST, { overrides })
        expect(told.error).toBe(failure)
        expect(told.calls.filter((call) => call === 'onError')).toHaveLength(1)
        expect(pool.stats().pending).toBe(0)
      })
      expect(caught).toEqual([])
    })
  })

  describe('of which only a part arrives before the connection is reset', () => {
    const cutShort: Ending = async (connection) => {
      await connection.send(requestTimeout({ body: 'too late' }).slice(0, -4))
      connection.reset()
    }

    it('is not the answer to a GET, whose handler hears of one response', async () => {
      const { told, pool } = await dispatched(cutShort, { method: 'GET' })
      expect(told).toMatchObject({ statusCode: 200, body: 'ok' })
      expect(pool.replays).toHaveLength(1)
      expect(told.calls).toEqual([
        ...['onConnect', 'onRequestSent', 'onResponseStarted'],
        ...['onHeaders 200', 'onData', 'onComplete'],
      ])
    })

    it('is not the answer to a POST that was refused, whose handler hears of one response', async () => {
      const cutShortAndClosed: Ending = async (connection) => {
        await connection.send(requestTimeout({ body: 'too late' }).slice(0, -4))
        connection.destroy()
      }
      const { told, pool } = await dispatched(cutShortAndClosed, POST)
      expect(told).toMatchObject({ statusCode: 200, body: 'ok' })
      expect(pool.replays).toMatchObject([{ verdict: 'refused', evidence: { requestTimeout: true } }])
      expect(told.calls).toEqual([
        ...['onConnect', 'onBodySent', 'onRequestSent', 'onResponseStarted'],
        ...['onHeaders 200', 'onData', 'onComplete'],
      ])
    })

    it('leaves a POST without proof, which fails once', async () => {
      const { told, pool } = await dispatched(cutShort, POST)
      expect(told.error).toBeInstanceOf(Error)
      expect(told.calls.filter((call) => /onError|onComplete/.test(call))).toEqual(['onError'])
      expect(pool.stats()).toMatchObject({ pending: 0, replayed: 0 })
    })
  })
})

describeWith(TRACK, 'a 408 that is being looked into', () => {
  const track = useTrack()

  /** The 408 has arrived, and the POST that it crossed is still on the wire: nobody can tell yet whose it is. */
  async function lookedInto(text = 'too late') {
    await track.wire.setDelay(60)
    const server = await track.server()
    const pool = track.pool()
    await get(pool, server.origin)
    await track.wire.setDelay(1)
    const before = descriptors()
    const { handler, told } = legacyHandler()
    await track.strand(
      server,
      async (connection: ScriptedConnection) => {
        await connection.send(requestTimeout({ body: text }))
        connection.destroy()
      },
      () => pool.dispatcher.dispatch({ origin: server.origin, ...POST }, handler),
    )
    await until(() => pool.stats().closed['server-close'] === 1)
    expect(told.calls.at(-1)).toBe('onResponseStarted')
    return { server, pool, told, before }
  }

  it('is not passed on if the RST comes: the request is sent again', async () => {
    const { told, pool, server } = await lookedInto()
    await track.wire.mend()
    await told.ended
    expect(told).toMatchObject({ statusCode: 200, body: 'ok' })
    expect(pool.replays).toMatchObject([{ verdict: 'refused', evidence: { requestTimeout: true } }])
    expect(bodiesOf(server)).toEqual([[''], ['payload']])
  })

  it('is passed on when time is up', async () => {
    const { told, pool } = await lookedInto()
    await told.ended
    expect(told).toMatchObject({ statusCode: 408, body: 'too late' })
    expect(pool.replays).toEqual([])
    expect(pool.stats().pending).toBe(0)
  })

  it('leaves nothing to pass on when the request is aborted', async () => {
    const { told, pool, before } = await lookedInto()
    told.abort()
    await told.ended
    expect(told.error?.name).toBe('AbortError')
    await track.wire.mend()
    await until(() => descriptors() === before - BOTH_ENDS)
    expect(told.calls.at(-1)).toBe('onError')
    expect(pool.stats()).toMatchObject({ pending: 0, replayed: 0 })
  })

  it('fails with the error of destroy()', async () => {
    const { told, pool, before } = await lookedInto()
    const reason = new Error('over')
    pool.destroy(reason)
    await told.ended
    expect(told.error).toBe(reason)
    await track.wire.mend()
    await until(() => descriptors() === before - BOTH_ENDS)
    expect(told.calls.filter((call) => /onError|onComplete/.test(call))).toEqual(['onError'])
    expect(pool.stats().pending).toBe(0)
  })

  it('keeps close() waiting', async () => {
    const { told, pool } = await lookedInto()
    const closing = pool.close()
    await track.wire.mend()
    await closing
    expect(told.statusCode).toBe(200)
  })
})

describeWith(TRACK, 'a 408 that answers', () => {
  const track = useTrack()

  async function answered(script: Script, body: unknown = 'payload', method: 'POST' | 'PUT' = 'POST') {
    const server = await track.server([serve(), ...script])
    const pool = track.pool({ replay: 'closing' })
    await get(pool, server.origin)
    const startedAt = performance.now()
    const answer = await send(pool, server.origin, { method, body: body as never })
    expect(pool.replays).toEqual([])
    return { answer, took: performance.now() - startedAt, pool }
  }

  async function* slowly(): AsyncGenerator<string> {
    yield 'a beginning'
    await sleep(300)
    yield 'that came too late'
  }

  it('a request that was too slow is passed on as it is, and at once', async () => {
    const script = [requestHead(), wait(20), say(requestTimeout({ body: 'too slow' })), close()]
    const { answer, took } = await answered(script, slowly())
    expect(answer).toMatchObject({ statusCode: 408, body: 'too slow', headers: { connection: 'close' } })
    expect(took).toBeLessThan(250)
  })

  it.each(['PUT', 'POST'] as const)('a %s that was read is passed on, idempotent or not', async (method) => {
    const script: Script = [request(), wait(60), say(requestTimeout()), close()]
    const { answer } = await answered(script, 'payload', method)
    expect(answer.statusCode).toBe(408)
  })

  it('a GET, which has no body that can have been too slow, is taken for a word to the connection', async () => {
    const server = await track.server((nth) => [
      ...(nth === 1 ? [serve(), request(), say(requestTimeout()), close()] : [serveAll]),
    ])
    const pool = track.pool({ replay: 'idempotent' })
    await get(pool, server.origin)
    expect((await send(pool, server.origin)).statusCode).toBe(200)
    expect(pool.replays).toMatchObject([{ method: 'GET', evidence: { requestTimeout: true } }])
  })

  it('a GET on every connection is passed on in the end', async () => {
    const server = await track.server((nth) => [
      ...(nth === 1 ? [serve()] : []),
      request(),
      say(requestTimeout({ body: 'always' })),
      close(),
    ])
    const pool = track.pool()
    await get(pool, server.origin)
    expect(await send(pool, server.origin)).toMatchObject({ statusCode: 408, body: 'always' })
    expect(pool.replays).toHaveLength(1)
    expect(server.connections).toHaveLength(2)
  })

  it('and keeps the connection is passed on: nobody is about to close it', async () => {
    const script = [requestHead(), respond({ status: 408, reason: 'Request Timeout', body: 'kept' })]
    const { answer } = await answered(script)
    expect(answer).toMatchObject({ statusCode: 408, body: 'kept' })
  })

  it('and keeps the connection is passed on even where it crosses the request', async () => {
    const server = await track.server()
    const pool = track.pool({ replay: 'closing' })
    await get(pool, server.origin)
    const { sent } = await track.strand(
      server,
      (connection) => connection.send(requestTimeout({ headers: {}, body: 'kept' })),
      () => send(pool, server.origin, POST),
    )
    expect(await sent).toMatchObject({ statusCode: 408, body: 'kept' })
    await track.wire.mend()
    expect(pool.replays).toEqual([])
  })

  it('on a new connection is passed on', async () => {
    const server = await track.server([say(requestTimeout({ body: 'who are you' })), close()])
    const pool = track.pool()
    expect(await send(pool, server.origin, POST)).toMatchObject({ statusCode: 408, body: 'who are you' })
    expect(pool.replays).toEqual([])
  })

  it('is no different from other statuses that cross a request: they are answers', async () => {
    const server = await track.server()
    const pool = track.pool()
    await get(pool, server.origin)
    const answer = await track.cross(
      server,
      async (connection) => {
        await connection.send('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
        connection.destroy()
      },
      () => send(pool, server.origin, POST),
    )
    expect(answer.statusCode).toBe(503)
    expect(pool.replays).toEqual([])
  })
})
