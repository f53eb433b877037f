/** Two replays at the most, the last of them on a new connection; whatever face the request came through. */
import { expect, it } from 'vitest'
import { until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { close, request } from '../support/servers/script-steps.js'
import type { ScriptedServer } from '../support/servers/scripted.js'
import type { ScriptedConnection } from '../support/servers/scripted-connection.js'
import { monotonic } from '../support/wire/clock.js'
import type { Face } from './faces.js'
import {
  bodiesOf,
  endings,
  failureOf,
  idleConnections,
  serve,
  serveAll,
  TRACK,
  type TrackPool,
  untilIdle,
  useTrack,
} from './race-track.js'

export function describeAttempts(face: Face): void {
  describeWith(TRACK, `a request whose replay dies as well, ${face.name}`, () => deadReplayCases(face))
  describeWith(TRACK, `a replay where one connection is all there may be, ${face.name}`, () => lastPlaceCases(face))
  describeWith(TRACK, `the events and numbers of replays, ${face.name}`, () => numberCases(face))
}

function deadReplayCases({ send }: Face): void {
  const track = useTrack()

  /** Opens connections and leaves them idle; gives them in the order in which the pool will use them. */
  async function fill(pool: TrackPool, server: ScriptedServer, count: number): Promise<ScriptedConnection[]> {
    await Promise.all(Array.from({ length: count }, () => send(pool, server.origin)))
    await untilIdle(pool, count)
    return idleConnections(pool, server)
  }

  it('is sent a second time, on a new connection though another one idles', async () => {
    // The first three serve one request each, and close on the next.
    const server = await track.server((nth) => (nth <= 3 ? [serve(), request(), close()] : [serveAll]))
    const pool = track.pool()
    await fill(pool, server, 3)
    const { statusCode } = await send(pool, server.origin, { method: 'PUT', body: 'x' })
    expect(statusCode).toBe(200)
    expect(pool.replays.map(({ attempt, verdict }) => [attempt, verdict])).toEqual([
      [1, 'unknown'],
      [2, 'unknown'],
    ])
    await untilIdle(pool, 2)
    const { replayed, opened, requests, closed } = pool.stats()
    expect({ replayed, opened, requests }).toEqual({ replayed: 2, opened: 4, requests: 6 })
    expect(closed['server-fin']).toBe(2)
    expect(server.connections.map(({ requests }) => requests.length).sort()).toEqual([1, 1, 2, 2])
  })

  it('fails when the new connection ends, too: that is no race', async () => {
    const server = await track.server((nth) => [...(nth <= 2 ? [serve()] : []), request(), close()])
    const pool = track.pool()
    await fill(pool, server, 2)
    const error = await failureOf(send(pool, server.origin, { method: 'PUT', body: 'x' }))
    expect(error.cause).toMatchObject({ refusal: 'new-connection' })
    expect(pool.replays.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(pool.stats()).toMatchObject({ replayed: 2, opened: 3, pending: 0, active: 0 })
  })

  it('is sent a second time though it must not be repeated, where both were refused', async () => {
    await track.wire.setDelay(20)
    const server = await track.server()
    const pool = track.pool()
    const [first, second] = await fill(pool, server, 2)
    const start = monotonic()
    await track.wire.setDelay(1, 'toServer')
    // The end of the first connection is to arrive before that of the second, which is on its way by then.
    await track.wire.setDelay(60, 'toClient')
    first!.destroy()
    const answer = send(pool, server.origin, { method: 'POST', body: 'payload' })
    await track.entered('toClient', start, ({ flags }) => flags.includes('R'))
    await track.wire.setDelay(200, 'toClient')
    const later = monotonic()
    second!.destroy()
    await track.entered('toClient', later, ({ flags }) => flags.includes('F'))
    await track.wire.setDelay(1, 'toClient') // what comes now leaves right behind it
    expect((await answer).statusCode).toBe(200)
    expect(pool.replays).toMatchObject([
      { attempt: 1, verdict: 'refused', evidence: { acknowledged: 0 } },
      { attempt: 2, verdict: 'refused', evidence: { acknowledged: 0 } },
    ])
    expect(bodiesOf(server)).toEqual([[''], [''], ['payload']])
    expect(pool.stats()).toMatchObject({ replayed: 2, opened: 3, pending: 0 })
  })

  it('finds its new connection where there is room for one only', async () => {
    const server = await track.server((nth) => (nth <= 2 ? [serve(), request(), close()] : [serveAll]))
    const pool = track.pool({ maxConnections: 2 })
    await fill(pool, server, 2)
    expect((await send(pool, server.origin, { method: 'PUT', body: 'x' })).statusCode).toBe(200)
    expect(pool.replays).toHaveLength(2)
    expect(pool.stats()).toMatchObject({ opened: 3, pending: 0 })
  })

  it('finds it where an idle connection has to make room', async () => {
    const server = await track.server((nth) => (nth <= 3 ? [serve(), request(), close()] : [serveAll]))
    const pool = track.pool({ maxConnections: 3 })
    await fill(pool, server, 3)
    // The places of the two that die are taken before the replays come to need one.
    pool.on('close', () => void pool.warm(server.origin, 3).catch(() => {}))
    expect((await send(pool, server.origin, { method: 'PUT', body: 'x' })).statusCode).toBe(200)
    expect(pool.replays).toHaveLength(2)
    expect(pool.stats().pending).toBe(0)
  })
}

function lastPlaceCases({ send }: Face): void {
  const track = useTrack()

  it('takes the place of the connection that died', async () => {
    const server = await track.server()
    const pool = track.pool({ maxConnections: 1 })
    await send(pool, server.origin)
    const answer = await track.cross(server, endings.close, () =>
      send(pool, server.origin, { method: 'POST', body: 'x' }),
    )
    expect(answer.statusCode).toBe(200)
    expect(pool.stats()).toMatchObject({ opened: 2, replayed: 1, idle: 1, pending: 0 })
  })

  it('comes before those who wait, for it came earlier, and they all get their turn', async () => {
    const server = await track.server()
    const pool = track.pool({ maxConnections: 1 })
    await send(pool, server.origin)
    const answers = track.cross(server, endings.close, () =>
      Promise.all(['raced', 'second', 'third'].map((body) => send(pool, server.origin, { method: 'POST', body }))),
    )
    expect((await answers).map(({ statusCode }) => statusCode)).toEqual([200, 200, 200])
    expect(bodiesOf(server)).toEqual([[''], ['raced', 'second', 'third']])
    expect(pool.stats()).toMatchObject({ opened: 2, replayed: 1, requests: 5, pending: 0 })
  })

  it('does not count against maxWaiting: it was taken before', async () => {
    const server = await track.server()
    const pool = track.pool({ maxConnections: 1, maxWaiting: 1 })
    await send(pool, server.origin)
    const answers = track.cross(server, endings.close, () =>
      Promise.all(['raced', 'second'].map((body) => send(pool, server.origin, { method: 'POST', body }))),
    )
    expect((await answers).map(({ statusCode }) => statusCode)).toEqual([200, 200])
  })

  it('makes room for another origin’s connection no less than for its own', async () => {
    const servers = [await track.server(), await track.server()] as const
    const pool = track.pool({ maxTotalConnections: 1 })
    await send(pool, servers[0].origin)
    const answers = await track.cross(servers[0], endings.close, () =>
      Promise.all(servers.map(({ origin }) => send(pool, origin, { method: 'POST', body: 'x' }))),
    )
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200])
    await until(() => pool.stats().pending === 0)
    expect(bodiesOf(servers[0])).toEqual([[''], ['x']])
    expect(bodiesOf(servers[1])).toEqual([['x']])
  })
}

function numberCases({ send }: Face): void {
  const track = useTrack()

  it('name origin, method, verdict, evidence and attempt, before the replay has begun', async () => {
    const server = await track.server()
    const pool = track.pool()
    await send(pool, server.origin)
    const start = monotonic()
    const port = server.connections[0]!.raw.remotePort!
    let opened = 0
    pool.on('replay', () => {
      opened = pool.stats().opened
      expect(pool.stats().replayed).toBe(1)
    })
    await track.cross(server, endings.close, () => send(pool, server.origin, { method: 'PATCH', body: 'x' }))
    expect(opened).toBe(1)
    const [replay] = pool.replays
    const { written, sent, watched, ...evidence } = replay!.evidence
    expect(replay).toEqual({
      origin: server.origin,
      method: 'PATCH',
      verdict: 'refused',
      evidence: replay!.evidence,
      attempt: 1,
    })
    expect(evidence).toEqual({ acknowledged: 0, fin: true, reset: true, requestTimeout: false })
    expect(written).toBe(sent)
    expect(sent).toBe(await track.payload('toServer', start, port))
    expect(watched).toBeGreaterThanOrEqual(0)
  })

  it('are counted for the pool and for the origin', async () => {
    const servers = [await track.server(), await track.server()]
    const pool = track.pool()
    for (const server of servers) await send(pool, server.origin)
    await track.cross(servers[1]!, endings.close, () => send(pool, servers[1]!.origin, { method: 'POST' }))
    const { replayed, origins } = pool.stats()
    expect(replayed).toBe(1)
    expect(servers.map(({ origin }) => origins[origin]!.replayed)).toEqual([0, 1])
  })
}
