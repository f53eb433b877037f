/** Where the kernel cannot be asked nothing is proven: only what may be repeated is sent again, whatever face it came through. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeWith } from '../support/requirements.js'
import type { Face } from './faces.js'
import { bodiesOf, endings, failureOf, TRACK, useTrack } from './race-track.js'

/** What there is in place of a kernel to ask. */
export const NONE = { why: 'not on this machine' }

export function describeNoKernel(face: Face): void {
  describeWith(TRACK, `without a kernel to ask, ${face.name}`, () => noKernelCases(face))
}

function noKernelCases({ send }: Face): void {
  const track = useTrack()

  for (const tls of [false, true])
    it.each(['close', 'reset', 'halfClose'] as const)(
      `a GET is sent again all the same (%s, TLS: ${tls})`,
      async (way) => {
        const server = await track.server(undefined, { tls })
        const pool = track.pool({}, NONE)
        await send(pool, server.origin)
        const { statusCode } = await track.cross(server, endings[way], () => send(pool, server.origin))
        expect(statusCode).toBe(200)
        const [{ verdict, evidence }] = pool.replays as [(typeof pool.replays)[0]]
        expect(verdict).toBe('unknown')
        expect(evidence).toMatchObject({ sent: undefined, acknowledged: undefined, fin: way !== 'reset', watched: 0 })
        expect(evidence.written).toBeGreaterThan(60)
      },
    )

  it.each(['close', 'reset', 'halfClose'] as const)('a POST is not, under any level (%s)', async (way) => {
    for (const replay of ['proven', 'closing'] as const) {
      const server = await track.server()
      const pool = track.pool({ replay }, NONE)
      await send(pool, server.origin)
      const raced = () => send(pool, server.origin, { method: 'POST', body: 'payload' })
      const { cause } = await failureOf(track.cross(server, endings[way], raced))
      expect(cause).toMatchObject({ verdict: 'unknown', refusal: 'not-proven' })
      expect(cause!.message).not.toContain('bytes acknowledged')
      expect(pool.replays).toEqual([])
    }
  })

  it('a POST rather has a connection opened than one that idled for half a second, a GET does not', async () => {
    const server = await track.server()
    const pool = track.pool({}, NONE)
    await send(pool, server.origin)
    await sleep(550)
    await send(pool, server.origin)
    expect(pool.stats().opened).toBe(1)
    await sleep(550)
    await send(pool, server.origin, { method: 'POST', body: 'payload' })
    expect(bodiesOf(server)).toEqual([['', ''], ['payload']])
  })

  it('a 408 that crosses a POST is passed on', async () => {
    const server = await track.server()
    const pool = track.pool({}, NONE)
    await send(pool, server.origin)
    const raced = () => send(pool, server.origin, { method: 'POST', body: 'payload' })
    expect((await track.cross(server, endings.requestTimeout, raced)).statusCode).toBe(408)
  })
}
