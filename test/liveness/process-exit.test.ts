/** A process with nothing to do but idle connections ends. */
import { describe, expect } from 'vitest'
import { NODE_MAJORS } from '../support/nodes.js'
import { itWith } from '../support/requirements.js'
import { withServer } from '../support/servers/node.js'
import { runProgram } from './programs.js'

/** Never closes its pool. Says when it has nothing left to do: from then on only the pool could keep it alive. */
const PROGRAM = `
import { createPool } from 'keepwise'
import { request } from 'undici'

const { origin, kernel } = JSON.parse(process.env.SETTING)
const pool = createPool({ maxConnections: 8, acquireTimeout: 60_000, liveness: 'lan' })
await pool.warm(origin, 3)
const send = () => request(origin, { dispatcher: pool.dispatcher }).then(({ body }) => body.text())
await Promise.all(Array.from({ length: 5 }, send))
await send()
const { opened, idle } = pool.stats()
const doneAt = Date.now()
process.once('exit', () => console.log(JSON.stringify({ opened, idle, lingered: Date.now() - doneAt })))
`

describe('idle connections', () => {
  for (const major of NODE_MAJORS) {
    itWith(`node${major}`, `do not keep the process alive, warm or used, on Node ${major}`, async () => {
      // A server that keeps them open for as long as the client wants.
      await withServer({ keepAliveTimeout: 0 }, async (server) => {
        const printed = await runProgram<{ opened: number; idle: number; lingered: number }>(major, PROGRAM, {
          setting: { origin: server.origin },
        })
        expect(printed.opened).toBeGreaterThanOrEqual(5)
        expect(printed.idle).toBe(printed.opened)
        expect(printed.lingered).toBeLessThan(900)
      })
    })
  }
})
