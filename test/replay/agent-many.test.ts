/** Many races at once through the agents, and races on connections that the dispatcher and the agents use in turn. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { catchingUncaught, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { Call, sendByHttp } from './caller.js'
import { type Face, throughAgents, throughDispatcher } from './faces.js'
import { bodiesOf, descriptors, endings, idleConnections, TRACK, untilIdle, useTrack } from './race-track.js'

describeWith(TRACK, 'many races at once through the agents', () => {
  const track = useTrack()
  const ways = Object.values(endings)

  it.each([false, true])(
    'leave nothing behind, each request ends once, and no POST is processed twice, TLS: %s',
    async (tls) => {
      const COUNT = 24
      const before = descriptors()
      const server = await track.server(undefined, { tls })
      const pool = track.pool()
      const caught = await catchingUncaught(async () => {
        for (let round = 0; round < 3; round++) {
          await Promise.all(Array.from({ length: COUNT }, () => sendByHttp(pool, server.origin)))
          await until(() => pool.stats().dialing === 0) // for those that were given up
          const connections = idleConnections(pool, server)
          const races: Call[] = []
          await track.cross(
            server,
            () => Promise.all(connections.map((connection, index) => ways[(index + round) % ways.length]!(connection))),
            async () => {
              for (let n = 0; n < COUNT; n++) {
                const method = n % 3 === 0 ? 'PUT' : 'POST'
                const call = new Call(pool, server.origin, { method }, (request) => {
                  request.write(`${round}/`)
                  if (n % 2 === 0) request.end(`${n}`)
                  else setTimeout(() => request.end(`${n}`), n)
                })
                races.push(call)
                if (n % 8 === 7) setTimeout(() => call.request.destroy(), n)
              }
            },
          )
          await Promise.all(races.map(({ ended }) => ended))
          for (const call of races) {
            expect(call.only('close')).toEqual(['close'])
            expect(call.only('error').length).toBeLessThanOrEqual(1)
            expect(call.only('response').length).toBeLessThanOrEqual(1)
            expect(call.only('error', 'end')).not.toEqual([])
          }
        }
      })
      expect(caught).toEqual([])
      expect(pool.stats()).toMatchObject({ pending: 0, active: 0, waiting: 0 })
      expect(pool.replays.length).toBeGreaterThan(COUNT)
      const processed = new Map<string, number>()
      for (const { method, body } of server.connections.flatMap(({ requests }) => requests))
        if (method === 'POST') processed.set(`${body}`, (processed.get(`${body}`) ?? 0) + 1)
      expect([...processed].filter(([, times]) => times > 1)).toEqual([])

      await pool.close()
      await server.close()
      await until(() => descriptors() <= before)
    },
  )
})

describeWith(TRACK, 'a connection that served both faces', () => {
  const track = useTrack()

  const orders: [first: Face, second: Face][] = [
    [throughDispatcher, throughAgents],
    [throughAgents, throughDispatcher],
  ]
  for (const tls of [false, true])
    for (const [first, second] of orders)
      describe(`${first.name} and then ${second.name}, TLS: ${tls}`, () => {
        it('has the request that races on it sent again, whoever had it before', async () => {
          const server = await track.server(undefined, { tls })
          const pool = track.pool()
          for (const face of [first, second, first]) {
            await face.send(pool, server.origin)
            await untilIdle(pool)
          }
          // As a turn later by undici, which lets go of a socket after its response.
          await sleep(5)
          const raced = () => second.send(pool, server.origin, { method: 'POST', body: 'raced' })
          expect((await track.cross(server, endings.close, raced)).statusCode).toBe(200)
          expect(pool.replays).toMatchObject([{ verdict: 'refused', evidence: { acknowledged: 0 } }])
          // And on the new one again, the other way round.
          const again = () => first.send(pool, server.origin, { method: 'POST', body: 'again' })
          await untilIdle(pool)
          expect((await track.cross(server, endings.close, again)).statusCode).toBe(200)
          expect(bodiesOf(server)).toEqual([['', '', ''], ['raced'], ['again']])
          await untilIdle(pool)
          expect(pool.stats()).toMatchObject({ opened: 3, replayed: 2, pending: 0, idle: 1 })
        })

        it('does not keep its evidence from the one that is refused a replay', async () => {
          const server = await track.server(undefined, { tls })
          const pool = track.pool()
          await first.send(pool, server.origin)
          await untilIdle(pool)
          const taken = server.connections[0]!.raw.bytesRead
          const raced = () => second.send(pool, server.origin, { method: 'POST', body: 'raced' })
          const error = await track.cross(server, endings.halfClose, raced).then(
            () => undefined,
            (reason: Error & { cause?: { evidence?: { sent?: number; acknowledged?: number } } }) => reason,
          )
          expect(error).toMatchObject({ code: second.closedCode, message: second.closedMessage })
          expect(error!.cause).toMatchObject({ verdict: 'unknown', refusal: 'not-proven', evidence: { fin: true } })
          const { sent, acknowledged } = error!.cause!.evidence!
          expect(sent).toBe(acknowledged)
          expect(sent).toBe(server.connections[0]!.raw.bytesRead - taken)
          expect(pool.stats()).toMatchObject({ pending: 0, active: 0 })
        })
      })
})
