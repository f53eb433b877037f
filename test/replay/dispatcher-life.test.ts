/** Aborts, timeouts and the end of the pool, at every moment of a request that is sent again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { ConnectionError, PoolOptions } from '../../src/index.js'
import {
  blockLoop,
  catchingUncaught,
  get,
  legacyHandler,
  modernHandler,
  send,
  type Told,
  until,
} from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { request } from '../support/servers/script-steps.js'
import type { ScriptedServer } from '../support/servers/scripted.js'
import {
  BOTH_ENDS,
  bodiesOf,
  descriptors,
  endings,
  failureOf,
  idleConnections,
  serveAll,
  TRACK,
  type TrackPool,
  useTrack,
} from './race-track.js'

/** One way of a round trip that keeps a request waiting for its evidence for some time; for connections made meanwhile. */
const LONG_WAY = 60
const TWO_ROUND_TRIPS = 4 * LONG_WAY

describeWith(TRACK, 'a request between death and verdict', () => {
  const track = useTrack()

  interface Scene {
    pool: TrackPool
    server: ScriptedServer
    told: Told
    /** When its connection had ended. */
    diedAt: number
    /** Descriptors of the process before it was sent. */
    before: number
  }

  /** A POST whose evidence is being waited for: its connection has ended, and it is still on the wire. */
  async function awaitingEvidence(options: PoolOptions = {}, shape = legacyHandler, body = 'text'): Promise<Scene> {
    await track.wire.setDelay(LONG_WAY)
    const server = await track.server()
    const pool = track.pool(options)
    await get(pool, server.origin)
    await track.wire.setDelay(1)
    const before = descriptors()
    const { handler, told } = shape()
    await track.strand(server, endings.close, () =>
      pool.dispatcher.dispatch({ origin: server.origin, path: '/', method: 'POST', body }, handler),
    )
    await until(() => pool.stats().closed['server-fin'] === 1)
    expect(pool.stats()).toMatchObject({ pending: 1, active: 0, waiting: 0, dialing: 0 })
    return { pool, server, told, diedAt: performance.now(), before }
  }

  const failures = (told: Told): number => told.calls.filter((call) => /Error$/.test(call)).length

  it('waits for two round trips, and not for ever', async () => {
    const { told, diedAt } = await awaitingEvidence()
    await told.ended
    expect(performance.now() - diedAt).toBeGreaterThan(TWO_ROUND_TRIPS - 20)
    expect(performance.now() - diedAt).toBeLessThan(1200)
    const cause = told.error?.cause as ConnectionError
    expect(cause).toMatchObject({ verdict: 'closing', refusal: 'not-proven' })
    expect(cause.evidence?.watched).toBeGreaterThan(TWO_ROUND_TRIPS)
  })

  it('is sent again as soon as the RST is there', async () => {
    const { told, pool, server } = await awaitingEvidence()
    await track.wire.mend()
    const mendedAt = performance.now()
    await told.ended
    expect(performance.now() - mendedAt).toBeLessThan(150)
    expect(told.statusCode).toBe(200)
    expect(pool.replays).toMatchObject([{ verdict: 'refused', evidence: { fin: true, reset: true, acknowledged: 0 } }])
    expect(bodiesOf(server)).toEqual([[''], ['text']])
  })

  for (const [name, shape] of [
    ['older', legacyHandler],
    ['newer', modernHandler],
  ] as const)
    it(`can be aborted: it fails at once and once, and is not sent again (${name} handler)`, async () => {
      const { told, pool, server, before } = await awaitingEvidence({}, shape)
      const reason = new Error('enough')
      told.abort(reason)
      expect(told.error).toBe(reason)
      expect(pool.stats().pending).toBe(0)
      told.abort(new Error('again'))
      await track.wire.mend()
      await until(() => descriptors() === before - BOTH_ENDS)
      expect(failures(told)).toBe(1)
      expect(pool.replays).toEqual([])
      expect(bodiesOf(server)).toEqual([['']])
    })

  it('keeps close() waiting, and is finished', async () => {
    const { told, pool } = await awaitingEvidence()
    let closed = false
    const closing = pool.close().then(() => {
      closed = true
    })
    await sleep(30)
    expect(closed).toBe(false)
    await track.wire.mend()
    await told.ended
    expect(told.statusCode).toBe(200)
    await closing
    expect(pool.stats()).toMatchObject({ pending: 0, active: 0, idle: 0, replayed: 1 })
  })

  it('fails at once when the pool is destroyed, with the error of that, and is not sent again', async () => {
    const { told, pool, server, before } = await awaitingEvidence()
    const reason = new Error('over')
    pool.destroy(reason)
    expect(told.error).toBe(reason)
    expect(failures(told)).toBe(1)
    expect(pool.stats().pending).toBe(0)
    await track.wire.mend()
    await until(() => descriptors() === before - BOTH_ENDS)
    expect(pool.replays).toEqual([])
    expect(bodiesOf(server)).toEqual([['']])
  })

  it('fails at once when the dispatcher is destroyed, whose promise waits for no evidence', async () => {
    const { told, pool, diedAt } = await awaitingEvidence()
    await pool.dispatcher.destroy()
    expect(performance.now() - diedAt).toBeLessThan(150)
    expect(told.error?.name).toBe('ClosedError')
    expect(failures(told)).toBe(1)
  })

  it('does not count as one that waits for headers', async () => {
    const { told } = await awaitingEvidence({ headersTimeout: 3 * LONG_WAY })
    await sleep(3 * LONG_WAY + 40)
    expect(failures(told)).toBe(0)
    await track.wire.mend()
    await told.ended
    expect(told.statusCode).toBe(200)
  })

  it('does not count as one that waits for a connection', async () => {
    const { told } = await awaitingEvidence({ acquireTimeout: 3 * LONG_WAY })
    await sleep(3 * LONG_WAY + 40)
    expect(failures(told)).toBe(0)
    await track.wire.mend()
    await told.ended
    expect(told.statusCode).toBe(200)
  })

  it('has one descriptor more, for as long as that is of use', async () => {
    const { told, before } = await awaitingEvidence()
    expect(descriptors()).toBe(before - BOTH_ENDS + 1)
    await told.ended
    expect(descriptors()).toBe(before - BOTH_ENDS)
  })

  it('gives its place to others meanwhile', async () => {
    const { told, pool, server } = await awaitingEvidence({ maxConnections: 1 })
    const other = send(pool, server.origin, { method: 'PUT', body: 'other' })
    await until(() => pool.stats().dialing === 1)
    await track.wire.mend()
    expect((await other).statusCode).toBe(200)
    await told.ended
    expect(told.statusCode).toBe(200)
    expect(pool.stats()).toMatchObject({ opened: 2, pending: 0 })
  })
})

describeWith(TRACK, 'a connection that ends', () => {
  const track = useTrack()

  async function used(options: PoolOptions = {}) {
    await track.wire.setDelay(LONG_WAY)
    const server = await track.server()
    const pool = track.pool(options)
    await get(pool, server.origin)
    await get(pool, server.origin)
    await track.wire.setDelay(1)
    return { server, pool, before: descriptors() }
  }

  it('takes both its descriptors with it where nobody waits for evidence', async () => {
    const { server, pool, before } = await used()
    let after: number | undefined
    pool.once('replay', () => {
      after = descriptors()
    })
    const { sent } = await track.strand(server, endings.close, () => get(pool, server.origin))
    await until(() => after !== undefined)
    await track.wire.mend()
    expect(await sent).toBe('ok')
    expect(pool.replays).toMatchObject([{ verdict: 'closing', evidence: { watched: 0 } }])
    expect(after).toBe(before - BOTH_ENDS)
  })

  it('does so where it idles', async () => {
    const { server, pool, before } = await used()
    server.connections[0]!.destroy()
    await until(() => pool.stats().closed['server-fin'] === 1)
    expect(descriptors()).toBe(before - BOTH_ENDS)
  })

  it('does so where the pool itself ends it, though a FIN is there that nobody has read', async () => {
    const { server, pool, before } = await used()
    const { handler, told } = legacyHandler()
    await track.strand(
      server,
      () => {},
      () => pool.dispatcher.dispatch({ origin: server.origin, path: '/', method: 'POST', body: 'text' }, handler),
    )
    server.connections[0]!.destroy()
    blockLoop(30)
    pool.destroy()
    expect(descriptors()).toBe(before - BOTH_ENDS)
    await told.ended
    expect(told.error?.name).toBe('ClosedError')
  })
})

describeWith(TRACK, 'a request whose replay waits for a connection', () => {
  const track = useTrack()

  /** A POST that was refused, while nothing reaches the server any more: its replay waits for a dial. */
  async function awaitingConnection(options: PoolOptions = {}, begin?: (pool: TrackPool, told: Told) => void) {
    const server = await track.server()
    const pool = track.pool(options)
    await get(pool, server.origin)
    const before = descriptors()
    const { handler, told } = legacyHandler()
    begin?.(pool, told)
    pool.once('replay', () => void track.wire.hold('toServer'))
    const crossed = track.cross(server, endings.close, async () => {
      pool.dispatcher.dispatch({ origin: server.origin, path: '/', method: 'POST', body: 'text' }, handler)
    })
    await crossed
    await until(() => pool.replays.length === 1)
    return { server, pool, told, replayedAt: performance.now(), before }
  }

  it('can be aborted: its dial is dropped, and nothing is left of it', async () => {
    const { pool, told, server, before } = await awaitingConnection()
    expect(pool.stats()).toMatchObject({ waiting: 1, pending: 1 })
    told.abort()
    expect(told.error?.name).toBe('AbortError')
    expect(pool.stats()).toMatchObject({ waiting: 0, pending: 0 })
    await track.wire.mend()
    await sleep(20)
    expect(
      bodiesOf(server)
        .flat()
        .filter((body) => body === 'text'),
    ).toEqual([])
    pool.destroy()
    await until(() => descriptors() <= before)
    expect(told.calls.filter((call) => call === 'onError')).toHaveLength(1)
  })

  it('is given acquireTimeout from the moment it is sent again', async () => {
    const { told, replayedAt, pool } = await awaitingConnection({ acquireTimeout: 150 })
    await told.ended
    expect(performance.now() - replayedAt).toBeGreaterThan(120)
    expect(performance.now() - replayedAt).toBeLessThan(600)
    expect(told.error).toMatchObject({ name: 'AcquireTimeoutError', code: 'ERR_KEEPWISE_ACQUIRE_TIMEOUT' })
    expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, replayed: 1 })
  })

  it('fails with the error of the dial where that fails', async () => {
    const server = await track.server()
    const pool = track.pool()
    await get(pool, server.origin)
    // Closes its port with its last connection: the replay is refused one.
    pool.once('close', () => void server.close())
    const error = await failureOf(
      track.cross(server, endings.close, () => send(pool, server.origin, { method: 'POST', body: 'text' })),
    )
    expect(error.code).toBe('ECONNREFUSED')
    expect(error.cause).toMatchObject({ code: 'ERR_KEEPWISE_CONNECT' })
    expect(pool.stats()).toMatchObject({ pending: 0, replayed: 1, dialFailures: 1 })
  })

  it('is finished by close(), which waits for it', async () => {
    const { told, pool } = await awaitingConnection()
    const closing = pool.close()
    await track.wire.mend()
    await closing
    expect(told.statusCode).toBe(200)
  })

  it('fails with the error of destroy()', async () => {
    const { told, pool } = await awaitingConnection()
    const reason = new Error('over')
    pool.destroy(reason)
    expect(told.error).toBe(reason)
    expect(pool.stats().pending).toBe(0)
  })

  it('has no place in line if it is aborted by a listener of the event', async () => {
    const { told, pool, server } = await awaitingConnection({}, (pool, told) => pool.once('replay', () => told.abort()))
    await told.ended
    await track.wire.mend()
    await sleep(30)
    expect(told.calls.filter((call) => call === 'onError')).toHaveLength(1)
    expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, active: 0 })
    expect(
      bodiesOf(server)
        .flat()
        .filter((body) => body === 'text'),
    ).toEqual([])
  })

  it('fails once if a listener of the event destroys the pool, or closes it', async () => {
    const destroyed = await awaitingConnection({}, (pool) => pool.once('replay', () => pool.destroy()))
    await destroyed.told.ended
    expect(destroyed.told.error?.name).toBe('ClosedError')
    expect(destroyed.pool.stats()).toMatchObject({ pending: 0, waiting: 0, dialing: 0 })
    await track.wire.mend()
    // A request that was taken is finished.
    const closed = await awaitingConnection({}, (pool) => pool.once('replay', () => void pool.close()))
    await track.wire.mend()
    await closed.told.ended
    expect(closed.told.statusCode).toBe(200)
  })

  it('is sent again though a listener of the event throws', async () => {
    const warnings: string[] = []
    const note = (warning: Error & { code?: string }): void => void warnings.push(`${warning.code}`)
    process.on('warning', note)
    const { told } = await awaitingConnection({}, (pool) => {
      pool.once('replay', () => {
        throw new Error('from a listener')
      })
    })
    await track.wire.mend()
    await told.ended
    expect(told.statusCode).toBe(200)
    await until(() => warnings.includes('KEEPWISE_LISTENER'))
    process.off('warning', note)
  })
})

describeWith(TRACK, 'a request whose replay is on the wire', () => {
  const track = useTrack()

  /** A server that answers the first connection's requests, and none of the others'. */
  const silent = (nth: number) => (nth === 1 ? [serveAll] : [request()])

  async function replayed(options: PoolOptions = {}) {
    const server = await track.server(silent)
    const pool = track.pool(options)
    await get(pool, server.origin)
    const { handler, told } = legacyHandler()
    await track.cross(server, endings.close, async () => {
      pool.dispatcher.dispatch({ origin: server.origin, path: '/', method: 'POST', body: 'text' }, handler)
    })
    await until(() => server.connections[1]?.requests.length === 1)
    return { server, pool, told, arrivedAt: performance.now() }
  }

  it('can be aborted: that connection is closed, and nothing is sent a third time', async () => {
    const { told, pool, server } = await replayed()
    told.abort()
    await told.ended
    expect(told.error?.name).toBe('AbortError')
    await until(() => server.connections[1]!.closedAt !== undefined || server.connections[1]!.clientEnded)
    expect(told.calls.filter((call) => call === 'onError')).toHaveLength(1)
    expect(pool.stats()).toMatchObject({ pending: 0, active: 0, replayed: 1, closed: { aborted: 1 } })
    expect(server.connections).toHaveLength(2)
  })

  it('is given headersTimeout anew, and fails by it: a silent server is no race', async () => {
    const { told, pool, arrivedAt, server } = await replayed({ headersTimeout: 200 })
    await told.ended
    expect(performance.now() - arrivedAt).toBeGreaterThan(150)
    expect(told.error).toMatchObject({ code: 'UND_ERR_HEADERS_TIMEOUT', cause: { refusal: 'new-connection' } })
    expect(pool.stats()).toMatchObject({ pending: 0, replayed: 1 })
    expect(server.connections).toHaveLength(2)
  })

  it('fails with the error of destroy()', async () => {
    const { told, pool } = await replayed()
    const reason = new Error('over')
    pool.destroy(reason)
    await told.ended
    expect(told.error).toBe(reason)
    expect(pool.stats().pending).toBe(0)
  })
})

describeWith(TRACK, 'many races at once', () => {
  const track = useTrack()

  const ways = Object.values(endings)
  it.each([false, true])(
    'leave nothing behind, each request settles once, and no POST is processed twice, TLS: %s',
    async (tls) => {
      const COUNT = 24
      const before = descriptors()
      const server = await track.server(undefined, { tls })
      const pool = track.pool()
      const caught = await catchingUncaught(async () => {
        for (let round = 0; round < 3; round++) {
          await Promise.all(Array.from({ length: COUNT }, () => get(pool, server.origin)))
          await until(() => pool.stats().dialing === 0) // for those that were aborted
          const connections = idleConnections(pool, server)
          const races: Told[] = []
          await track.cross(
            server,
            async () => {
              await Promise.all(
                connections.map((connection, index) => ways[(index + round) % ways.length]!(connection)),
              )
            },
            async () => {
              for (let n = 0; n < COUNT; n++) {
                const { handler, told } = (n % 2 === 0 ? legacyHandler : modernHandler)()
                races.push(told)
                const body = `${round}/${n}`
                const method = n % 3 === 0 ? 'PUT' : 'POST'
                pool.dispatcher.dispatch({ origin: server.origin, path: '/', method, body }, handler)
                if (n % 8 === 7) setTimeout(() => told.abort(), n)
              }
            },
          )
          await Promise.all(races.map(({ ended }) => ended))
          await sleep(20)
          for (const { calls } of races)
            expect(calls.filter((call) => /Complete|ResponseEnd|Error$/.test(call))).toHaveLength(1)
        }
      })
      expect(caught).toEqual([])
      expect(pool.stats()).toMatchObject({ pending: 0, active: 0, waiting: 0 })
      await until(() => pool.stats().dialing === 0) // for those that were aborted
      expect(pool.replays.length).toBeGreaterThan(COUNT)
      const processed = new Map<string, number>()
      for (const { method, body } of server.connections.flatMap(({ requests }) => requests))
        if (method === 'POST') processed.set(`${body}`, (processed.get(`${body}`) ?? 0) + 1)
      expect([...processed].filter(([, times]) => times > 1)).toEqual([])

      await pool.dispatcher.destroy()
      await server.close()
      await until(() => descriptors() <= before)
    },
  )
})
