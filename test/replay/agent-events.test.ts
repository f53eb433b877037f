/** What the caller of an agent sees of a request that is sent again: one exchange, with one more socket. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { ClientRequest } from 'node:http'
import { expect, it } from 'vitest'
import { catchingUncaught, turns, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { close, interim, request, respond, send } from '../support/servers/script-steps.js'
import { awaitingResponse, onTrial, race, warm } from './agent-scenes.js'
import { Call } from './caller.js'
import { endings, serve, serveAll, TRACK, untilIdle, useTrack } from './race-track.js'

describeWith(TRACK, 'the caller of a request of an agent that is sent again', () => {
  const track = useTrack()

  for (const tls of [false, true])
    it(`is told of two sockets, one response and one end, TLS: ${tls}`, async () => {
      const { call, pool } = await race(track, { tls, body: 'text' })
      expect(call.told).toEqual([...['socket', 'prefinish', 'finish'], ...['socket', 'response 200', 'end', 'close']])
      expect(call.reused).toEqual([true, false])
      const [first, second] = call.sockets
      expect(first).not.toBe(second)
      expect(first!.destroyed).toBe(true)
      expect(call.request).toMatchObject({ socket: second, reusedSocket: false, destroyed: true, aborted: false })
      await untilIdle(pool)
      expect(second!.destroyed).toBe(false)
    })

  it('finds no socket on it while it is on trial, and can set what is for the socket all the same', async () => {
    const { call } = await onTrial(track, { body: 'text' })
    expect(call.request.socket).toBeNull()
    call.request.setNoDelay(true)
    call.request.setSocketKeepAlive(true, 1000)
    call.request.setTimeout(1000)
    await track.wire.mend()
    await call.ended
    expect(call.statusCode).toBe(200)
    expect(call.request.socket).toBe(call.sockets[1])
  })

  it('is told of the last replay’s socket as a new one, and of those before as they were', async () => {
    const server = await track.server((nth) => (nth <= 2 ? [serve(), request(), close()] : [serveAll]))
    const pool = track.pool()
    const first = [new Call(pool, server.origin), new Call(pool, server.origin)]
    await Promise.all(first.map(({ ended }) => ended))
    await untilIdle(pool, 2)
    const call = new Call(pool, server.origin, { method: 'PUT', body: 'text' })
    await call.ended
    expect(call.reused).toEqual([true, true, false])
    expect(call.only('socket', 'response', 'error', 'close')).toEqual([
      ...['socket', 'socket', 'socket', 'response 200', 'close'],
    ])
    expect(new Set(call.sockets).size).toBe(3)
  })

  it('hears nothing of the first connection’s end: neither by the request, nor by listeners that are left on it', async () => {
    const caught = await catchingUncaught(async () => {
      const { call } = await race(track, { method: 'PUT', body: 'text', ending: endings.reset })
      await turns()
      expect(call.only('error', 'abort', 'close')).toEqual(['close'])
      const [first] = call.sockets
      const left = first!.eventNames().flatMap((event) => first!.listeners(event as string).map(({ name }) => name))
      for (const name of ['socketOnData', 'socketOnEnd', 'socketErrorListener', 'socketCloseListener', 'ondrain'])
        expect(left).not.toContain(name)
      expect(first).toMatchObject({ _httpMessage: null, parser: null })
    })
    expect(caught).toEqual([])
  })

  it.each([
    ['at once', race],
    ['after a trial', onTrial],
  ])('hears of the close of the first socket on that socket, once (sent again %s)', async (_when, scene) => {
    let closed = 0
    const { call } = await scene(track, {}, (request) => {
      request.once('socket', (socket) => socket.on('close', () => closed++))
      request.end('text')
    })
    await track.wire.mend()
    await call.ended
    expect(call.statusCode).toBe(200)
    await until(() => closed === 1)
    await turns()
    expect(closed).toBe(1)
  })

  it('finds on it the listeners that it has put there, and no others', async () => {
    const counts = (request: ClientRequest) =>
      Object.fromEntries(request.eventNames().map((event) => [event, request.listenerCount(event as string)]))
    let before: object = {}
    const { call, pool } = await race(track, {}, (request) => {
      before = counts(request)
      request.end('text')
    })
    await untilIdle(pool)
    await turns()
    // node's own, for the response.
    expect(counts(call.request)).toEqual({ ...before, finish: 2 })
  })

  it('gets interim responses of the second connection, and goes on when it is told to', async () => {
    const server = await track.server((nth) => [
      ...(nth === 1 ? [serve()] : []),
      async (connection) => {
        await connection.untilUnreadHolds('\r\n\r\n')
      },
      interim(103, 'Early Hints', { link: '</a>' }),
      interim(100, 'Continue'),
      request(({ body, headers }) => {
        expect(`${body}`).toBe('expected')
        expect(headers.expect).toBe('100-continue')
      }),
      respond(),
    ])
    const pool = track.pool()
    await new Call(pool, server.origin).ended
    await untilIdle(pool)
    const call = await track.cross(server, endings.close, async () => {
      const headers = { expect: '100-continue' }
      const raced = new Call(pool, server.origin, { method: 'POST', headers }, (request) => {
        request.flushHeaders()
        request.on('continue', () => request.end('expected'))
      })
      await raced.ended
      return raced
    })
    expect(call.told.filter((event) => !/finish/.test(event))).toEqual([
      ...['socket', 'socket', 'information', 'continue', 'information', 'response 200', 'end', 'close'],
    ])
    expect(pool.replays).toHaveLength(1)
  })

  it('gets the connection that its upgrade was sent again on', async () => {
    const switching = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello'
    const server = await track.server((nth) => [
      ...(nth === 1 ? [serve()] : []),
      request(({ headers }) => expect(headers.upgrade).toBe('echo')),
      send(switching),
    ])
    const pool = track.pool()
    await new Call(pool, server.origin).ended
    await untilIdle(pool)
    const headers = { connection: 'upgrade', upgrade: 'echo' }
    const upgraded = await track.cross(server, endings.close, () => {
      const call = new Call(pool, server.origin, { headers })
      return new Promise<string>((resolve, reject) => {
        call.request.on('upgrade', (_response, socket, head: Buffer) => {
          expect(socket).toBe(call.sockets[1])
          socket.destroy()
          resolve(`${head}`)
        })
        call.request.on('error', reject)
      })
    })
    expect(upgraded).toBe('hello')
    expect(pool.replays).toMatchObject([{ method: 'GET', verdict: 'refused' }])
    expect(pool.stats()).toMatchObject({ pending: 0, active: 0, idle: 0, closed: { upgrade: 1 } })
  })

  it('has an error that nobody listens to thrown, once, where it is not sent again after all', async () => {
    const caught = await catchingUncaught(async () => {
      const thrown = new Promise((resolve) => process.once('uncaughtExceptionMonitor', resolve))
      const { call } = await onTrial(track)
      call.request.removeAllListeners('error')
      await thrown
    })
    expect(caught).toMatchObject([{ code: 'ECONNRESET', message: 'socket hang up' }])
  })
})

describeWith(TRACK, 'the asynchronous context of a request of an agent', () => {
  const track = useTrack()
  const storage = new AsyncLocalStorage<string>()

  /** Notes for each of its events in which context it comes. */
  const watch =
    (seen: Set<string>) =>
    (request: ClientRequest): void => {
      const note = (what: string) => () => void seen.add(`${what}: ${storage.getStore()}`)
      for (const event of ['socket', 'finish', 'drain', 'timeout', 'error', 'close', 'abort'])
        request.on(event, note(event))
      request.on('response', (response) => {
        note('response')()
        for (const event of ['data', 'end', 'close']) response.on(event, note(`response ${event}`))
      })
      request.write('text', note('written'))
      request.end(note('ended'))
    }

  const told = ['socket', 'finish', 'written', 'ended', 'response', 'response data', 'response end', 'response close']

  it('is kept in every one of its events when it is sent again', async () => {
    const seen = new Set<string>()
    const { server, pool } = await storage.run('primer', () => warm(track))
    const call = await storage.run('racing', () =>
      track.cross(server, endings.close, () =>
        storage.run('mine', async () => {
          const raced = new Call(pool, server.origin, { method: 'POST' }, watch(seen))
          await raced.ended
          return raced
        }),
      ),
    )
    expect(call.statusCode).toBe(200)
    expect(pool.replays).toHaveLength(1)
    expect([...seen].sort()).toEqual([...told, 'close'].map((what) => `${what}: mine`).sort())
  })

  it('is kept where it waits for a connection that another request gives back', async () => {
    const seen = new Set<string>()
    const pool = track.pool({ maxConnections: 1 })
    await track.wire.setDelay(60)
    const { server } = await storage.run('primer', () => warm(track, { on: pool }))
    await track.wire.setDelay(1)
    const { sent: call } = await storage.run('racing', () =>
      track.strand(server, endings.close, () =>
        storage.run('mine', () => new Call(pool, server.origin, { method: 'POST' }, watch(seen))),
      ),
    )
    await until(() => pool.stats().active === 0)
    // Takes the only place there is.
    const other = storage.run('other', () => new Call(pool, server.origin, { path: '/other' }))
    await until(() => pool.stats().dialing === 1)
    await storage.run('mender', () => track.wire.mend())
    await Promise.all([call.ended, other.ended])
    expect(call.statusCode).toBe(200)
    expect([...seen].sort()).toEqual([...told, 'close'].map((what) => `${what}: mine`).sort())
    // The next one on the same connection has its own.
    await untilIdle(pool)
    const next = new Set<string>()
    const last = storage.run('next', () => new Call(pool, server.origin, { method: 'POST' }, watch(next)))
    await last.ended
    expect(last.reused).toEqual([true])
    expect([...next].sort()).toEqual([...told, 'close'].map((what) => `${what}: next`).sort())
  })

  it('is kept where it has waited in line for a connection that another request gives back', async () => {
    const seen = new Set<string>()
    const pool = track.pool({ maxConnections: 1 })
    const server = await track.server([request(), serveAll])
    const other = storage.run('other', () => new Call(pool, server.origin))
    const call = storage.run('mine', () => new Call(pool, server.origin, { method: 'POST' }, watch(seen)))
    await until(() => server.connections[0]?.requests.length === 1)
    await server.connections[0]!.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    await Promise.all([other.ended, call.ended])
    expect(call.reused).toEqual([true])
    expect([...seen].sort()).toEqual([...told, 'close'].map((what) => `${what}: mine`).sort())
  })

  it('is kept where it fails, by the pool or for want of proof, and where its time is over', async () => {
    const failed = new Set<string>()
    const { call } = await storage.run('mine', () => onTrial(track, {}, watch(failed)))
    await storage.run('waiter', () => call.ended)
    expect([...failed].filter((what) => /error|close/.test(what)).sort()).toEqual(['close: mine', 'error: mine'])

    await track.restore()
    const destroyed = new Set<string>()
    const scene = await storage.run('mine', () => onTrial(track, {}, watch(destroyed)))
    await storage.run('destroyer', async () => {
      scene.pool.destroy()
      await scene.call.ended
    })
    expect([...destroyed].filter((what) => /error|close/.test(what)).sort()).toEqual(['close: mine', 'error: mine'])
    await track.restore()

    const late = new Set<string>()
    const silent = await storage.run('mine', () => awaitingResponse(track, { timeout: 100 }, watch(late)))
    await until(() => silent.call.only('timeout').length > 0)
    expect([...late]).toContain('timeout: mine')
  })
})
