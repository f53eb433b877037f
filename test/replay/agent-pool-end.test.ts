/** The end of a pool, and of its agents, while a request of an agent is being sent again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { catchingUncaught, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { awaitingConnection, awaitingResponse, onTrial, type Scene, TWO_ROUND_TRIPS } from './agent-scenes.js'
import { Call } from './caller.js'
import { BOTH_ENDS, bodiesOf, descriptors, TRACK, useTrack } from './race-track.js'

const BODY = { body: 'text' }

describeWith(TRACK, 'a request of an agent that is being sent again', () => {
  const track = useTrack()

  const moments: Record<string, () => Promise<Scene>> = {
    'while it is on trial': () => onTrial(track, BODY),
    'while it waits for a connection': () => awaitingConnection(track, BODY),
    'while it waits for its response': () => awaitingResponse(track, BODY),
  }

  describe.each(Object.entries(moments))('%s', (_moment, scene) => {
    it.each([
      ['an error of the caller’s', new Error('over')],
      ['none', undefined],
    ])('fails at once when the pool is destroyed, with %s', async (_what, reason) => {
      const caught = await catchingUncaught(async () => {
        const { call, pool, server, before } = await scene()
        const taken = bodiesOf(server)
        pool.destroy(reason)
        await call.ended
        if (reason !== undefined) expect(call.error).toBe(reason)
        else expect(call.error).toMatchObject({ name: 'ClosedError', code: 'ERR_KEEPWISE_CLOSED' })
        expect(call.only('error', 'response', 'close')).toHaveLength(2)
        expect(pool.stats()).toMatchObject({ pending: 0, active: 0, waiting: 0 })
        await track.wire.mend()
        await until(() => descriptors() <= before - BOTH_ENDS)
        expect(bodiesOf(server)).toEqual(taken)
      })
      expect(caught).toEqual([])
    })

    it('keeps close() waiting, and takes none after it', async () => {
      const { call, pool, server } = await scene()
      let closed = false
      const closing = pool.close().then(() => {
        closed = true
      })
      const refused = new Call(pool, server.origin)
      await refused.ended
      expect(refused.error).toMatchObject({ code: 'ERR_KEEPWISE_CLOSED' })
      await sleep(20)
      expect(closed).toBe(false)
      await track.wire.mend()
      // Where nobody answers by himself.
      await until(() => server.connections[1]?.requests.length === 1)
      await sleep(10)
      if (call.statusCode === undefined)
        await server.connections[1]!.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      await Promise.all([closing, call.ended])
      expect(call).toMatchObject({ statusCode: 200, error: undefined })
      expect(pool.stats()).toMatchObject({ pending: 0, active: 0, idle: 0, replayed: 1 })
    })
  })

  it('is not touched by destroy() of its agent while it has no connection: it is sent again', async () => {
    const { call, pool } = await onTrial(track, BODY)
    pool.httpAgent.destroy()
    await track.wire.mend()
    await call.ended
    expect(call).toMatchObject({ statusCode: 200, error: undefined })
  })

  it('fails once if a listener of the event destroys the pool', async () => {
    const { call, pool } = await onTrial(track, BODY)
    pool.once('replay', () => pool.destroy())
    await track.wire.mend()
    await call.ended
    expect(call.error?.name).toBe('ClosedError')
    expect(call.only('error', 'close')).toHaveLength(2)
    await until(() => pool.stats().dialing === 0)
    expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, active: 0 })
  })

  it('is finished if a listener of the event closes the pool', async () => {
    const { call, pool } = await onTrial(track, BODY)
    pool.once('replay', () => void pool.close())
    await track.wire.mend()
    await call.ended
    expect(call.statusCode).toBe(200)
  })
})

describeWith(TRACK, 'a request of an agent on trial', () => {
  const track = useTrack()

  it('waits for two round trips, and not for ever, with one descriptor more for so long', async () => {
    const { call, pool, before } = await onTrial(track, BODY)
    const diedAt = performance.now()
    expect(descriptors()).toBe(before - BOTH_ENDS + 1)
    await call.ended
    expect(descriptors()).toBe(before - BOTH_ENDS)
    expect(performance.now() - diedAt).toBeGreaterThan(TWO_ROUND_TRIPS - 40)
    expect(performance.now() - diedAt).toBeLessThan(1200)
    expect(call.error?.cause?.evidence?.watched).toBeGreaterThan(TWO_ROUND_TRIPS)
    expect(pool.stats().pending).toBe(0)
  })

  it('is sent again as soon as the RST is there', async () => {
    const { call, pool } = await onTrial(track, BODY)
    await track.wire.mend()
    const mendedAt = performance.now()
    await call.ended
    expect(performance.now() - mendedAt).toBeLessThan(150)
    expect(pool.replays).toMatchObject([{ verdict: 'refused', evidence: { fin: true, reset: true, acknowledged: 0 } }])
  })

  it('does not count as one that waits for a connection', async () => {
    const { call } = await onTrial(track, { ...BODY, pool: { acquireTimeout: 180 } })
    await sleep(220)
    expect(call.only('error')).toEqual([])
    await track.wire.mend()
    await call.ended
    expect(call.statusCode).toBe(200)
  })

  it('gives its place to others meanwhile', async () => {
    const { call, pool, server } = await onTrial(track, { ...BODY, pool: { maxConnections: 1 } })
    const other = new Call(pool, server.origin, { method: 'PUT', body: 'other' })
    await until(() => pool.stats().dialing === 1)
    await track.wire.mend()
    await Promise.all([other.ended, call.ended])
    expect([other.statusCode, call.statusCode]).toEqual([200, 200])
    expect(pool.stats()).toMatchObject({ opened: 2, pending: 0 })
  })

  it('is shown by its agent neither among the requests that wait, nor by a socket', async () => {
    const { call, pool } = await onTrial(track, BODY)
    const { sockets, freeSockets, requests } = pool.httpAgent
    expect({ ...sockets }).toEqual({})
    expect({ ...freeSockets }).toEqual({})
    expect({ ...requests }).toEqual({})
    call.request.destroy()
    await call.ended
  })
})

describeWith(TRACK, 'the replay of a request of an agent', () => {
  const track = useTrack()

  it('is given acquireTimeout from the moment it is sent again', async () => {
    const { call, pool } = await awaitingConnection(track, { ...BODY, pool: { acquireTimeout: 150 } })
    const replayedAt = performance.now()
    await call.ended
    expect(performance.now() - replayedAt).toBeGreaterThan(100)
    expect(performance.now() - replayedAt).toBeLessThan(600)
    expect(call.error).toMatchObject({ name: 'AcquireTimeoutError', code: 'ERR_KEEPWISE_ACQUIRE_TIMEOUT' })
    expect(call.only('error', 'close')).toHaveLength(2)
    expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, replayed: 1 })
  })

  it('fails with the error of the dial where that fails', async () => {
    const { call, pool, server } = await onTrial(track, BODY)
    await server.close()
    await track.wire.mend()
    await call.ended
    expect(call.error).toMatchObject({ code: 'ECONNREFUSED', cause: { code: 'ERR_KEEPWISE_CONNECT' } })
    expect(call.only('error', 'close')).toHaveLength(2)
    expect(pool.stats()).toMatchObject({ pending: 0, replayed: 1, dialFailures: 1 })
  })
})
