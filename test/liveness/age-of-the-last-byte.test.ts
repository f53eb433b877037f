/**
 * A server's idle timer starts when it has sent its response, not when our JavaScript has got round to reading it: where
 * the kernel can be asked, it says for how long nothing has come.
 */
import { setImmediate as checkPhase, setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createPool, type Pool } from '../../src/index.js'
import { block, post, type Seen, withOtherProcess } from '../servers/other-process.js'
import { closedBy, trustingTests } from '../servers/pools.js'
import { describeWith, itWith } from '../support/requirements.js'
import { onlySocket } from './kernel-socket.js'

/** What the server of these tests advertises and does not keep itself, so that no FIN tells what age should. */
const TIMEOUT = 1000
const MARGIN = 100
const advertised = (origin: string) => `${origin}/?keep-alive=${encodeURIComponent(`timeout=${TIMEOUT / 1000}`)}`

describeWith(['linux', 'koffi'], 'the age of a connection', () => {
  for (const tls of [false, true]) {
    const over = tls ? 'TLS' : 'TCP'
    const needs = tls ? ('openssl' as const) : []

    itWith(needs, `counts the time that a response waited for a blocked event loop (${over})`, async () => {
      await withOtherProcess({ tls }, async ({ origin }) => {
        await using pool = createPool({ ...trustingTests(), keepAliveMargin: MARGIN })
        await post(pool, advertised(origin))
        const second = await answeredWhileBlocked(pool, origin, TIMEOUT - MARGIN - 150)
        expect(second).toMatchObject({ connection: 1, nth: 2 })
        // For JavaScript it has idled for 200 ms then, for the server for longer than what it advertised less the margin.
        block(200)
        expect(await post(pool, origin)).toMatchObject({ connection: 2, nth: 1 })
        expect(closedBy(pool)).toEqual({ 'advertised-timeout': 1 })
      })
    })

    itWith(needs, `counts it also for the timer that closes a connection which nobody asks for (${over})`, async () => {
      await withOtherProcess({ tls }, async ({ origin }) => {
        await using pool = createPool({ ...trustingTests(), keepAliveMargin: MARGIN })
        await post(pool, advertised(origin))
        await answeredWhileBlocked(pool, origin, TIMEOUT - MARGIN - 150)
        expect(closedBy(pool)).toEqual({})
        await sleep(200)
        expect(closedBy(pool)).toEqual({ 'advertised-timeout': 1 })
      })
    })

    itWith(needs, `counts it also for a request that is made at once (${over})`, async () => {
      await withOtherProcess({ tls }, async ({ origin }) => {
        await using pool = createPool({ ...trustingTests(), keepAliveMargin: MARGIN })
        await post(pool, advertised(origin))
        const second = await answeredWhileBlocked(pool, origin, TIMEOUT - MARGIN + 20)
        expect(second).toMatchObject({ connection: 1, nth: 2 })
        expect(await post(pool, origin)).toMatchObject({ connection: 2, nth: 1 })
        expect(closedBy(pool)).toEqual({ 'advertised-timeout': 1 })
      })
    })

    itWith(
      needs,
      `does not count against a connection whose response was read late but early enough (${over})`,
      async () => {
        await withOtherProcess({ tls }, async ({ origin }) => {
          await using pool = createPool({ ...trustingTests(), keepAliveMargin: MARGIN })
          await post(pool, advertised(origin))
          const second = await answeredWhileBlocked(pool, origin, 300)
          expect(second).toMatchObject({ connection: 1, nth: 2 })
          expect(await post(pool, origin)).toMatchObject({ connection: 1, nth: 3 })
          expect(closedBy(pool)).toEqual({})
        })
      },
    )
  }

  it('is what JavaScript counts where it read in time', async () => {
    await withOtherProcess({}, async ({ origin }) => {
      await using pool = createPool({ keepAliveMargin: MARGIN })
      await post(pool, advertised(origin))
      await sleep(TIMEOUT / 2)
      expect(await post(pool, origin)).toMatchObject({ connection: 1, nth: 2 })
      block(TIMEOUT - MARGIN + 1)
      expect(await post(pool, origin)).toMatchObject({ connection: 2, nth: 1 })
      expect(closedBy(pool)).toEqual({ 'advertised-timeout': 1 })
    })
  })
})

/** Sends a request and blocks the event loop for a while after its response has arrived; resolves when it has been read. */
async function answeredWhileBlocked(pool: Pool, origin: string, time: number): Promise<Seen> {
  const socket = onlySocket(pool, origin)
  const response = post(pool, advertised(origin))
  // undici writes in a check phase, mostly the next; this goes on behind it in the same one, before anything can be read.
  do await checkPhase()
  while (!socket.becomes(({ unread }) => unread > 0, 300) && pool.stats().pending > 0)
  expect(socket.unread).toBeGreaterThan(0)
  block(time)
  return response
}
