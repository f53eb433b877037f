/** A Node whose requests are not built as expected: agents say so, send nothing again, and look before they reuse. */
import { type ClientRequest, OutgoingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { blockLoop, catchingUncaught, send, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { race, warm } from './agent-scenes.js'
import { Call, sendByHttp } from './caller.js'
import { bodiesOf, endings, type RaceTrack, TRACK, type TrackPool, untilIdle, useTrack } from './race-track.js'

const { prototype } = OutgoingMessage as unknown as { prototype: Record<string, unknown> }

/** A pool that was made while node:http lacked something. */
function poolOnUnknownNode(track: RaceTrack, lacking = '_flushOutput'): TrackPool {
  const { [lacking]: own } = prototype
  prototype[lacking] = undefined
  try {
    const pool = track.pool()
    expect([pool.httpAgent, pool.httpsAgent]).toHaveLength(2) // made now, if they are not made before
    return pool
  } finally {
    prototype[lacking] = own
  }
}

describeWith(TRACK, 'on a Node that is not known', () => {
  const track = useTrack()

  it.each(['_flush', '_flushOutput', '_writeRaw'])('(it lacks %s) a pool says so', (lacking) => {
    expect(poolOnUnknownNode(track, lacking).capabilities).toMatchObject({ requestReplay: false, tcpInfo: true })
    expect(track.pool().capabilities).toMatchObject({ requestReplay: true })
  })

  for (const tls of [false, true])
    it.each(['PUT', 'POST'])(`a raced %s of an agent fails, and says why, TLS: ${tls}`, async (method) => {
      const on = poolOnUnknownNode(track)
      const { call, pool, server } = await race(track, { on, tls, method, body: 'text' })
      expect(call.only('error', 'response', 'close')).toEqual(['error ECONNRESET', 'close'])
      expect(call.error).toMatchObject({ message: 'socket hang up' })
      expect(call.error!.cause).toMatchObject({ refusal: 'unknown-node', evidence: { acknowledged: 0, fin: true } })
      expect(call.error!.cause!.message).toContain("this Node's requests are not known")
      expect(pool.replays).toEqual([])
      expect(bodiesOf(server)).toEqual([['']])
      expect(pool.stats()).toMatchObject({ opened: 1, pending: 0, active: 0, replayed: 0 })
    })

  it('a 408 that crosses a request of an agent is passed on', async () => {
    const { call } = await race(track, { on: poolOnUnknownNode(track), body: 'text', ending: endings.requestTimeout })
    expect(call).toMatchObject({ statusCode: 408, error: undefined })
  })

  it('a raced request through the dispatcher of the same pool is sent again', async () => {
    const pool = poolOnUnknownNode(track)
    const { server } = await warm(track, { on: pool })
    const raced = () => send(pool, server.origin, { method: 'POST', body: 'text' })
    expect((await track.cross(server, endings.close, raced)).statusCode).toBe(200)
    expect(pool.replays).toMatchObject([{ verdict: 'refused' }])
  })

  it('a connection whose end is here, though nobody has read it, is not used', async () => {
    const { server, pool } = await warm(track, { on: poolOnUnknownNode(track) })
    server.connections[0]!.raw.destroy()
    blockLoop(20)
    expect(await sendByHttp(pool, server.origin, { method: 'POST', body: 'text' })).toMatchObject({ statusCode: 200 })
    await untilIdle(pool)
    expect(pool.stats()).toMatchObject({ opened: 2, closed: { stale: 1 } })
    expect(bodiesOf(server)).toEqual([[''], ['text']])
  })

  describe('a request of an agent whose connection was gone before it wrote anything fails once, and says why', () => {
    it('if it heard of it', async () => {
      const { server, pool } = await warm(track, { on: poolOnUnknownNode(track) })
      const call = new Call(pool, server.origin, { method: 'POST' }, () => {})
      await until(() => call.sockets.length === 1)
      server.connections[0]!.destroy()
      await call.ended
      expect(call.only('error', 'close')).toEqual(['error ECONNRESET', 'close'])
      expect(call.error!.cause).toMatchObject({ verdict: 'unsent', refusal: 'unknown-node' })
      expect(pool.stats()).toMatchObject({ pending: 0, active: 0 })
    })

    const moments: Record<string, (request: ClientRequest, end: () => void) => void> = {
      'if it finds out as it writes': (request, end) => {
        request.once('socket', () => {
          end()
          request.write('one')
          request.end('two')
        })
      },
      'if it finds out before it is given the socket': (request, end) => {
        request.write('one')
        request.end('two')
        end()
      },
    }
    it.each(Object.entries(moments))('%s', async (_when, begin) => {
      const caught = await catchingUncaught(async () => {
        const { server, pool } = await warm(track, { on: poolOnUnknownNode(track) })
        await sleep(120)
        const call = new Call(pool, server.origin, { method: 'POST' }, (request) =>
          begin(request, () => {
            server.connections[0]!.raw.destroy()
            blockLoop(20)
          }),
        )
        await call.ended
        expect(call.only('error', 'close')).toEqual(['error ECONNRESET', 'close'])
        expect(call.error!.cause).toMatchObject({ verdict: 'unsent', refusal: 'unknown-node' })
        await until(() => pool.stats().pending === 0)
        expect(bodiesOf(server).flat()).toEqual([''])
        expect(await sendByHttp(pool, server.origin)).toMatchObject({ statusCode: 200 })
      })
      expect(caught).toEqual([])
    })
  })
})
