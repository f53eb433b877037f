/** The times that a caller has set for a request of an agent hold on each of its connections, and while it waits for one. */
import type { ClientRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { close, request } from '../support/servers/script-steps.js'
import { awaitingConnection, awaitingResponse, onTrial, race, type SceneOptions } from './agent-scenes.js'
import { Call, sendByHttp } from './caller.js'
import { serve, serveAll, TRACK, untilIdle, useTrack } from './race-track.js'

const TIMEOUT = 100

/** How a caller sets a time for its request; what it hears is counted elsewhere. */
const ways: Record<string, { options?: SceneOptions; set?: (request: ClientRequest) => void }> = {
  'the option "timeout"': { options: { timeout: TIMEOUT } },
  'setTimeout() before its socket': { set: (request) => request.setTimeout(TIMEOUT) },
  'setTimeout() in the event of its socket': {
    set: (request) => request.once('socket', () => request.setTimeout(TIMEOUT)),
  },
  'setTimeout() after that': { set: (request) => setImmediate(() => request.setTimeout(TIMEOUT)) },
  'setTimeout() over the option': { options: { timeout: 5000 }, set: (request) => request.setTimeout(TIMEOUT) },
  'setTimeout() twice': { set: (request) => request.setTimeout(5000) && request.setTimeout(TIMEOUT) },
}

describeWith(TRACK, 'a request of an agent that was sent again, and is not answered', () => {
  const track = useTrack()

  describe.each(Object.entries(ways))('its time set by %s', (_way, { options, set = () => {} }) => {
    const begin = (request: ClientRequest): void => {
      set(request)
      request.end('text')
    }

    it('hears "timeout" once, so long after it was sent again, and goes on', async () => {
      const { call, server, pool } = await awaitingResponse(track, options, begin)
      const arrivedAt = performance.now()
      expect(call.sockets[1]!.timeout).toBe(TIMEOUT)
      await until(() => call.only('timeout').length > 0)
      const took = performance.now() - arrivedAt
      expect(took).toBeGreaterThan(TIMEOUT - 60)
      expect(took).toBeLessThan(TIMEOUT + 100)
      await sleep(TIMEOUT + 40)
      expect(call.only('timeout', 'error', 'close')).toEqual(['timeout'])
      expect(call.sockets[1]!.listenerCount('timeout')).toBeLessThanOrEqual(1)
      await server.connections[1]!.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      await call.ended
      expect(call.statusCode).toBe(200)
      await untilIdle(pool)
      expect(call.sockets[1]).toMatchObject({ timeout: 0 })
      expect(call.sockets[1]!.listenerCount('timeout')).toBe(0)
    })
  })

  it('hears it once from its third connection, too', async () => {
    const server = await track.server((nth) => (nth <= 2 ? [serve(), request(), close()] : [request()]))
    const pool = track.pool()
    await Promise.all([sendByHttp(pool, server.origin), sendByHttp(pool, server.origin)])
    await untilIdle(pool, 2)
    const call = new Call(pool, server.origin, { method: 'PUT' }, (request) => {
      request.setTimeout(TIMEOUT)
      request.end('text')
    })
    await until(() => server.connections[2]?.requests.length === 1)
    expect(pool.replays).toHaveLength(2)
    await sleep(2 * TIMEOUT + 40)
    expect(call.only('timeout', 'error')).toEqual(['timeout'])
    expect(call.sockets).toHaveLength(3)
  })

  it('calls the callback of setTimeout once', async () => {
    let called = 0
    const { call } = await awaitingResponse(track, {}, (request) => {
      request.setTimeout(TIMEOUT, () => called++)
      request.end('text')
    })
    await until(() => called > 0)
    await sleep(TIMEOUT + 40)
    expect(called).toBe(1)
    expect(call.only('timeout', 'error')).toEqual(['timeout'])
  })

  it('fails by it where its caller has it do so', async () => {
    const failure = new Error('too late')
    const { call, pool } = await awaitingResponse(track, {}, (request) => {
      request.setTimeout(TIMEOUT, () => request.destroy(failure))
      request.end('text')
    })
    await call.ended
    expect(call.error).toBe(failure)
    expect(call.only('timeout', 'error', 'response', 'close')).toEqual(['timeout', 'error undefined', 'close'])
    expect(pool.stats()).toMatchObject({ pending: 0, active: 0, replayed: 1, closed: { aborted: 1 } })
  })

  it('hears none where its time was taken back', async () => {
    const { call } = await awaitingResponse(track, { timeout: TIMEOUT }, (request) => {
      request.end('text')
      request.once('socket', () => request.setTimeout(0))
    })
    await sleep(TIMEOUT + 60)
    expect(call.only('timeout')).toEqual([])
  })
})

describeWith(TRACK, 'the time of a request of an agent', () => {
  const track = useTrack()

  it.each(Object.entries(ways))(
    'goes on while it waits for a connection again, set by %s',
    async (_way, { options, set = () => {} }) => {
      const { call } = await awaitingConnection(track, options, (request) => {
        set(request)
        request.end('text')
      })
      const startedAt = performance.now()
      await until(() => call.only('timeout').length > 0, 1000)
      expect(performance.now() - startedAt).toBeLessThan(TIMEOUT + 100)
      await track.wire.mend()
      await call.ended
      expect(call.statusCode).toBe(200)
      expect(call.only('timeout')).toEqual(['timeout'])
    },
  )

  it('that was over while it waited is over once: not again on the connection that it is given', async () => {
    const silent = (nth: number) => (nth === 1 ? [serveAll] : [request()])
    const { call, server } = await awaitingConnection(track, { scripts: silent, timeout: TIMEOUT, body: 'text' })
    await until(() => call.only('timeout').length > 0)
    await track.wire.mend()
    await until(() => server.connections[1]?.requests.length === 1)
    await sleep(2 * TIMEOUT)
    expect(call.only('timeout', 'error')).toEqual(['timeout'])
  })

  it('that is set while it is on trial holds on the connection that it is given', async () => {
    const silent = (nth: number) => (nth === 1 ? [serve()] : [request()])
    const { call, server } = await onTrial(track, { scripts: silent, timeout: 5000 }, (request) => request.end('text'))
    let called = 0
    call.request.setTimeout(TIMEOUT, () => called++)
    await track.wire.mend()
    await until(() => server.connections[1]?.requests.length === 1)
    expect(call.sockets[1]!.timeout).toBe(TIMEOUT)
    await until(() => called > 0, 1000)
    await sleep(TIMEOUT + 40)
    expect(called).toBe(1)
  })

  it('that is taken back while it is on trial is none on the connection that it is given', async () => {
    const silent = (nth: number) => (nth === 1 ? [serve()] : [request()])
    const { call, server } = await onTrial(track, { scripts: silent, timeout: 300 }, (request) => request.end('text'))
    call.request.setTimeout(0)
    await track.wire.mend()
    await until(() => server.connections[1]?.requests.length === 1)
    await sleep(360)
    expect(call.only('timeout')).toEqual([])
  })

  it('is not the next one’s on the same connection', async () => {
    const { server, pool } = await race(track, { timeout: TIMEOUT, body: 'text' })
    await untilIdle(pool)
    const next = new Call(pool, server.origin, { method: 'POST', body: 'next' })
    await next.ended
    expect(next.reused).toEqual([true])
    expect(next.sockets[0]!.listenerCount('timeout')).toBe(0)
  })
})
