/**
 * A caller gives up a request of an agent, at every moment of its being sent again. It is told what node's own agent tells
 * of a request in the same state: to the caller, one that was written and not answered yet is under way, whatever becomes
 * of its connection.
 */
import { describe, expect, it } from 'vitest'
import { catchingUncaught, turns, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { request } from '../support/servers/script-steps.js'
import { awaitingConnection, awaitingResponse, onTrial, type Scene, type SceneOptions } from './agent-scenes.js'
import { type Agents, Call, plainAgents, sendByHttp } from './caller.js'
import { bodiesOf, descriptors, endings, serve, TRACK, type TrackPool, untilIdle, useTrack } from './race-track.js'

const failure = new Error('enough')

/** How a caller gives up. */
const ways: Record<string, (call: Call, controller: AbortController) => unknown> = {
  'destroy()': ({ request }) => request.destroy(),
  'destroy(error)': ({ request }) => request.destroy(failure),
  'abort()': ({ request }) => request.abort(),
  'its signal': (_call, controller) => controller.abort(),
  'destroy(), and abort() after it': ({ request }) => request.destroy() && request.abort(),
  'abort(), and destroy(error) after it': ({ request }) => {
    request.abort()
    request.destroy(failure)
  },
}

/** What the caller is told after it has given up. */
interface Ending {
  readonly told: string[]
  readonly message: string | undefined
  readonly isOwn: boolean
}

async function endingOf(call: Call): Promise<Ending> {
  await call.ended
  await turns()
  const { error } = call
  return { told: call.only('abort', 'error', 'response', 'close'), message: error?.message, isOwn: error === failure }
}

describeWith(TRACK, 'a request of an agent that its caller gives up', () => {
  const track = useTrack()

  type GiveUp = (typeof ways)[string]

  /** Of a POST that node's own agent has written, and that nobody answers. */
  async function underWay(giveUp: GiveUp): Promise<Ending> {
    const server = await track.server([serve(), request()])
    const agents = plainAgents()
    await sendByHttp(agents, server.origin)
    const controller = new AbortController()
    const { signal } = controller
    const call = new Call(agents, server.origin, { method: 'POST', body: 'text', signal })
    await until(() => server.connections[0]!.requests.length === 2)
    giveUp(call, controller)
    return endingOf(call)
  }

  /** Of a POST that waits in line, with others before and behind it. */
  async function inLine(agents: Agents, giveUp: GiveUp): Promise<Ending> {
    const server = await track.server([request(), (connection) => connection.untilReceived(1), request()])
    const controller = new AbortController()
    const { signal } = controller
    const first = new Call(agents, server.origin)
    const call = new Call(agents, server.origin, { method: 'POST', body: 'text', signal })
    const last = new Call(agents, server.origin, { path: '/last' })
    await until(() => server.connections[0]?.requests.length === 1)
    giveUp(call, controller)
    // node's own agent comes to it when its turn comes.
    await server.connections[0]!.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    await until(() => server.connections.at(-1)!.requests.length === 2)
    await server.connections[0]!.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    const ending = await endingOf(call)
    await Promise.all([first.ended, last.ended])
    expect([first.statusCode, last.statusCode]).toEqual([200, 200])
    expect(server.connections.map(({ requests }) => requests.map(({ target }) => target))).toEqual([['/', '/last']])
    return ending
  }

  const moments: Record<string, (options: SceneOptions) => Promise<Scene>> = {
    'on trial': (options) => onTrial(track, options),
    'to be sent again, and waiting for a connection': (options) => awaitingConnection(track, options),
    'sent again, and not answered yet': (options) => awaitingResponse(track, options),
  }

  for (const [how, giveUp] of Object.entries(ways))
    describe(`by ${how}`, () => {
      it('in line: it hears what it hears from node, and the others get their turn', async () => {
        const pool = track.pool({ maxConnections: 1 })
        const { told, ...ending } = await inLine(pool, giveUp)
        const { told: toldByNode, ...endingByNode } = await inLine(plainAgents({ maxSockets: 1 }), giveUp)
        expect(ending).toEqual(endingByNode)
        // Here it hears of it at once, there when its turn would have come: another order, where it gives up twice.
        expect(told.sort()).toEqual(toldByNode.sort())
        expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, opened: 1, requests: 2 })
      })

      for (const [moment, scene] of Object.entries(moments))
        it(`${moment}: it hears what it hears from node, once, and nothing is left of it`, async () => {
          const expected = await underWay(giveUp)
          const caught = await catchingUncaught(async () => {
            const controller = new AbortController()
            const { call, pool, server, before } = await scene({ body: 'text', signal: controller.signal })
            const taken = bodiesOf(server).flat().length
            giveUp(call, controller)
            expect(await endingOf(call)).toEqual(expected)
            expect(pool.stats()).toMatchObject({ pending: 0, active: 0, waiting: 0 })
            await track.wire.mend()
            await until(() => pool.stats().dialing === 0)
            await turns()
            expect(bodiesOf(server).flat()).toHaveLength(taken)
            expect(call.request).toMatchObject({ destroyed: true })

            pool.destroy()
            await server.close()
            await until(() => descriptors() <= before)
          })
          expect(caught).toEqual([])
        })
    })
})

describeWith(TRACK, 'a pool, after a request of its agent was given up', () => {
  const track = useTrack()

  it.each(Object.keys(ways))('on trial (%s), serves the next one', async (how) => {
    const controller = new AbortController()
    const { call, pool, server } = await onTrial(track, { body: 'text', signal: controller.signal })
    ways[how]!(call, controller)
    await track.wire.mend()
    expect(await sendByHttp(pool, server.origin, { method: 'POST', body: 'next' })).toMatchObject({ statusCode: 200 })
    await untilIdle(pool)
    expect(bodiesOf(server)).toEqual([[''], ['next']])
    expect(pool.stats()).toMatchObject({ opened: 2, replayed: 0, closed: { 'server-fin': 1 } })
    await pool.close()
  })

  it('by a listener of the event, sends nothing again', async () => {
    const { call, pool, server } = await onTrial(track, { body: 'text' })
    pool.once('replay', () => call.request.destroy())
    await track.wire.mend()
    await call.ended
    expect(call.only('error', 'response', 'close')).toEqual(['error ECONNRESET', 'close'])
    await until(() => pool.stats().dialing === 0)
    expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, active: 0, replayed: 1, opened: 1 })
    expect(bodiesOf(server).flat()).toEqual([''])
  })

  it('in the listener of its second socket, sends nothing again', async () => {
    let sockets = 0
    const giveUpThen = (pool: TrackPool, origin: string) =>
      new Call(pool, origin, { method: 'POST' }, (request) => {
        request.on('socket', () => ++sockets === 2 && request.destroy(failure))
        request.end('text')
      })
    const server = await track.server()
    const pool = track.pool()
    await sendByHttp(pool, server.origin)
    const call = await track.cross(server, endings.close, async () => giveUpThen(pool, server.origin))
    await call.ended
    expect(call.only('error', 'response', 'close')).toEqual(['error undefined', 'close'])
    expect(call.error).toBe(failure)
    expect(bodiesOf(server).flat()).toEqual([''])
    await until(() => pool.stats().pending === 0)
    expect(pool.stats()).toMatchObject({ active: 0, replayed: 1 })
  })
})
