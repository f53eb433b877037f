/** Nothing is left of a request of an agent that was sent again, or not: no memory, no listener, no descriptor. */
import { readFileSync } from 'node:fs'
import type { ClientRequest } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { ClosedError } from '../../src/index.js'
import { turns, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { awaitingConnection, onTrial, race, type Scene } from './agent-scenes.js'
import { Call, sendByHttp } from './caller.js'
import { BOTH_ENDS, descriptors, endings, serve, TRACK, untilIdle, useTrack } from './race-track.js'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/** Waits until nothing holds any of them any more. */
async function untilCollected(refs: readonly WeakRef<object>[]): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    await turns()
    collect()
    if (refs.every((ref) => ref.deref() === undefined)) return
  }
  const held = refs.map((ref) => ref.deref()?.constructor.name).filter((name) => name !== undefined)
  throw new Error(`Still held: ${held.join(', ')}`)
}

/** TCP connections of this network namespace in a state: 08 is CLOSE_WAIT, of which nobody has closed this end. */
function connectionsIn(state: string): number {
  const [, ...lines] = readFileSync('/proc/thread-self/net/tcp', 'latin1').trim().split('\n')
  return lines.filter((line) => line.trim().split(/\s+/)[3] === state).length
}

const BODY_SIZE = 300_000

describeWith(TRACK, 'of a request of an agent', () => {
  const track = useTrack()

  const scenes: Record<string, () => Promise<Scene>> = {
    'that was sent again and answered': async () => {
      const scene = await race(track, {}, body)
      expect(scene.call.statusCode).toBe(200)
      return scene
    },
    'that was sent again over TLS': () => race(track, { tls: true }, body),
    'that was not sent again': () => race(track, { ending: endings.halfClose }, body),
    'that was destroyed on trial': async () => {
      const scene = await onTrial(track, {}, body)
      scene.call.request.destroy()
      return scene
    },
    'that was aborted while it waited for another connection': async () => {
      const scene = await awaitingConnection(track, {}, body)
      scene.call.request.abort()
      return scene
    },
    'whose pool was destroyed': async () => {
      const scene = await onTrial(track, {}, body)
      scene.pool.destroy()
      return scene
    },
  }
  /** Memory outside of V8's heap, held by nobody but the request and what remembers it. */
  const body = (request: ClientRequest): void => void request.end(Buffer.alloc(BODY_SIZE))

  describe.each(Object.entries(scenes))('%s', (_what, scene) => {
    it('nothing is held: neither request nor response, nor the connection that died', async () => {
      const refs: WeakRef<object>[] = []
      const { pool, server } = await (async () => {
        const { call, ...rest } = await scene()
        await call.ended
        const { request, response, sockets, error } = call
        // What a pool was destroyed with is the pool's.
        for (const each of [call, request, response, sockets[0], error])
          if (each !== undefined && !(each instanceof ClosedError)) refs.push(new WeakRef(each))
        return rest
      })()
      await track.wire.mend()
      await until(() => pool.stats().pending === 0 && pool.stats().dialing === 0)
      expect(refs.length).toBeGreaterThanOrEqual(3)
      // Whatever was the last one on a connection that is still there is let go by the next one.
      if (pool.stats().idle > 0) await sendByHttp(pool, server.origin)
      await untilCollected(refs)
    })
  })

  it('not one of 30 that raced one after the other is held, nor are their bodies', async () => {
    const server = await track.server()
    const pool = track.pool()
    const refs: WeakRef<object>[] = []
    await sendByHttp(pool, server.origin)
    const raceOnce = async (): Promise<void> => {
      await untilIdle(pool)
      const call = await track.cross(server, endings.close, async () => {
        const raced = new Call(pool, server.origin, { method: 'POST' }, body)
        await raced.ended
        return raced
      })
      expect(call.statusCode).toBe(200)
      refs.push(new WeakRef(call.request), new WeakRef(call.sockets[0]!))
      // What the server's end remembers of it is this test's own.
      for (const { requests } of server.connections) requests.length = 0
      server.log.length = 0
    }
    for (let nth = 0; nth < 5; nth++) await raceOnce()
    await settleMemory()
    const before = process.memoryUsage().arrayBuffers
    const descriptorsBefore = descriptors()
    for (let nth = 0; nth < 25; nth++) await raceOnce()
    await untilIdle(pool)
    await sendByHttp(pool, server.origin)
    await settleMemory()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5 * BODY_SIZE)
    await untilCollected(refs)
    expect(descriptors()).toBe(descriptorsBefore)
    expect(connectionsIn('08')).toBe(0)
    expect(pool.stats()).toMatchObject({ replayed: 30, opened: 31, idle: 1, pending: 0 })
  })

  it('that is being answered, the body is let go with the first byte of the response', async () => {
    const BIG = 900_000
    const server = await track.server([
      serve(),
      async (connection) => {
        await connection.takeRequest()
        connection.requests.length = 0
        await connection.send('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha')
        await connection.closed()
      },
    ])
    const pool = track.pool()
    await sendByHttp(pool, server.origin)
    await untilIdle(pool)
    await settleMemory()
    const before = process.memoryUsage().arrayBuffers
    const call = new Call(pool, server.origin, { method: 'POST' }, (request) => void request.end(Buffer.alloc(BIG)))
    await until(() => call.body === 'ha')
    await settleMemory()
    // The server's end has read it all at once, and keeps it for as long as nothing follows.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1.5 * BIG)
    expect(call.reused).toEqual([true])
    call.request.destroy()
    await call.ended
  })

  async function settleMemory(): Promise<void> {
    for (let attempt = 0; attempt < 5; attempt++) {
      await turns()
      collect()
    }
  }
})

describeWith(TRACK, 'a pool whose agents raced', () => {
  const track = useTrack()

  it.each([false, true])('has no descriptor left when it is closed, however each race ended, TLS: %s', async (tls) => {
    const before = descriptors()
    const server = await track.server(undefined, { tls })
    const pool = track.pool()
    for (const [name, ending] of Object.entries(endings))
      for (const method of ['PUT', 'POST']) {
        await sendByHttp(pool, server.origin)
        await untilIdle(pool)
        const call = await track.cross(server, ending, async () => {
          const raced = new Call(pool, server.origin, { method, body: 'text', path: `/${name}` })
          await raced.ended
          return raced
        })
        expect(call.only('close')).toEqual(['close'])
        await until(() => pool.stats().active === 0)
        expect(descriptors()).toBeLessThanOrEqual(before + 1 + BOTH_ENDS)
      }
    await pool.close()
    await server.close()
    await until(() => descriptors() <= before)
    expect(connectionsIn('08')).toBe(0)
    expect(pool.stats()).toMatchObject({ pending: 0, active: 0, idle: 0, waiting: 0 })
  })
})
