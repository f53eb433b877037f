/** The caller's handler sees one request, whatever happens below. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { describe, expect, it } from 'vitest'
import { catchingUncaught, get, legacyHandler, modernHandler, type Told } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { close, request } from '../support/servers/script-steps.js'
import type { Scripts } from '../support/servers/scripted.js'
import { type Ending, endings, serveAll, TRACK, type TrackPool, untilIdle, useTrack } from './race-track.js'

type Body = NonNullable<Dispatcher.DispatchOptions['body']> | null
type Shape = typeof legacyHandler

async function* words(pause: number): AsyncGenerator<string> {
  for (const word of ['one', 'two', 'three']) {
    yield word
    await sleep(pause)
  }
}

const shapes: [name: string, shape: Shape][] = [
  ['older', legacyHandler],
  ['newer', modernHandler],
]
const bodies: [what: string, make: () => Body][] = [
  ['a string', () => 'text'],
  ['no body', () => null],
  ['an iterable that is all written', () => ['one', 'two', 'three'] as never],
  ['an iterable that is still being written', () => words(50) as never],
  ['a Buffer of 300 kB', () => Buffer.alloc(300_000)],
]

/** What a handler is told of a request that does not race. */
const calm: Record<string, string[]> = {
  older: ['onConnect', 'onRequestSent', 'onResponseStarted', 'onHeaders 200', 'onData', 'onComplete'],
  newer: ['onRequestStart', 'onResponseStart 200', 'onResponseData', 'onResponseEnd'],
}
const chunksOf: Record<string, number> = {
  'a string': 1,
  'no body': 0,
  'an iterable that is all written': 3,
  'an iterable that is still being written': 3,
  'a Buffer of 300 kB': 1,
}

describeWith(TRACK, 'the handler of a request that is sent again', () => {
  const track = useTrack()

  async function tell(shape: Shape, options: Partial<Dispatcher.DispatchOptions>, more: Scene = {}): Promise<Outcome> {
    const { ending = endings.close, scripts = [serveAll], replay = 'proven', raced = true, overrides } = more
    const server = await track.server(scripts)
    const pool = track.pool({ replay })
    await get(pool, server.origin)
    const { handler, told } = shape(overrides)
    const dispatch = () => {
      pool.dispatcher.dispatch({ origin: server.origin, path: '/', method: 'POST', ...options }, handler)
      return told.ended
    }
    if (raced) await track.cross(server, ending, dispatch)
    else await dispatch()
    // What should not be told any more would be told within these.
    await sleep(20)
    return { pool, told }
  }

  interface Scene {
    ending?: Ending
    scripts?: Scripts
    replay?: 'proven' | 'closing' | 'off'
    raced?: boolean
    overrides?: Dispatcher.DispatchHandler
  }
  interface Outcome {
    pool: TrackPool
    told: Told
  }

  for (const [name, shape] of shapes)
    describe(`of the ${name} shape`, () => {
      it.each(bodies)('is told what it is told of one that does not race: %s', async (what, make) => {
        const { pool, told } = await tell(shape, { body: make() })
        expect(pool.replays).toHaveLength(1)
        const chunks = name === 'older' ? chunksOf[what]! : 0
        const sent = told.calls.filter((call) => call === 'onBodySent')
        expect(sent).toHaveLength(chunks)
        expect(told.calls.filter((call) => call !== 'onBodySent')).toEqual(calm[name])
        expect(told.body).toBe('ok')

        const other = await tell(shape, { body: make() }, { raced: false })
        expect(other.pool.replays).toEqual([])
        expect(told.calls).toEqual(other.told.calls)
      })

      it('is told of one error where it is not sent again', async () => {
        const { pool, told } = await tell(shape, { body: 'text' }, { ending: endings.halfClose })
        const start = name === 'older' ? ['onConnect', 'onBodySent', 'onRequestSent'] : ['onRequestStart']
        expect(told.calls).toEqual([...start, name === 'older' ? 'onError' : 'onResponseError'])
        expect(told.error?.code).toBe('UND_ERR_SOCKET')
        expect(pool.stats().pending).toBe(0)
      })

      it('is told of one error where the replay fails in its turn', async () => {
        // The new connection closes on the request as well: no race, and no replay.
        const scripts: Scripts = (nth) => (nth === 1 ? [serveAll] : [request(), close()])
        const { pool, told } = await tell(shape, { body: 'text' }, { scripts })
        const start = name === 'older' ? ['onConnect', 'onBodySent', 'onRequestSent'] : ['onRequestStart']
        expect(told.calls).toEqual([...start, name === 'older' ? 'onError' : 'onResponseError'])
        expect(told.error?.cause).toMatchObject({ refusal: 'new-connection' })
        expect(pool.replays).toHaveLength(1)
        expect(pool.stats()).toMatchObject({ pending: 0, replayed: 1 })
      })

      it('is not told of a 408 that was not meant for it', async () => {
        const { pool, told } = await tell(shape, { body: 'text' }, { ending: endings.requestTimeout })
        expect(pool.replays).toMatchObject([{ evidence: { requestTimeout: true } }])
        const expected = name === 'older' ? ['onConnect', 'onBodySent', ...calm.older!.slice(1)] : calm.newer
        expect(told.calls).toEqual(expected)
        expect(told.statusCode).toBe(200)
      })

      it('fails alone when it throws over the replay’s answer', async () => {
        const failure = new Error('thrown by the handler')
        const thrower = () => {
          throw failure
        }
        const overrides = { onHeaders: thrower, onResponseStart: thrower } as Dispatcher.DispatchHandler
        let pool: TrackPool | undefined
        const caught = await catchingUncaught(async () => {
          const result = await tell(shape, { body: 'text' }, { overrides })
          pool = result.pool
          expect(result.told.error).toBe(failure)
          expect(result.told.calls.filter((call) => /Error$/.test(call))).toHaveLength(1)
        })
        expect(caught).toEqual([])
        expect(pool!.stats()).toMatchObject({ pending: 0, active: 0, replayed: 1 })
      })
    })

  it('is told of each chunk with what undici tells it, and of its bytes once', async () => {
    const sizes: number[] = []
    const overrides = {
      onBodySent: (chunk: Uint8Array | string) => void sizes.push(chunk.length),
    } as unknown as Dispatcher.DispatchHandler
    await tell(legacyHandler, { body: words(50) as never }, { overrides })
    expect(sizes).toEqual([3, 3, 5])
  })

  it('is not told that it was sent after its answer is complete', async () => {
    // Answered before its body was sent: on a connection that is remembered, the reader ends with the answer.
    const early: Scripts = [
      async (connection) => {
        await connection.takeRequest()
        await connection.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
        await connection.untilUnreadHolds('three')
        await connection.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      },
    ]
    async function* endless(): AsyncGenerator<string> {
      yield* words(1)
      await sleep(60)
      yield 'never sent'
    }
    const { told, pool } = await tell(legacyHandler, { body: endless() as never }, { scripts: early, raced: false })
    await sleep(100)
    expect(told.calls.at(-1)).toBe('onComplete')
    expect(told.calls).not.toContain('onRequestSent')
    expect(pool.stats().closed.aborted).toBe(1)
  })

  it('has the pool back in order afterwards: the next request takes the new connection', async () => {
    const server = await track.server()
    const pool = track.pool()
    await get(pool, server.origin)
    const { handler, told } = legacyHandler()
    await track.cross(server, endings.close, () => {
      pool.dispatcher.dispatch({ origin: server.origin, path: '/', method: 'POST', body: 'x' }, handler)
      return told.ended
    })
    await untilIdle(pool)
    await get(pool, server.origin)
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([1, 2])
    expect(pool.stats()).toMatchObject({ opened: 2, requests: 4, replayed: 1, idle: 1, active: 0, pending: 0 })
  })
})
