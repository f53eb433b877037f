/** Moments in the life of a request through the agents whose connection ends under it, each held for as long as a test wants. */
import type { ClientRequest } from 'node:http'
import { expect } from 'vitest'
import type { PoolOptions } from '../../src/index.js'
import { until } from '../dispatcher/support.js'
import type { ReceivedRequest } from '../support/servers/request-parser.js'
import { request } from '../support/servers/script-steps.js'
import type { ScriptedServer, Scripts } from '../support/servers/scripted.js'
import { Call, type CallOptions, sendByHttp } from './caller.js'
import { descriptors, type Ending, endings, type RaceTrack, serveAll, type TrackPool, untilIdle } from './race-track.js'

/** One way of a round trip that keeps a request waiting for its evidence for some time; for connections made meanwhile. */
const LONG_WAY = 45
export const TWO_ROUND_TRIPS = 4 * LONG_WAY

export type Begin = (request: ClientRequest) => void

export interface Scene {
  readonly server: ScriptedServer
  readonly pool: TrackPool
  readonly call: Call
  /** Descriptors of the process before the request was sent, while one connection was idle. */
  readonly before: number
}

export interface SceneOptions extends CallOptions {
  readonly tls?: boolean
  readonly pool?: PoolOptions
  readonly ending?: Ending
  readonly scripts?: Scripts
  /** In place of one that is made for the scene. */
  readonly on?: TrackPool
}

/** A server and a pool that has one idle connection to it, through an agent. */
export async function warm(
  track: RaceTrack,
  { tls = false, pool: options = {}, scripts, on }: SceneOptions = {},
): Promise<Omit<Scene, 'call'>> {
  const server = await track.server(scripts, { tls })
  const pool = on ?? track.pool(options)
  await sendByHttp(pool, server.origin)
  await untilIdle(pool)
  return { server, pool, before: descriptors() }
}

/** A POST that crosses the end of its connection, and what came of it. */
export async function race(track: RaceTrack, options: SceneOptions = {}, begin?: Begin): Promise<Scene> {
  const scene = await warm(track, options)
  const { ending = endings.close } = options
  const call = await track.cross(scene.server, ending, async () => {
    const raced = new Call(scene.pool, scene.server.origin, { method: 'POST', ...callOptions(options) }, begin)
    await raced.ended
    return raced
  })
  return { ...scene, call }
}

/**
 * A POST between death and verdict: its connection has ended, and it is still on the wire. It is answered once the wire is
 * mended.
 */
export async function onTrial(track: RaceTrack, options: SceneOptions = {}, begin?: Begin): Promise<Scene> {
  const { ending = endings.close } = options
  await track.wire.setDelay(LONG_WAY)
  const scene = await warm(track, options)
  await track.wire.setDelay(1)
  const { sent: call } = await track.strand(
    scene.server,
    ending,
    () => new Call(scene.pool, scene.server.origin, { method: 'POST', ...callOptions(options) }, begin),
  )
  await until(() => scene.pool.stats().active === 0)
  expect(scene.pool.stats()).toMatchObject({ pending: 1, waiting: 0, dialing: 0 })
  return { ...scene, call }
}

/** A POST that was refused, while nothing reaches the server any more: its replay waits for a connection. */
export async function awaitingConnection(track: RaceTrack, options: SceneOptions = {}, begin?: Begin): Promise<Scene> {
  const scene = await warm(track, options)
  const { pool, server } = scene
  pool.once('replay', () => void track.wire.hold('toServer'))
  const call = await track.cross(
    server,
    endings.close,
    async () => new Call(pool, server.origin, { method: 'POST', ...callOptions(options) }, begin),
  )
  await until(() => pool.replays.length === 1)
  expect(pool.stats()).toMatchObject({ pending: 1, waiting: 1, dialing: 1 })
  return { ...scene, call }
}

/** A POST that was sent again, to a connection on which nobody answers it. */
export async function awaitingResponse(track: RaceTrack, options: SceneOptions = {}, begin?: Begin): Promise<Scene> {
  const silent = (nth: number) => (nth === 1 ? [serveAll] : [request()])
  const scene = await warm(track, { scripts: silent, ...options })
  const { pool, server } = scene
  const call = await track.cross(
    server,
    endings.close,
    async () => new Call(pool, server.origin, { method: 'POST', ...callOptions(options) }, begin),
  )
  await until(() => server.connections[1]?.requests.length === 1)
  return { ...scene, call }
}

/** The one request that a server took beside the first one, which came on the second connection. */
export function replayed({ connections }: ScriptedServer): ReceivedRequest {
  expect(connections.map(({ requests }) => requests.length)).toEqual([1, 1])
  return connections[1]!.requests[0]!
}

function callOptions({ tls: _1, pool: _2, ending: _3, scripts: _4, on: _5, ...options }: SceneOptions): CallOptions {
  return options
}
