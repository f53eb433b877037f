/**
 * The caller of an agent takes its time between http.request() and the first byte: if the connection is gone by then, the
 * request goes to another one, whatever its method, and that is no replay.
 */
import type { ClientRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { blockLoop, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import type { ScriptedServer } from '../support/servers/scripted.js'
import { replayed, warm } from './agent-scenes.js'
import { Call, type CallOptions, sendByHttp } from './caller.js'
import { bodiesOf, endings, TRACK, type TrackPool, untilIdle, useTrack } from './race-track.js'

const nothing = (): void => {}

/** From then on an idle connection is looked at once more before its request is written. */
const LONG_IDLE = 105
/** For the FIN to arrive, while nobody here can read it. */
const DELIVERY = 20

describeWith(TRACK, 'a request of an agent of which nothing was written when its connection ended', () => {
  const track = useTrack()

  /** Writes it on another connection than the first. */
  async function expectMoved({ server, pool }: { server: ScriptedServer; pool: TrackPool }, call: Call, body: string) {
    await call.ended
    expect(call).toMatchObject({ statusCode: 200, body: 'ok', error: undefined })
    expect(call.only('response', 'error', 'close')).toEqual(['response 200', 'close'])
    expect(call.only('finish', 'prefinish')).toEqual(['prefinish', 'finish'])
    expect(bodiesOf(server).at(-1)).toEqual([body])
    expect(pool.replays).toEqual([])
    await untilIdle(pool)
    expect(pool.stats()).toMatchObject({ opened: 2, replayed: 0, pending: 0, idle: 1, waiting: 0 })
  }

  for (const tls of [false, true])
    describe(tls ? 'over TLS' : 'in the clear', () => {
      for (const [ending, end] of Object.entries(endings).filter(([name]) => name !== 'requestTimeout'))
        it(`goes to another connection, which its caller hears of as of a first one (${ending})`, async () => {
          const scene = await warm(track, { tls })
          const { server, pool } = scene
          const call = new Call(pool, server.origin, { method: 'POST' }, nothing)
          await until(() => call.sockets.length === 1)
          end(server.connections[0]!)
          await until(() => call.sockets.length === 2)
          expect(call.reused).toEqual([true, false])
          expect(call.request.socket).toBe(call.sockets[1])
          call.request.end('late')
          await expectMoved(scene, call, 'late')
          expect(replayed(server).method).toBe('POST')
        })
    })

  it('goes to another connection where its own was new, and had idled for half a second', async () => {
    const server = await track.server()
    const pool = track.pool()
    const call = new Call(pool, server.origin, { method: 'POST' }, nothing)
    await until(() => call.sockets.length === 1)
    await sleep(550)
    server.connections[0]!.destroy()
    await until(() => call.sockets.length === 2)
    expect(call.reused).toEqual([false, false])
    call.request.end('late')
    await expectMoved({ server, pool }, call, 'late')
  })

  it('fails where its own was new just before: the next one would hardly do better', async () => {
    const server = await track.server()
    const pool = track.pool()
    const call = new Call(pool, server.origin, { method: 'GET' }, nothing)
    await until(() => call.sockets.length === 1 && server.connections.length === 1)
    server.connections[0]!.destroy()
    await call.ended
    expect(call.only('socket', 'error', 'close')).toEqual(['socket', 'error ECONNRESET', 'close'])
    expect(call.error?.message).toBe('socket hang up')
    expect(call.error?.cause).toMatchObject({ verdict: 'unsent', refusal: 'new-connection' })
    expect(pool.stats()).toMatchObject({ opened: 1, pending: 0, active: 0 })
  })

  it('gives up after three new ones that end the same way', async () => {
    const server = await track.server()
    const pool = track.pool()
    const call = new Call(pool, server.origin, { method: 'POST' }, nothing)
    for (let nth = 1; nth <= 3; nth++) {
      await until(() => call.sockets.length === nth)
      await sleep(520)
      server.connections.at(-1)!.destroy()
    }
    await call.ended
    expect(call.only('error', 'close')).toEqual(['error ECONNRESET', 'close'])
    expect(call.error?.cause).toMatchObject({ verdict: 'unsent', refusal: 'too-many' })
    expect(pool.stats()).toMatchObject({ opened: 3, pending: 0, active: 0, replayed: 0 })
  })

  it('goes to another idle one, if there is one', async () => {
    const server = await track.server()
    const pool = track.pool()
    await Promise.all([sendByHttp(pool, server.origin), sendByHttp(pool, server.origin)])
    await untilIdle(pool, 2)
    const call = new Call(pool, server.origin, { method: 'POST' }, nothing)
    await until(() => call.sockets.length === 1)
    server.connections.find(({ raw }) => raw.remotePort === call.sockets[0]!.localPort)!.destroy()
    await until(() => call.sockets.length === 2)
    expect(call.reused).toEqual([true, true])
    call.request.end('late')
    await call.ended
    expect(
      bodiesOf(server)
        .map((bodies) => bodies.length)
        .sort(),
    ).toEqual([1, 2])
    expect(pool.stats()).toMatchObject({ opened: 2, replayed: 0, pending: 0 })
  })
})

describeWith(TRACK, 'a request of an agent whose connection turns out to be gone as it is written', () => {
  const track = useTrack()

  /** A caller that blocks the event loop while its connection ends, and then writes. */
  async function writeTooLate(write: (request: ClientRequest) => void, { tls = false, ...options }: Late = {}) {
    const scene = await warm(track, { tls })
    const { server, pool } = scene
    await sleep(LONG_IDLE)
    const call = new Call(pool, server.origin, { method: 'POST', ...options }, (request) => {
      request.once('socket', () => {
        server.connections[0]!.raw.destroy()
        blockLoop(DELIVERY)
        write(request)
      })
    })
    await call.ended
    return { ...scene, call }
  }
  interface Late extends CallOptions {
    tls?: boolean
  }

  const ways: Record<string, [write: (request: ClientRequest) => void, body: string]> = {
    'at once': [(request) => void request.end('text'), 'text'],
    'without a body': [(request) => void request.end(), ''],
    'in pieces, in the same turn': [
      (request) => {
        request.write('one')
        request.write('two')
        request.end('three')
      },
      'onetwothree',
    ],
    'in pieces, in turns to come': [
      (request) => {
        request.write('one')
        process.nextTick(() => request.write('two'))
        setImmediate(() => setTimeout(() => request.end('three'), 10))
      },
      'onetwothree',
    ],
    'in pieces, in microtasks': [
      (request) => {
        request.write('one')
        void Promise.resolve().then(() => void request.write('two'))
        queueMicrotask(() => queueMicrotask(() => request.end('three')))
      },
      'onetwothree',
    ],
    'headers first': [
      (request) => {
        request.flushHeaders()
        request.write('one')
        setImmediate(() => request.end('two'))
      },
      'onetwo',
    ],
  }

  const cases = Object.entries(ways).map(([how, [write, body]]) => ({ how, write, body, tls: false }))
  cases.push(...cases.slice(4).map((each) => ({ ...each, tls: true })))

  it.each(cases)(
    'loses nothing of what is written, and has it written once: $how, TLS: $tls',
    async ({ write, body, tls }) => {
      const { call, server, pool } = await writeTooLate(write, { tls })
      expect(call).toMatchObject({ statusCode: 200, error: undefined, reused: [true, false] })
      expect(`${replayed(server).body}`).toBe(body)
      expect(call.only('finish', 'response', 'close')).toEqual(['finish', 'response 200', 'close'])
      expect(pool.replays).toEqual([])
      expect(pool.stats()).toMatchObject({ opened: 2, replayed: 0, pending: 0, closed: { stale: 1 } })
    },
  )

  describe('loses nothing where pieces had been collected before, and more come', () => {
    const one = '1'.repeat(9_000)
    const two = '2'.repeat(9_000)
    const meanwhile: Record<string, (request: ClientRequest) => void> = {
      'in the turn in which they are written': (request) => request.write(two),
      'a tick later': (request) => {
        request.flushHeaders()
        process.nextTick(() => request.write(two))
      },
      'a microtask later': (request) => {
        request.flushHeaders()
        queueMicrotask(() => request.write(two))
      },
      'on "drain"': (request) => void request.once('drain', () => request.write(two)),
    }
    it.each(Object.entries(meanwhile))('%s', async (_when, write) => {
      const { server, pool } = await warm(track)
      await sleep(LONG_IDLE)
      const call = new Call(pool, server.origin, { method: 'POST' }, (request) => {
        request.write(one)
        request.write(one)
        request.once('socket', () => {
          server.connections[0]!.raw.destroy()
          blockLoop(DELIVERY)
          write(request)
          setTimeout(() => request.end('end'), 30)
        })
      })
      await until(() => call.statusCode !== undefined || call.error !== undefined)
      expect(call).toMatchObject({ statusCode: 200, error: undefined })
      expect(`${replayed(server).body}` === `${one}${one}${two}end`).toBe(true)
    })
  })

  it.each(cases)('loses nothing of what was collected for it: $how, TLS: $tls', async ({ write, body, tls }) => {
    const { server, pool } = await warm(track, { tls })
    await sleep(LONG_IDLE)
    const call = new Call(pool, server.origin, { method: 'POST' }, (request) => {
      write(request)
      server.connections[0]!.raw.destroy()
      blockLoop(DELIVERY)
    })
    await call.ended
    expect(call).toMatchObject({ statusCode: 200, error: undefined })
    expect(`${replayed(server).body}`).toBe(body)
    expect(call.only('prefinish', 'finish', 'response', 'close')).toEqual([
      ...['prefinish', 'finish', 'response 200', 'close'],
    ])
    // It has not seen the one that was gone.
    expect(call.reused).toEqual([false])
    expect(pool.replays).toEqual([])
    await untilIdle(pool)
    expect(pool.stats()).toMatchObject({ opened: 2, replayed: 0, pending: 0, closed: { stale: 1 } })
  })

  it('hears "drain" where it waits for that', async () => {
    const { call, server } = await writeTooLate((request) => {
      if (!request.write('x'.repeat(20_000))) request.once('drain', () => request.end('drained'))
      else request.end('drained')
    })
    expect(call.error).toBeUndefined()
    expect(`${replayed(server).body}`).toBe(`${'x'.repeat(20_000)}drained`)
  })

  it('can be given up meanwhile', async () => {
    const failure = new Error('enough')
    const { call, server, pool } = await writeTooLate((request) => {
      request.write('one')
      request.destroy(failure)
    })
    expect(call.only('error', 'close')).toEqual(['error undefined', 'close'])
    expect(call.error).toBe(failure)
    await until(() => pool.stats().pending === 0)
    expect(pool.stats()).toMatchObject({ active: 0, waiting: 0 })
    expect(bodiesOf(server).flat()).toEqual([''])
  })
})
