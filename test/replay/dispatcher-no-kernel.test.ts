/** Where the kernel cannot be asked nothing is proven: only what may be repeated is. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { get, send, testPool, testServer, until } from '../dispatcher/support.js'
import { describeWith, itWith } from '../support/requirements.js'
import { throughDispatcher } from './faces.js'
import { describeNoKernel, NONE } from './no-kernel.js'
import { bodiesOf, failureOf, TRACK, useTrack } from './race-track.js'

describeNoKernel(throughDispatcher)

describeWith(TRACK, 'without a kernel to ask', () => {
  const track = useTrack()

  it('a POST of which nothing was written is: that is known without asking', async () => {
    const server = await track.server()
    const pool = track.pool({}, NONE)
    await get(pool, server.origin)
    async function* late(): AsyncGenerator<string> {
      await sleep(60)
      yield 'late'
    }
    const answer = send(pool, server.origin, { method: 'POST', body: late() as never })
    await until(() => pool.stats().active === 1)
    await sleep(10)
    server.connections[0]!.destroy()
    expect((await answer).statusCode).toBe(200)
    expect(pool.replays).toMatchObject([{ verdict: 'unsent', evidence: { written: 0, sent: undefined } }])
    expect(bodiesOf(server)).toEqual([[''], ['late']])
  })
})

itWith('koffi', 'nothing is proven over a Unix socket, which has no TCP to ask', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'keepwise-replay-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const socketPath = join(directory, 'socket')
  const processed: string[] = []
  const { origin } = await testServer({
    socketPath,
    handler(request, response) {
      processed.push(`${request.method}`)
      const isFirst = processed.length === 1 || processed.at(-2) === 'closed'
      if (isFirst) return void response.end('ok')
      processed.push('closed')
      request.socket.destroy()
    },
  })
  const pool = testPool({ connect: { socketPath }, replay: 'closing' })
  await get(pool, origin)
  expect(await get(pool, origin)).toBe('ok')
  const { cause } = await failureOf(send(pool, origin, { method: 'POST' }))
  expect(cause).toMatchObject({ verdict: 'unknown', refusal: 'not-proven', evidence: { sent: undefined, fin: true } })
  expect(cause!.connection).toMatchObject({ remoteAddress: undefined, requests: 2 })
  expect(processed).toEqual(['GET', 'GET', 'closed', 'GET', 'POST', 'closed'])
  expect(pool.stats().replayed).toBe(1)
})
