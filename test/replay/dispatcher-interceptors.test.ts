/** Replay below undici's interceptors: they see a request that succeeds, or one that fails once. */
import { type Dispatcher, interceptors, RetryAgent } from 'undici'
import { expect, it } from 'vitest'
import { get } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { respond, request as take } from '../support/servers/script-steps.js'
import type { ScriptedServer, Step } from '../support/servers/scripted.js'
import {
  bodiesOf,
  type Ending,
  endings,
  type Failure,
  failureOf,
  serveAll,
  TRACK,
  type TrackPool,
  useTrack,
} from './race-track.js'

describeWith(TRACK, 'a raced request', () => {
  const track = useTrack()

  interface Counts {
    requests: number
    errors: number
  }

  /** Counts what passes it by: the requests, and the errors of those. */
  function meter(counts: Counts): Dispatcher.DispatcherComposeInterceptor {
    return (dispatch) => (options, handler) => {
      counts.requests++
      return dispatch(options, {
        onRequestStart: (...args) => handler.onRequestStart?.(...args),
        onResponseStart: (...args) => handler.onResponseStart?.(...args),
        onResponseData: (...args) => handler.onResponseData?.(...args),
        onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
        onResponseError(...args) {
          counts.errors++
          handler.onResponseError?.(...args)
        },
      })
    }
  }

  async function race(
    interceptor: Dispatcher.DispatcherComposeInterceptor,
    ending: Ending,
    options: Partial<Dispatcher.RequestOptions>,
    { server, pool }: { server: ScriptedServer; pool: TrackPool },
  ) {
    const counts = { requests: 0, errors: 0 }
    const dispatcher = pool.dispatcher.compose(meter(counts), interceptor)
    await get(pool, server.origin)
    const answer = await track.cross(server, ending, async () => {
      const { statusCode, body } = await dispatcher.request({
        origin: server.origin,
        path: '/',
        method: 'POST',
        body: 'payload',
        ...options,
      })
      return { statusCode, body: await body.text() }
    })
    return { ...answer, counts }
  }

  it('is healed below the retry interceptor, which sees nothing of it', async () => {
    const server = await track.server()
    const pool = track.pool()
    const { statusCode, body, counts } = await race(
      interceptors.retry({ maxRetries: 3 }),
      endings.close,
      {},
      { server, pool },
    )
    expect([statusCode, body]).toEqual([200, 'ok'])
    expect(counts).toEqual({ requests: 1, errors: 0 })
    expect(pool.replays).toMatchObject([{ verdict: 'refused' }])
    expect(bodiesOf(server)).toEqual([[''], ['payload']])
  })

  it('is left to the retry interceptor where replay is off', async () => {
    const server = await track.server()
    const pool = track.pool({ replay: 'off' })
    const retry = interceptors.retry({ maxRetries: 1, minTimeout: 1, errorCodes: ['UND_ERR_SOCKET', 'ECONNRESET'] })
    const { statusCode, counts } = await race(retry, endings.close, { method: 'PUT' }, { server, pool })
    expect(statusCode).toBe(200)
    expect(counts).toEqual({ requests: 2, errors: 1 })
    expect(pool.stats().replayed).toBe(0)
    expect(bodiesOf(server)).toEqual([[''], ['payload']])
  })

  it('fails through the retry interceptor with the error that says why, where it must not be repeated', async () => {
    const server = await track.server()
    const pool = track.pool()
    const error = await failureOf(race(interceptors.retry({ maxRetries: 3 }), endings.halfClose, {}, { server, pool }))
    expect(error.cause).toMatchObject({ code: 'ERR_KEEPWISE_CONNECTION', refusal: 'not-proven' })
    expect(bodiesOf(server)).toEqual([['', 'payload']])
  })

  it('is healed below a RetryAgent', async () => {
    const server = await track.server()
    const pool = track.pool()
    await get(pool, server.origin)
    const agent = new RetryAgent(pool.dispatcher as never, { maxRetries: 3 })
    const { statusCode } = await track.cross(server, endings.close, () =>
      agent.request({ origin: server.origin, path: '/', method: 'POST', body: 'payload' }),
    )
    expect(statusCode).toBe(200)
    expect(pool.replays).toHaveLength(1)
  })

  it('is redirected after it was healed, by the redirect interceptor', async () => {
    const server = await track.server((nth) =>
      nth === 1
        ? [serveAll]
        : [take(), respond({ status: 307, reason: 'Temporary Redirect', headers: { location: '/there' } }), serveAll],
    )
    const pool = track.pool()
    const redirect = interceptors.redirect({ maxRedirections: 1 })
    const { statusCode, counts } = await race(redirect, endings.close, {}, { server, pool })
    expect(statusCode).toBe(200)
    expect(counts).toEqual({ requests: 2, errors: 0 })
    expect(pool.replays).toHaveLength(1)
    expect(server.connections[1]!.requests.map(({ target, body }) => [target, `${body}`])).toEqual([
      ['/', 'payload'],
      ['/there', 'payload'],
    ])
  })

  it('is healed where it is the redirected one that raced', async () => {
    await track.wire.setDelay(20)
    const server = await track.server((nth) => (nth === 1 ? [take(), respond(moved), closeLate] : [serveAll]))
    const moved = { status: 307, reason: 'Temporary Redirect', headers: { location: '/there' } }
    /** Word of its end takes longer than the answer did: the client has used the connection again by then. */
    const closeLate: Step = async (connection) => {
      await track.wire.setDelay(60, 'toClient')
      connection.destroy()
    }
    const pool = track.pool()
    const dispatcher = pool.dispatcher.compose(interceptors.redirect({ maxRedirections: 1 }))
    const answer = await dispatcher.request({ origin: server.origin, path: '/', method: 'POST', body: 'payload' })
    expect([answer.statusCode, await answer.body.text()]).toEqual([200, 'ok'])
    expect(pool.replays).toMatchObject([{ method: 'POST', verdict: 'refused' }])
    expect(bodiesOf(server)).toEqual([['payload'], ['payload']])
  })

  it('fails through responseError as it fails without', async () => {
    const server = await track.server()
    const pool = track.pool()
    const error: Failure = await failureOf(race(interceptors.responseError(), endings.reset, {}, { server, pool }))
    expect(error).toMatchObject({ code: 'ECONNRESET', cause: { refusal: 'not-proven', evidence: { reset: true } } })
  })
})
