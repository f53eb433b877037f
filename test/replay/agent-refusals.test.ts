/** Where a request of an agent is not sent again, the error that node makes has ours as its cause, which says why. */
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ConnectionError } from '../../src/index.js'
import { until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { close, interim, request, reset, send as say, silence } from '../support/servers/script-steps.js'
import type { Script } from '../support/servers/scripted.js'
import { type Begin, onTrial, race, warm } from './agent-scenes.js'
import { Call, type CallOptions } from './caller.js'
import { endings, serve, TRACK, untilIdle, useTrack } from './race-track.js'

const methods = ['GET', 'POST'] as const

describeWith(TRACK, 'a request of an agent that died is not sent again', () => {
  const track = useTrack()

  /** One request to a server that does as scripted with it, after another one if the connection is to be a used one. */
  async function die(script: Script, { fresh = false, tls = false, ...options }: Death = {}): Promise<Call> {
    const server = await track.server(fresh ? script : [serve(), ...script], { tls })
    const pool = track.pool({ replay: 'closing' })
    if (!fresh) await new Call(pool, server.origin).ended
    const call = new Call(pool, server.origin, options)
    await call.ended
    expect(call.only('close')).toEqual(['close'])
    expect(call.only('error').length).toBeLessThanOrEqual(1)
    expect(pool.replays).toEqual([])
    await until(() => pool.stats().active === 0)
    expect(pool.stats()).toMatchObject({ opened: 1, replayed: 0, pending: 0 })
    return call
  }
  interface Death extends CallOptions {
    fresh?: boolean
    tls?: boolean
  }

  for (const tls of [false, true])
    for (const method of methods) {
      it(`on a new connection: ${method}, TLS: ${tls}, the server closes`, async () => {
        const { error } = await die([request(), close()], { method, tls, fresh: true })
        expect(error).toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' })
        expect(error!.cause).toBeInstanceOf(ConnectionError)
        expect(error!.cause).toMatchObject({ code: 'ERR_KEEPWISE_CONNECTION', refusal: 'new-connection' })
        expect(error!.cause!.message).toContain('the connection was new, so this was no keep-alive race')
        expect(error!.cause!.connection).toMatchObject({ requests: 1 })
      })

      it(`on a new connection: ${method}, TLS: ${tls}, the server resets it`, async () => {
        const { error } = await die([request(), reset()], { method, tls, fresh: true })
        expect(error).toMatchObject({ code: 'ECONNRESET', cause: { refusal: 'new-connection' } })
      })
    }

  describe('once part of the response is there', () => {
    const parts: [what: string, script: Script][] = [
      ['half a status line', [request(), say('HTTP/1.1 20'), close()]],
      ['one byte', [request(), say('H'), close()]],
      ['half its headers', [request(), say('HTTP/1.1 200 OK\r\ncontent-le'), reset()]],
      ['an interim response', [request(), interim(103, 'Early Hints', { link: '</a>' }), close()]],
    ]
    for (const method of methods)
      it.each(parts)(`${method}: %s`, async (_what, script) => {
        const call = await die(script, { method })
        expect(call.only('error', 'response')).toEqual(['error ECONNRESET'])
      })

    it('half its body, which is the response’s end', async () => {
      const call = await die([request(), say('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'), close()])
      expect(call.only('response', 'response-error', 'error')).toEqual(['response 200', 'response-error ECONNRESET'])
      expect(call.body).toBe('half')
    })
  })

  it('where an answer makes no sense, and its error is the parser’s', async () => {
    const { error } = await die([request(), say('NONSENSE\r\n\r\n'), close()])
    expect(error?.code).toMatch(/^HPE_/)
  })

  describe('where its caller has taken the socket’s end into its own hands', () => {
    const failure = new Error('enough')
    const moments: Record<string, { body?: string; begin?: Begin }> = {
      'before it has written anything': { begin: () => {} },
      'after that': { body: 'text' },
    }
    for (const [moment, { body, begin }] of Object.entries(moments))
      it.each([undefined, failure])(`${moment}, with %o`, async (given) => {
        const server = await track.server([serve(), request(), silence()])
        const pool = track.pool({ replay: 'closing' })
        await new Call(pool, server.origin).ended
        await untilIdle(pool)
        const call = new Call(pool, server.origin, { method: 'PUT', body: body ?? null }, begin)
        if (body === undefined) await until(() => call.sockets.length === 1)
        else await until(() => server.connections[0]!.requests.length === 2)
        call.request.socket!.destroy(given)
        await call.ended
        expect(call.only('socket', 'error', 'close')).toHaveLength(3)
        if (given !== undefined) expect(call.error).toBe(given)
        else expect(call.error).toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' })
        expect(pool.replays).toEqual([])
        await until(() => pool.stats().active === 0)
        expect(pool.stats()).toMatchObject({ opened: 1, pending: 0, dialing: 0 })
      })
  })

  it('where its caller has destroyed it, whose error is left as it is', async () => {
    const failure = new Error('enough')
    const server = await track.server([serve(), request(), silence()])
    const pool = track.pool({ replay: 'closing' })
    await new Call(pool, server.origin).ended
    const call = new Call(pool, server.origin)
    await until(() => server.connections[0]!.requests.length === 2)
    call.request.destroy(failure)
    await call.ended
    expect(call.error).toBe(failure)
    expect(failure.cause).toBeUndefined()
    expect(pool.stats()).toMatchObject({ opened: 1, pending: 0, closed: { aborted: 1 } })
  })

  it('where the agent is destroyed under it', async () => {
    const server = await track.server([serve(), request(), silence()])
    const pool = track.pool({ replay: 'closing' })
    await new Call(pool, server.origin).ended
    const call = new Call(pool, server.origin)
    await until(() => server.connections[0]!.requests.length === 2)
    pool.httpAgent.destroy()
    await call.ended
    expect(call.error!.cause).toBeUndefined()
    expect(call.only('error', 'close')).toEqual(['error ECONNRESET', 'close'])
    expect(pool.replays).toEqual([])
    expect(pool.stats()).toMatchObject({ opened: 1, pending: 0, active: 0, closed: { 'pool-closed': 1 } })
  })
})

describeWith(TRACK, 'the error of a request of an agent that was not sent again', () => {
  const track = useTrack()

  it('has the verdict, what it stands on, why it was not enough, and the connection', async () => {
    const { server, pool } = await warm(track)
    const first = server.connections[0]!.bytesReceived
    await sleep(60)
    const call = await track.cross(server, endings.halfClose, async () => {
      const raced = new Call(pool, server.origin, { method: 'POST', body: 'payload' })
      await raced.ended
      return raced
    })
    expect(call.error).toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' })
    const cause = call.error!.cause!
    expect(cause).toBeInstanceOf(ConnectionError)
    expect(cause).toMatchObject({ verdict: 'unknown', refusal: 'not-proven' })
    const { sent, watched, ...evidence } = cause.evidence!
    expect(sent).toBe(server.connections[0]!.bytesReceived - first)
    expect(evidence).toEqual({ written: sent, acknowledged: sent, fin: true, reset: false, requestTimeout: false })
    expect(watched).toBeLessThan(1000)
    expect(cause.idleBefore).toBeGreaterThanOrEqual(55)
    expect(cause.idleBefore).toBeLessThan(1000)
    expect(cause.connection).toMatchObject({
      ...{ id: 1, origin: server.origin, requests: 2, idle: 0 },
      ...{ remoteAddress: track.wire.server.address, remotePort: server.port },
    })
    expect(cause.message).toContain('socket hang up. ')
    expect(cause.message).toContain(` of ${sent} bytes acknowledged)`)
    expect(cause.message).toContain('Give it an Idempotency-Key')
  })

  it('is the system’s own where the peer has reset the connection', async () => {
    const { call } = await race(track, { ending: endings.reset, body: 'payload' })
    expect(call.error).toMatchObject({ code: 'ECONNRESET', syscall: 'read', message: 'read ECONNRESET' })
    expect(call.error!.cause).toMatchObject({
      ...{ verdict: 'unknown', refusal: 'not-proven' },
      evidence: { acknowledged: 0, fin: false, reset: true, requestTimeout: false },
    })
  })

  it('comes once, with its cause, after a trial that came to nothing', async () => {
    const { call, pool } = await onTrial(track, { body: 'payload' })
    await call.ended
    expect(call.only('error', 'response', 'close')).toEqual(['error ECONNRESET', 'close'])
    expect(call.error!.cause).toMatchObject({ verdict: 'closing', refusal: 'not-proven' })
    expect(pool.stats()).toMatchObject({ pending: 0, active: 0, replayed: 0 })
    await pool.close()
  })

  it('has its cause before any listener sees it', async () => {
    const { server, pool } = await warm(track)
    const causes: unknown[] = []
    await track.cross(server, endings.halfClose, async () => {
      const options = { method: 'POST', agent: pool.httpAgent }
      const raced = http.request(server.origin, options)
      raced.prependListener('error', ({ cause }) => void causes.push(cause))
      raced.once('error', ({ cause }) => void causes.push(cause))
      raced.end('payload')
      await new Promise((resolve) => raced.once('close', resolve))
    })
    expect(causes).toHaveLength(2)
    expect(causes[0]).toBeInstanceOf(ConnectionError)
    expect(causes[1]).toBe(causes[0])
  })
})
