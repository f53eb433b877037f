/**
 * What a peer did while the client's event loop was blocked waits in the kernel, unread. A request that is made at that
 * moment must not go out on that connection: it is a POST in all of these, and must succeed.
 */
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { setImmediate as checkPhase, setTimeout as timersPhase } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { block, post, withOtherProcess } from '../servers/other-process.js'
import { closedBy, kinds, trustingTests } from '../servers/pools.js'
import { describeWith } from '../support/requirements.js'
import { type KernelSocket, onlySocket } from './kernel-socket.js'

/** Where in the event loop the request is made that could meet the dead connection. */
const phases = {
  'in the turn of the response before': () => Promise.resolve(),
  'in a timer': () => timersPhase(0),
  'in the check phase': () => checkPhase(),
  'in the poll phase': () => readFile('/dev/null'),
}
const ROUNDS = 2

/** After a turn of the event loop this long no connection counts as in use until a moment ago: it is looked at once more. */
const LONG_TURN = 110

const isOver = (socket: KernelSocket) => !socket.established
const hasUnread = (socket: KernelSocket) => socket.unread > 0

/** `asked` and `read`: the reason given where the kernel can be asked, and where it has to be read. */
const endings = [
  { what: 'fin', title: 'FIN', arrived: isOver, asked: 'stale', read: 'server-fin' },
  { what: 'rst', title: 'RST', arrived: isOver, asked: 'stale', read: 'reset' },
  { what: 'bytes', title: 'unsolicited response', arrived: hasUnread, asked: 'poisoned', read: 'poisoned' },
] as const

for (const { kind, make, canAsk } of kinds) {
  // Also without: the test itself asks, to know when to go on.
  const needs = ['linux', 'koffi'] as const

  for (const tls of [false, true]) {
    describeWith(tls ? [...needs, 'openssl'] : needs, `a pool ${kind}, over ${tls ? 'TLS' : 'TCP'}`, () => {
      for (const { what, title, arrived, asked, read } of endings) {
        it(`does not send a request on a connection whose ${title} waits in the kernel`, async () => {
          await withOtherProcess({ tls }, async ({ origin, act }) => {
            await using pool = make(trustingTests())
            let connection = 1
            for (const [phase, reach] of Object.entries(phases)) {
              for (let round = 0; round < ROUNDS; round++) {
                const before = await post(pool, `${origin}/then/${what}`)
                expect(before.connection, phase).toBe(connection++)
                const socket = onlySocket(pool, origin)
                await reach()
                act()
                socket.blockUntil(arrived)
                // A connection that was good in this very millisecond would be trusted.
                block(2)
                const after = await post(pool, origin)
                expect(after, phase).toMatchObject({ connection, nth: 1, path: '/' })
              }
            }
            expect(closedBy(pool)).toEqual({ [canAsk ? asked : read]: connection - 1 })
          })
        })

        for (const { idle, state } of [
          { idle: 0, state: 'a connection that has just become idle' },
          { idle: 5, state: 'a connection that was idle for a moment' },
          { idle: 120, state: 'a connection that was idle for long' },
        ]) {
          it(`does not send a request on ${state} whose caller works on until the ${title} is there`, async () => {
            await withOtherProcess({ tls }, async ({ origin, act }) => {
              await using pool = make(trustingTests())
              for (let connection = 1; connection <= ROUNDS; connection++) {
                await post(pool, origin)
                const socket = onlySocket(pool, origin)
                expect(await post(pool, `${origin}/then/${what}`)).toMatchObject({ connection })
                block(idle)
                const after = post(pool, origin)
                act()
                socket.blockUntil(arrived)
                block(LONG_TURN)
                expect(await after).toMatchObject({ connection: connection + 1, nth: 1, path: '/' })
              }
            })
          })
        }
      }
    })
  }
}

describeWith(['linux', 'koffi'], 'a streamed body', () => {
  for (const { kind, make } of kinds) {
    it(`goes out whole on another connection when the first turns out to be closed, from a pool ${kind}`, async () => {
      await withOtherProcess({}, async ({ origin, act }) => {
        await using pool = make()
        await post(pool, `${origin}/then/fin`)
        const socket = onlySocket(pool, origin)
        const after = post(pool, origin, Readable.from(['once ', 'only ', 'in pieces']))
        act()
        socket.blockUntil(isOver)
        block(LONG_TURN)
        expect(await after).toEqual({ connection: 2, nth: 1, path: '/', bytes: 19 })
      })
    })
  }
})

describeWith(['linux', 'koffi', 'openssl'], 'TLS session tickets', () => {
  for (const { kind, make } of kinds) {
    it(`are not taken for unsolicited bytes by a pool ${kind}`, async () => {
      await withOtherProcess({ tls: true }, async ({ origin }) => {
        await using pool = make(trustingTests())
        await pool.warm(origin)
        // Now the last message of the handshake is sent, and the server answers it with tickets.
        await checkPhase()
        onlySocket(pool, origin).blockUntil(hasUnread)
        expect(await post(pool, origin)).toMatchObject({ connection: 1, nth: 1, path: '/' })
        expect(closedBy(pool)).toEqual({})
      })
    })
  }
})
