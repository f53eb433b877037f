/** http.request of each Node version, raced: each builds its requests in its own way, and they have to be moved all the same. */
import { beforeAll, expect } from 'vitest'
import { builtPackage } from '../dispatcher/support.js'
import { NODE_MAJORS, nodeBinary, projectPath } from '../support/nodes.js'
import { describeWith, itWith } from '../support/requirements.js'
import { monotonic } from '../support/wire/clock.js'
import { endings, type Replay, TRACK, useTrack } from './race-track.js'

const CLIENT = projectPath('test/support/wire/clients/http-request.js')

/** Of the client's, and how each is framed. */
const kinds = {
  string: 'content-length',
  bytes: 'content-length',
  pieces: 'transfer-encoding',
  headers: 'transfer-encoding',
  late: 'content-length',
  slow: 'transfer-encoding',
  stream: 'transfer-encoding',
} as const

describeWith(TRACK, 'http.request', () => {
  const track = useTrack()
  beforeAll(builtPackage)

  for (const major of NODE_MAJORS)
    itWith(`node${major}`, `of Node ${major} has its raced requests sent again, whole, plain and TLS`, async () => {
      const client = await track.wire.client.node(CLIENT, { node: nodeBinary(major) })
      await client.call('open', { connect: { rejectUnauthorized: false }, learn: false })
      expect(await client.call('capabilities')).toMatchObject({ tcpInfo: true, requestReplay: true })
      let races = 0
      for (const tls of [false, true]) {
        const server = await track.server(undefined, { tls })
        expect(await client.call('send', server.origin)).toMatchObject({ status: 200 })
        for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
          const connection = server.connections.at(-1)!
          const port = connection.raw.remotePort!
          const taken = connection.requests.length
          const start = monotonic()
          const answer = await track.cross(server, endings.close, () => client.call('send', server.origin, kind))
          expect(answer).toMatchObject({ status: 200, text: 'ok', reused: [true, false] })
          expect({ kind, told: answer.told.filter((event: string) => event !== 'finish') }).toEqual({
            kind,
            told: ['socket', 'socket', 'response', 'close'],
          })
          expect(answer.told.filter((event: string) => event === 'finish')).toHaveLength(1)

          const replays: Replay[] = await client.call('replays')
          expect(replays).toHaveLength(++races)
          const { verdict, evidence } = replays.at(-1)!
          expect({ kind, verdict }).toEqual({ kind, verdict: 'refused' })
          // To the byte what went over the wire, TLS and all.
          expect(evidence.sent).toBe(await track.payload('toServer', start, port))

          expect(connection.requests).toHaveLength(taken)
          const [request, ...others] = server.connections.at(-1)!.requests
          expect(others).toEqual([])
          expect({ kind, method: request!.method, body: `${request!.body}` }).toEqual({
            ...{ kind, method: 'POST', body: 'some text' },
          })
          expect(Object.keys(request!.headers)).toContain(kinds[kind])
        }
        const failed = await track.cross(server, endings.halfClose, () => client.call('send', server.origin, 'string'))
        // The client is a process of its own: it may hear of the FIN a moment before the acknowledgement.
        expect(['unknown', 'closing']).toContain(failed.error.cause.verdict)
        expect(failed).toMatchObject({
          error: { code: 'ECONNRESET', cause: { refusal: 'not-proven' } },
          told: ['socket', 'finish', 'error', 'close'],
        })
        expect(await client.call('send', server.origin)).toMatchObject({ status: 200 })
      }
      expect(await client.call('stats')).toMatchObject({ pending: 0, active: 0, replayed: races })
      expect(races).toBe(2 * Object.keys(kinds).length)
      await client.stop()
    })
})
