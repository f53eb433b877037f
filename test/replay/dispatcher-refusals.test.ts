/** Where a request is not sent again, its error says why, and what is known of its connection. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ConnectionError } from '../../src/index.js'
import { get, send } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { close, interim, request, reset, send as say, silence } from '../support/servers/script-steps.js'
import type { Script } from '../support/servers/scripted.js'
import { endings, type Failure, failureOf, serve, TRACK, type TrackPool, useTrack } from './race-track.js'

const methods = ['GET', 'POST'] as const

describeWith(TRACK, 'a request that died is not sent again', () => {
  const track = useTrack()

  /** One request to a server that does as scripted with it, after another one if the connection is to be a used one. */
  async function die(script: Script, { method = 'GET', fresh = false, ...options }: Scene = {}): Promise<Death> {
    const server = await track.server(fresh ? script : [serve(), ...script])
    const pool = track.pool({ replay: 'closing', ...options })
    if (!fresh) await get(pool, server.origin)
    const error = await failureOf(send(pool, server.origin, { method }))
    expect(pool.replays).toEqual([])
    expect(pool.stats()).toMatchObject({ opened: 1, replayed: 0, pending: 0, active: 0 })
    return { error, origin: server.origin }
  }
  interface Scene {
    method?: 'GET' | 'POST'
    fresh?: boolean
    headersTimeout?: number
  }
  interface Death {
    error: Failure
    origin: string
  }

  const expectRefusal = ({ error }: Death, code: string, refusal: string, said: string): void => {
    expect(error.code).toBe(code)
    expect(error.cause).toBeInstanceOf(ConnectionError)
    expect(error.cause).toMatchObject({ name: 'ConnectionError', code: 'ERR_KEEPWISE_CONNECTION', refusal })
    expect(error.cause?.message).toContain(said)
  }

  describe('on a new connection, be it idempotent or not', () => {
    const ends: [how: string, script: Script, code: string][] = [
      ['the server closes instead of answering', [request(), close()], 'UND_ERR_SOCKET'],
      ['the server resets it instead of answering', [request(), reset()], 'ECONNRESET'],
    ]
    for (const method of methods)
      it.each(ends)(`${method}: %s`, async (_how, script, code) => {
        const death = await die(script, { method, fresh: true })
        expectRefusal(death, code, 'new-connection', 'the connection was new, so this was no keep-alive race')
        expect(death.error.cause?.message).not.toContain('idled')
        expect(death.error.cause?.connection).toMatchObject({ requests: 1 })
      })

    it('but on one that was opened ahead it is, for that has idled', async () => {
      const server = await track.server()
      const pool = track.pool()
      await pool.warm(server.origin)
      await server.connection(1)
      const answer = await track.cross(server, endings.close, () => send(pool, server.origin, { method: 'POST' }))
      expect(answer.statusCode).toBe(200)
      expect(pool.replays).toMatchObject([{ verdict: 'refused' }])
    })
  })

  describe('once part of the response is there', () => {
    const parts: [what: string, script: Script][] = [
      ['half a status line', [request(), say('HTTP/1.1 20'), close()]],
      ['one byte', [request(), say('H'), close()]],
      ['half its headers', [request(), say('HTTP/1.1 200 OK\r\ncontent-le'), close()]],
      ['an interim response', [request(), interim(103, 'Early Hints', { link: '</a>' }), close()]],
    ]
    for (const method of methods)
      it.each(parts)(`${method}: %s`, async (_what, script) => {
        const death = await die(script, { method })
        expectRefusal(death, 'UND_ERR_SOCKET', 'response-begun', 'part of the response had arrived')
      })

    it('half its body', async () => {
      const half = 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'
      expectRefusal(await die([request(), say(half), close()]), 'UND_ERR_SOCKET', 'response-begun', 'part of the resp')
    })
  })

  describe('where it was not the peer that ended the connection', () => {
    it('a server that does not answer in time', async () => {
      const death = await die([request(), silence()], { headersTimeout: 100 })
      expectRefusal(death, 'UND_ERR_HEADERS_TIMEOUT', 'not-the-peer', 'it was not the peer that ended the connection')
    })

    it('an answer that makes no sense', async () => {
      const death = await die([request(), say('NONSENSE\r\n\r\n'), close()])
      expect(death.error.name).toBe('HTTPParserError')
      expect(death.error.cause).toMatchObject({ refusal: 'not-the-peer' })
    })
  })
})

describeWith(TRACK, 'the error of a request that was not sent again', () => {
  const track = useTrack()

  async function raced(
    ending: keyof typeof endings,
    pool: TrackPool,
    server: Awaited<ReturnType<typeof track.server>>,
  ) {
    await get(pool, server.origin)
    await sleep(60)
    return failureOf(
      track.cross(server, endings[ending], () => send(pool, server.origin, { method: 'POST', body: 'payload' })),
    )
  }

  it("is undici's own, and has ours as its cause", async () => {
    const server = await track.server()
    const error = await raced('halfClose', track.pool(), server)
    expect(error).toMatchObject({ name: 'SocketError', code: 'UND_ERR_SOCKET', message: 'other side closed' })
    expect(error.cause).toBeInstanceOf(ConnectionError)
  })

  it("is the system's own where the peer has reset the connection", async () => {
    const server = await track.server()
    const error = await raced('reset', track.pool(), server)
    expect(error).toMatchObject({ code: 'ECONNRESET', syscall: 'read' })
    expect(error.cause).toMatchObject({
      verdict: 'unknown',
      evidence: { acknowledged: 0, fin: false, reset: true, requestTimeout: false },
    })
  })

  it('has the verdict, what it stands on, why it was not enough, and the connection', async () => {
    const server = await track.server()
    const pool = track.pool()
    await get(pool, server.origin)
    const first = server.connections[0]!.bytesReceived
    await sleep(60)
    const { cause } = await failureOf(
      track.cross(server, endings.halfClose, () => send(pool, server.origin, { method: 'POST', body: 'payload' })),
    )
    expect(cause).toMatchObject({ verdict: 'unknown', refusal: 'not-proven' })
    const { sent, watched, ...evidence } = cause!.evidence!
    expect(sent).toBe(server.connections[0]!.bytesReceived - first)
    expect(evidence).toEqual({
      written: sent,
      acknowledged: sent,
      fin: true,
      reset: false,
      requestTimeout: false,
    })
    expect(watched).toBeLessThan(1000)
    expect(cause!.idleBefore).toBeGreaterThanOrEqual(55)
    expect(cause!.idleBefore).toBeLessThan(1000)
    expect(cause!.connection).toMatchObject({
      id: 1,
      origin: server.origin,
      remoteAddress: track.wire.server.address,
      remotePort: server.port,
      requests: 2,
      idle: 0,
    })
    expect(cause!.connection.rtt).toBeGreaterThan(1)
    expect(cause!.connection.age).toBeGreaterThan(cause!.idleBefore)
  })

  it('says it in words and numbers', async () => {
    const server = await track.server()
    const { cause } = await raced('halfClose', track.pool(), server)
    const { message } = cause!
    const where = `${track.wire.server.address}:${server.port}`
    expect(message).toMatch(
      new RegExp(`^Connection 1 to ${server.origin} \\(${where}\\) failed under its request number 2`),
    )
    expect(message).toContain('other side closed. ')
    expect(message).toContain(`It had idled for ${Math.round(cause!.idleBefore)} ms before. `)
    expect(message).toContain('The verdict on the request is "unknown" (')
    expect(message).toContain(` of ${cause!.evidence!.sent} bytes acknowledged)`)
    expect(message).toContain('it may have been processed. Give it an Idempotency-Key')
  })

  it('says that replay is off where it is', async () => {
    const server = await track.server()
    const { cause } = await raced('close', track.pool({ replay: 'off' }), server)
    expect(cause).toMatchObject({ refusal: 'off' })
    expect(cause!.message).toMatch(/it was not sent again: replay is "off"\.$/)
  })

  it('says that it was not proven under "proven" where the RST has not come in time', async () => {
    const server = await track.server()
    const pool = track.pool()
    await get(pool, server.origin)
    const { sent } = await track.strand(server, endings.close, () => send(pool, server.origin, { method: 'POST' }))
    const error = await failureOf(sent)
    expect(error.cause).toMatchObject({ verdict: 'closing', refusal: 'not-proven', evidence: { acknowledged: 0 } })
    expect(error.cause!.evidence!.watched).toBeGreaterThanOrEqual(10)
  })

  it('comes through fetch as the cause of the cause', async () => {
    const server = await track.server()
    const pool = track.pool()
    await get(pool, server.origin)
    const init = { method: 'POST', body: 'x', dispatcher: pool.dispatcher } as RequestInit
    const error = await failureOf(track.cross(server, endings.halfClose, () => fetch(server.origin, init)))
    expect(error).toMatchObject({ name: 'TypeError', message: 'fetch failed' })
    expect(error.cause).toMatchObject({ code: 'UND_ERR_SOCKET', cause: { verdict: 'unknown', refusal: 'not-proven' } })
  })

  it('is one object for each request', async () => {
    const server = await track.server()
    const pool = track.pool()
    const first = await raced('reset', pool, server)
    const second = await raced('reset', pool, server)
    expect(second.cause!.connection.id).toBe(2)
    expect(first.cause!.connection.id).toBe(1)
  })
})
