/**
 * A peer dies under a request, as the kernel says it (ETIMEDOUT out of the blue, on a socket that looked well): what becomes
 * of the request, through both faces.
 */
import diagnostics from 'node:diagnostics_channel'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PeerDeadError, type PoolEvents, type PoolOptions, type ReplayRefusal } from '../../src/index.js'
import { testPool, until } from '../dispatcher/support.js'
import { type Face, type FaceRequest, throughAgents, throughDispatcher } from './faces.js'
import { type Failure, failureOf, type TrackPool } from './race-track.js'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const answer: Handler = (request, response) => void request.resume().on('end', () => response.end('ok'))
const silence: Handler = (request) => void request.resume()
const begin: Handler = (request, response) => void request.resume().on('end', () => response.write('half'))

/** Sockets that this process has opened to the server, by the port of this end. */
const opened = new Set<Socket>()
const remember = ({ socket }: { socket: Socket }): void => void opened.add(socket)
const channel = 'net.client.socket'

let server: http.Server
/** What the server does with each request, in order; the last one with all that follow. */
let handlers: Handler[]
let requests: string[]

beforeEach(async () => {
  handlers = [answer]
  requests = []
  server = http.createServer((request, response) => {
    requests.push(request.method as string)
    const handle = handlers.length > 1 ? handlers.shift() : handlers[0]
    handle?.(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  diagnostics.subscribe(channel, remember as never)
})

afterEach(() => {
  diagnostics.unsubscribe(channel, remember as never)
  opened.clear()
  server.closeAllConnections()
  server.close()
})

const port = (): number => (server.address() as AddressInfo).port

/** The kernel gives the peer up. */
function dies(code = 'ETIMEDOUT'): void {
  const sockets = [...opened].filter((socket) => !socket.destroyed)
  expect(sockets).not.toEqual([])
  for (const socket of sockets)
    socket.destroy(Object.assign(new Error(`read ${code}`), { errno: -110, code, syscall: 'read' }))
}

interface Scene {
  readonly pool: TrackPool
  readonly origin: string
  readonly dead: Parameters<PoolEvents['dead']>[0][]
  send(options?: FaceRequest): Promise<{ statusCode?: number | undefined }>
}

function scene(face: Face, options: PoolOptions = {}): Scene {
  const pool = Object.assign(testPool(options), { replays: [] as unknown[] }) as unknown as TrackPool
  pool.on('replay', (event) => pool.replays.push(event as never))
  const dead: Scene['dead'] = []
  pool.on('dead', (event) => dead.push(event))
  const origin = `http://127.0.0.1:${port()}`
  return { pool, origin, dead, send: (request) => face.send(pool, origin, request) as never }
}

/** The error of ours in what the caller got, and what the caller matches on. */
function expectDeath(face: Face, error: Failure, refusal: ReplayRefusal, code = 'ETIMEDOUT'): PeerDeadError {
  const isAgent = face === throughAgents
  const ours = (isAgent ? error.cause : error) as PeerDeadError
  const theirs = (isAgent ? error : error.cause) as Failure
  expect(ours).toBeInstanceOf(PeerDeadError)
  expect(ours).toMatchObject({ name: 'PeerDeadError', code: 'ERR_KEEPWISE_PEER_DEAD', refusal })
  expect(theirs).toMatchObject({ code, syscall: 'read' })
  // Neither of them twice.
  expect((isAgent ? ours : theirs).cause).toBeUndefined()
  return ours
}

for (const face of [throughDispatcher, throughAgents])
  describe(`a peer that dies under a request ${face.name}`, () => {
    for (const fresh of [true, false])
      describe(`on a ${fresh ? 'new' : 'used'} connection`, () => {
        async function start(options?: PoolOptions): Promise<Scene> {
          const made = scene(face, options)
          if (!fresh) await made.send()
          requests.length = 0
          return made
        }

        it.each(['GET', 'PUT', 'DELETE'])('has a %s sent again on a new connection, once', async (method) => {
          const { send, pool, dead } = await start()
          handlers = [silence, answer]
          const response = send({ method, ...(method === 'PUT' && { body: 'body' }) })
          await until(() => requests.length === 1)
          dies()
          expect((await response).statusCode).toBe(200)
          expect(requests).toEqual([method, method])
          expect(pool.replays).toMatchObject([{ method, attempt: 1 }])
          expect(pool.stats()).toMatchObject({ opened: 2, replayed: 1, closed: { dead: 1 } })
          expect(dead).toMatchObject([{ connection: { requests: fresh ? 1 : 2 }, evidence: { cause: 'unanswered' } }])
        })

        it('fails a POST at once: it may have been processed', async () => {
          const { send, pool } = await start()
          handlers = [silence]
          const failure = failureOf(send({ method: 'POST', body: 'body' }))
          await until(() => requests.length === 1)
          dies()
          const error = expectDeath(face, await failure, fresh && face === throughAgents ? 'body-gone' : 'not-proven')
          expect(error.message).toContain('its peer is dead')
          expect(error).toMatchObject({ connection: { remotePort: port() }, peer: { cause: 'unanswered' } })
          expect([requests, pool.replays]).toEqual([['POST'], []])
        })

        it('fails what has been answered in part', async () => {
          const { send, pool } = await start()
          handlers = [begin]
          const failure = failureOf(send())
          await until(() => requests.length === 1)
          await new Promise((resolve) => setTimeout(resolve, 50))
          dies()
          expectDeath(face, await failure, 'response-begun')
          expect(pool.stats()).toMatchObject({ replayed: 0, closed: { dead: 1 }, pending: 0 })
        })

        it('fails the GET that is on the new connection when that dies as well', async () => {
          const { send, pool, dead } = await start()
          handlers = [silence]
          const failure = failureOf(send())
          for (const count of [1, 2]) {
            await until(() => requests.length === count)
            dies()
          }
          expectDeath(face, await failure, 'too-many')
          expect([pool.stats().replayed, dead.length]).toEqual([1, 2])
        })

        it('fails it with the death of the first one when no new one can be opened', async () => {
          const { send, pool } = await start()
          handlers = [silence]
          const failure = failureOf(send())
          await until(() => requests.length === 1)
          server.close()
          dies()
          const error = expectDeath(face, await failure, 'unreachable')
          expect(error.message).toContain('no new connection could be opened for it')
          expect(pool.stats()).toMatchObject({ replayed: 1, dialFailures: 1, pending: 0 })
        })

        it('fails it where nothing is to be sent again', async () => {
          const { send } = await start({ replay: 'off' })
          handlers = [silence]
          const failure = failureOf(send())
          await until(() => requests.length === 1)
          dies('EHOSTUNREACH')
          const error = expectDeath(face, await failure, 'off', 'EHOSTUNREACH')
          expect(error.peer.cause).toBe('unreachable')
        })

        it('ends it with the pool when that is destroyed meanwhile', async () => {
          const { send, pool } = await start({ maxConnections: 1 })
          handlers = [silence]
          const failure = failureOf(send())
          await until(() => requests.length === 1)
          pool.on('replay', () => pool.destroy())
          dies()
          expect(((await failure).cause as Failure | undefined)?.code ?? (await failure).code).not.toBe(
            'ERR_KEEPWISE_PEER_DEAD',
          )
          expect(pool.stats().pending).toBe(0)
        })
      })

    it('has a GET sent again on a connection that is opened for it, though another one idles', async () => {
      const { send, pool } = scene(face)
      handlers = [silence, answer]
      const response = send()
      await until(() => requests.length === 1)
      const [victim] = opened
      await send()
      expect(pool.stats()).toMatchObject({ opened: 2, idle: 1 })
      victim?.destroy(Object.assign(new Error('read ETIMEDOUT'), { code: 'ETIMEDOUT', syscall: 'read' }))
      expect((await response).statusCode).toBe(200)
      expect(pool.stats()).toMatchObject({ opened: 3, replayed: 1, reused: 0 })
    })

    it('leaves what idles to the same address to be asked, and the next request succeeds', async () => {
      const { send, pool } = scene(face)
      handlers = [silence, answer]
      const first = failureOf(send({ method: 'POST', body: 'x' }))
      await until(() => requests.length === 1)
      const [victim] = opened
      await send()
      victim?.destroy(Object.assign(new Error('read ETIMEDOUT'), { code: 'ETIMEDOUT', syscall: 'read' }))
      await first
      await until(() => pool.stats().idle === 1)
      expect((await send()).statusCode).toBe(200)
      expect(pool.stats().closed).toMatchObject({ dead: 1 })
    })
  })
