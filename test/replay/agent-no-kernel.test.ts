/** Where the kernel cannot be asked nothing is proven: only what may be repeated is. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { replayed, warm } from './agent-scenes.js'
import { Call } from './caller.js'
import { throughAgents } from './faces.js'
import { describeNoKernel, NONE } from './no-kernel.js'
import { TRACK, useTrack } from './race-track.js'

describeNoKernel(throughAgents)

describeWith(TRACK, 'without a kernel to ask', () => {
  const track = useTrack()

  it('a POST of an agent of which nothing was written takes another connection: that is known without asking', async () => {
    const { server, pool } = await warm(track, { on: track.pool({}, NONE) })
    const call = new Call(pool, server.origin, { method: 'POST' }, () => {})
    await until(() => call.sockets.length === 1)
    server.connections[0]!.destroy()
    await until(() => call.sockets.length === 2)
    call.request.end('late')
    await call.ended
    expect(call.statusCode).toBe(200)
    expect(`${replayed(server).body}`).toBe('late')
    expect(pool.replays).toEqual([])
  })

  it.each([
    ['is in an object', { 'Idempotency-Key': 'key' }],
    ['is in an array', ['idempotency-key', 'key', 'content-length', '0']],
  ])('a POST with a key, which %s, may as well race: it has no connection opened', async (_how, headers) => {
    const { server, pool } = await warm(track, { on: track.pool({}, NONE) })
    await sleep(550)
    const call = new Call(pool, server.origin, { method: 'POST', headers: headers as never })
    await call.ended
    expect(call).toMatchObject({ statusCode: 200, reused: [true] })
    expect(pool.stats().opened).toBe(1)
  })
})
