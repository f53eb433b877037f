/**
 * Requests of every client that cross the end of their connection on a wire: sent again where that is safe, and processed
 * once, as the server counts it.
 */
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { endings, failureOf, type RaceTrack, TRACK, type TrackPool, untilIdle, useTrack } from '../replay/race-track.js'
import { describeWith } from '../support/requirements.js'
import type { ScriptedServer } from '../support/servers/scripted.js'
import { callers } from './callers/all.js'
import type { Agents, Caller, MakeCaller } from './support/caller.js'
import { answerAll } from './support/scripts.js'

/** Of the clients, the ones that hide the causes of an error. */
const SECRETIVE = ['node-fetch']

describeWith(TRACK, 'raced by the end of their connection, requests of', () => {
  const track = useTrack()

  describe.each(Object.entries(callers))('%s', (name, make) => {
    describe.each([false, true])('(TLS: %s)', (tls) => {
      it('are sent again, GET, POST and a streamed PUT, and each is processed once', async () => {
        const { server, pool, caller } = await warm(track, make, tls)
        const kinds: Record<string, () => Promise<unknown>> = {
          GET: () => caller.get('/got'),
          POST: () => caller.post('/posted', 'what is posted'),
          PUT: () => caller.upload('/put', Readable.from([Buffer.alloc(5_000, 'a'), Buffer.alloc(5_000, 'b')]), 10_000),
        }
        let races = 0
        for (const [method, send] of Object.entries(kinds)) {
          expect(await track.cross(server, endings.close, send)).toMatchObject({ status: 200 })
          expect(pool.replays.at(-1)).toMatchObject({ method, verdict: 'refused', attempt: 1 })
          expect(server.connections).toHaveLength(++races + 1)
          await untilIdle(pool)
        }
        const processed = server.connections.flatMap(({ requests }) => requests)
        expect(processed.map(({ method }) => method)).toEqual(['GET', 'GET', 'POST', 'PUT'])
        expect(`${processed[2]?.body}`).toContain('what is posted')
        // An S3 client sends it in chunks of its own making.
        const put = `${processed[3]?.body}`.replaceAll(/^[0-9a-f]+\r\n|\r\n[0-9a-f]+\r\n/g, '')
        expect(put).toContain('a'.repeat(5_000) + 'b'.repeat(5_000))
        expect(pool.replays).toHaveLength(3)
        expect(pool.stats()).toMatchObject({ opened: 4, idle: 1, replayed: 3, pending: 0, waiting: 0 })
      })
    })

    it('fail, and say why, where nobody knows whether they were processed', async () => {
      const { server, pool, caller } = await warm(track, make)
      const post = () => caller.post('/posted', 'may have been processed')
      const error = await failureOf(track.cross(server, endings.reset, post))
      expect(error.code).toBe('ECONNRESET')
      if (!SECRETIVE.includes(name))
        expect(innermost(error)).toMatchObject({
          ...{ code: 'ERR_KEEPWISE_CONNECTION', verdict: 'unknown', refusal: 'not-proven' },
        })
      expect(server.connections.flatMap(({ requests }) => requests)).toHaveLength(1)
      expect(await caller.get('/next')).toMatchObject({ status: 200 })
      await untilIdle(pool)
      expect(pool.stats()).toMatchObject({ opened: 2, idle: 1, replayed: 0 })
    })
  })
})

interface Track {
  readonly server: ScriptedServer
  readonly pool: TrackPool
  readonly caller: Caller
}

/** A server, and a client with an idle connection to it. */
async function warm(track: RaceTrack, make: MakeCaller, tls = false): Promise<Track> {
  const server = await track.server([answerAll], { tls })
  const pool = track.pool()
  const caller = make(server.origin, pool as TrackPool & Agents)
  expect(await caller.get('/first')).toMatchObject({ status: 200 })
  await untilIdle(pool)
  return { server, pool, caller }
}

function innermost(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? innermost(error.cause) : error
}
