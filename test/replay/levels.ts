/** Which raced requests are sent again under which level, whatever face they came through: every way in which a connection ends. */
import { describe, expect, it } from 'vitest'
import type { ReplayLevel } from '../../src/replay/permission.js'
import type { Verdict } from '../../src/replay/verdict.js'
import { until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import type { Face } from './faces.js'
import { bodiesOf, endings, type Failure, TRACK, untilIdle, useTrack } from './race-track.js'

/** What the caller gets: an answer from a second connection, the server's 408, or an error with this refusal. */
type Outcome = 'replayed' | '408' | 'off' | 'not-proven'

type Way = keyof typeof endings | 'closeUnheard'

/** The ends of connections, their verdicts, and what comes of each under 'off', 'idempotent', 'proven' and 'closing'. */
const table: Record<Way, { verdict: Verdict; POST: Outcome[]; GET: Outcome[] }> = {
  close: {
    verdict: 'refused',
    POST: ['off', 'not-proven', 'replayed', 'replayed'],
    GET: ['off', 'replayed', 'replayed', 'replayed'],
  },
  // The RST that would prove it does not arrive in time.
  closeUnheard: {
    verdict: 'closing',
    POST: ['off', 'not-proven', 'not-proven', 'replayed'],
    GET: ['off', 'replayed', 'replayed', 'replayed'],
  },
  halfClose: {
    verdict: 'unknown',
    POST: ['off', 'not-proven', 'not-proven', 'not-proven'],
    GET: ['off', 'replayed', 'replayed', 'replayed'],
  },
  reset: {
    verdict: 'unknown',
    POST: ['off', 'not-proven', 'not-proven', 'not-proven'],
    GET: ['off', 'replayed', 'replayed', 'replayed'],
  },
  requestTimeout: {
    verdict: 'refused',
    POST: ['408', '408', 'replayed', 'replayed'],
    GET: ['408', 'replayed', 'replayed', 'replayed'],
  },
}

const levels: readonly ReplayLevel[] = ['off', 'idempotent', 'proven', 'closing']

export function describeLevels(face: Face): void {
  describeWith(TRACK, `a raced request ${face.name}`, () => levelCases(face))
}

function levelCases({ send, closedCode }: Face): void {
  const track = useTrack()

  /** Lets one request cross the end of its connection; what the server took of it is to be seen on its connections. */
  async function race(way: Way, options: { level: ReplayLevel; method: 'POST' | 'GET'; tls: boolean }) {
    const { level, method, tls } = options
    const server = await track.server(undefined, { tls })
    const pool = track.pool({ replay: level })
    await send(pool, server.origin)
    const raced = async () => {
      const body = method === 'POST' ? 'payload' : null
      return send(pool, server.origin, { method, body, path: '/raced' }).then(
        ({ statusCode }) => ({ statusCode, error: undefined }),
        (error: Failure) => ({ statusCode: undefined, error }),
      )
    }
    if (way !== 'closeUnheard') return { server, pool, ...(await track.cross(server, endings[way], raced)) }
    const { sent } = await track.strand(server, endings.close, raced)
    // The verdict is out when the connection's place is taken, or the request has failed.
    await until(() => pool.replays.length > 0 || pool.stats().pending === 0)
    await track.wire.mend()
    return { server, pool, ...(await sent) }
  }

  for (const tls of [false, true])
    describe(tls ? 'over TLS' : 'in the clear', () => {
      for (const way of Object.keys(table) as Way[])
        for (const method of ['POST', 'GET'] as const)
          levels.forEach((level, index) => {
            const { verdict } = table[way]
            const outcome = table[way][method][index]!
            it(`${method}, ${way}, "${level}": ${verdict}, ${outcome}`, async () => {
              const { server, pool, statusCode, error } = await race(way, { level, method, tls })
              const { origin } = server
              if (outcome === 'replayed') {
                expect(statusCode).toBe(200)
                expect(pool.replays).toMatchObject([{ method, origin, attempt: 1, verdict }])
              } else {
                expect(pool.replays).toEqual([])
                if (outcome === '408') expect(statusCode).toBe(408)
                else {
                  expect([closedCode, 'ECONNRESET']).toContain(error?.code)
                  expect(error?.cause).toMatchObject({ code: 'ERR_KEEPWISE_CONNECTION', verdict, refusal: outcome })
                }
              }

              await untilIdle(pool, outcome === 'replayed' ? 1 : 0)
              const { pending, replayed, opened, origins } = pool.stats()
              const count = outcome === 'replayed' ? 1 : 0
              expect({ pending, replayed, opened }).toEqual({ pending: 0, replayed: count, opened: 1 + count })
              expect(origins[origin]).toMatchObject({ replayed: count })

              const body = method === 'POST' ? 'payload' : ''
              const processed = way === 'halfClose' ? [body] : []
              expect(bodiesOf(server)).toEqual([['', ...processed], ...(count === 1 ? [[body]] : [])])
            })
          })
    })
}
