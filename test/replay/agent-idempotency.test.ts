/** Which requests of an agent may be repeated: by their method, or by an Idempotency-Key, however that was given. */
import type { ClientRequest, OutgoingHttpHeaders } from 'node:http'
import { expect, it } from 'vitest'
import { until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { onTrial, race, warm } from './agent-scenes.js'
import { Call } from './caller.js'
import { endings, TRACK, useTrack } from './race-track.js'

describeWith(TRACK, 'a POST of an agent with an Idempotency-Key', () => {
  const track = useTrack()

  type Given = { headers?: OutgoingHttpHeaders | readonly string[]; set?: (request: ClientRequest) => unknown }
  const forms: Record<string, Given> = {
    'in an object': { headers: { 'Idempotency-Key': 'key' } },
    'in an object, in small letters': { headers: { 'idempotency-key': 'key' } },
    'in an array': { headers: ['x-other', 'value', 'IDEMPOTENCY-KEY', 'key', 'content-length', '7'] },
    'by setHeader()': { set: (request) => request.setHeader('Idempotency-Key', 'key') },
    'by appendHeader()': { set: (request) => request.appendHeader('idempotency-key', 'key') },
  }
  it.each(Object.entries(forms))('is sent again as an idempotent request is, given %s', async (_how, given) => {
    const { headers, set = () => {} } = given
    const { call, pool, server } = await race(
      track,
      { pool: { replay: 'idempotent' }, ending: endings.halfClose, headers: headers as never },
      (request) => {
        set(request)
        request.end('payload')
      },
    )
    expect(call.statusCode).toBe(200)
    expect(pool.replays).toMatchObject([{ method: 'POST', verdict: 'unknown', attempt: 1 }])
    // The server got both, and can tell by the key that they are one.
    const keys = server.connections.map(({ requests }) => requests.at(-1)!.headers['idempotency-key'])
    expect(keys).toEqual(['key', 'key'])
  })

  it.each([{ 'idempotency-key': '' }, { 'x-idempotency-key': 'key' }, { 'x-note': 'idempotency-key: key' }])(
    'needs one: %j is none',
    async (headers) => {
      const { call, pool } = await race(track, { ending: endings.halfClose, headers, body: 'payload' })
      expect(call.error?.cause).toMatchObject({ verdict: 'unknown', refusal: 'not-proven' })
      expect(pool.replays).toEqual([])
    },
  )

  it('has none by its body saying so', async () => {
    const body = '\r\nidempotency-key: key\r\n'
    const { call } = await race(track, { ending: endings.halfClose, body })
    expect(call.error?.cause).toMatchObject({ refusal: 'not-proven' })
  })

  it('needs no evidence to be waited for', async () => {
    await track.wire.setDelay(60)
    const { pool, server } = await warm(track)
    await track.wire.setDelay(1)
    const headers = { 'idempotency-key': 'key' }
    const { sent: call } = await track.strand(
      server,
      endings.close,
      () => new Call(pool, server.origin, { method: 'POST', headers, body: 'payload' }),
    )
    await until(() => pool.replays.length > 0)
    expect(pool.replays).toMatchObject([{ verdict: 'closing', evidence: { watched: 0 } }])
    await track.wire.mend()
    await call.ended
    expect(call.statusCode).toBe(200)
  })
})

describeWith(TRACK, 'of methods of an agent', () => {
  const track = useTrack()

  it.each(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])('%s is sent again', async (method) => {
    const options = { method, pool: { replay: 'idempotent' }, ending: endings.reset } as const
    // A HEAD is answered with a body here, which nobody asked for: it is of no concern to the replay.
    const { call, pool } = await race(track, options)
    expect(call.statusCode).toBe(200)
    expect(pool.replays).toMatchObject([{ method, verdict: 'unknown' }])
  })

  it.each(['POST', 'PATCH', 'QUERY', 'LOCK'])('%s is not, without proof', async (method) => {
    const { call, pool } = await race(track, { method, ending: endings.reset })
    expect(call.error?.cause).toMatchObject({ refusal: 'not-proven' })
    expect(pool.replays).toEqual([])
  })

  it('a POST on trial is sent again under "closing" when time is up', async () => {
    const { call, pool } = await onTrial(track, { pool: { replay: 'closing' }, body: 'payload' })
    await until(() => pool.replays.length > 0)
    expect(pool.replays).toMatchObject([{ verdict: 'closing', evidence: { fin: true, reset: false } }])
    await track.wire.mend()
    await call.ended
    expect(call.statusCode).toBe(200)
  })
})
