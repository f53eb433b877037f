/** The built-in fetch of each Node version, raced: each has another undici inside, and another way to call a dispatcher. */
import { beforeAll, expect } from 'vitest'
import { builtPackage } from '../dispatcher/support.js'
import { NODE_MAJORS, nodeBinary, projectPath } from '../support/nodes.js'
import { describeWith, itWith } from '../support/requirements.js'
import type { ReceivedRequest } from '../support/servers/request-parser.js'
import type { ScriptedServer } from '../support/servers/scripted.js'
import { monotonic } from '../support/wire/clock.js'
import { endings, type Replay, TRACK, useTrack } from './race-track.js'

const FETCH = projectPath('test/support/wire/clients/fetch.js')

/** What the server gets of each kind of body. */
const expected: Record<string, (request: ReceivedRequest) => void> = {
  string: ({ body }) => expect(`${body}`).toBe('some text'),
  json: ({ body }) => expect(`${body}`).toBe('{"some":"text"}'),
  form({ body, headers }) {
    const [, boundary] = /boundary=(.*)$/.exec(headers['content-type']!)!
    expect(`${body}`).toContain(`--${boundary}\r\nContent-Disposition: form-data; name="field"\r\n\r\nsome text\r\n`)
    expect(`${body}`).toContain('a file')
    expect(`${body}`.trimEnd()).toMatch(new RegExp(`--${boundary}--$`))
  },
  blob: ({ body }) => expect(`${body}`).toBe('some text'),
  stream: ({ body }) => expect(`${body}`).toBe('some text'),
}

describeWith(TRACK, 'the built-in fetch', () => {
  const track = useTrack()
  beforeAll(builtPackage)

  for (const major of NODE_MAJORS)
    itWith(`node${major}`, `of Node ${major} has its raced requests sent again, whole, plain and TLS`, async () => {
      const client = await track.wire.client.node(FETCH, { node: nodeBinary(major) })
      await client.call('open', { connect: { rejectUnauthorized: false }, learn: false })
      expect(await client.call('capabilities')).toMatchObject({ tcpInfo: true })
      let races = 0
      for (const tls of [false, true]) {
        const server = await track.server(undefined, { tls })
        expect(await client.call('send', server.origin)).toMatchObject({ status: 200 })
        for (const [kind, expectBody] of Object.entries(expected)) {
          const connection = server.connections.at(-1)!
          const port = connection.raw.remotePort!
          const start = monotonic()
          const answer = await track.cross(server, endings.close, () => client.call('send', server.origin, kind))
          expect(answer).toMatchObject({ status: 200, text: 'ok' })

          const replays: Replay[] = await client.call('replays')
          expect(replays).toHaveLength(++races)
          const { verdict, evidence } = replays.at(-1)!
          expect({ kind, verdict }).toEqual({ kind, verdict: 'refused' })
          // To the byte what went over the wire, TLS and all.
          expect(evidence.sent).toBe(await track.payload('toServer', start, port))

          expect(server.connections).toHaveLength(races - (tls ? 5 : 0) + 1)
          expect(connection.requests.filter(({ method }) => method === 'POST')).toHaveLength(kind === 'string' ? 0 : 1)
          const [request, ...others] = server.connections.at(-1)!.requests
          expect(others).toEqual([])
          expectBody(request!)
        }
        await expectRefusal(server, (kind) => client.call('send', server.origin, kind))
      }
      expect(await client.call('stats')).toMatchObject({ pending: 0, active: 0, replayed: races })
      await client.stop()
    })

  /** A request that was read must fail, with everything there is to know in its causes. */
  async function expectRefusal(server: ScriptedServer, send: (kind: string) => Promise<unknown>): Promise<void> {
    const failed = await track.cross(server, endings.halfClose, () => send('string'))
    expect(failed).toMatchObject({
      error: {
        name: 'TypeError',
        cause: { code: 'UND_ERR_SOCKET', cause: { refusal: 'not-proven', verdict: 'unknown' } },
      },
    })
  }
})
