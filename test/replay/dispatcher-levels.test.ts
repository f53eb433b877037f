/** Which raced requests are sent again under which level: every way in which a connection ends, plain and TLS. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { type Dispatcher, upgrade } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ReplayLevel } from '../../src/replay/permission.js'
import type { Verdict } from '../../src/replay/verdict.js'
import { get, send, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { testCertificates } from '../support/tls.js'
import { monotonic } from '../support/wire/clock.js'
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

describeWith(TRACK, 'a raced request', () => {
  const track = useTrack()

  /** Lets one request cross the end of its connection; what the server took of it is to be seen on its connections. */
  async function race(way: Way, options: { level: ReplayLevel; method: 'POST' | 'GET'; tls: boolean }) {
    const { level, method, tls } = options
    const server = await track.server(undefined, { tls })
    const pool = track.pool({ replay: level })
    await get(pool, server.origin)
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
                  expect(['UND_ERR_SOCKET', 'ECONNRESET']).toContain(error?.code)
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
})

describeWith(TRACK, 'a TLS server that says goodbye some time before its FIN', () => {
  const track = useTrack()

  /** Says close_notify when it is told to, and closes the connection when it is told that. */
  async function politeServer(): Promise<{ origin: string; goodbye: () => void; close: () => void }> {
    let goodbye = (): void => {}
    let close = (): void => {}
    const server = createServer({ noDelay: true }, (raw) => {
      const wire = new Duplex({
        read() {},
        write: (chunk, _encoding, done) => void raw.write(chunk, done),
        final: () => {}, // the FIN is to come later
      })
      raw.on('data', (chunk) => wire.push(chunk)).on('error', () => {})
      const socket = new TLSSocket(wire, { isServer: true, ...testCertificates().localhost })
      socket.on('error', () => {})
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
      goodbye = () => void socket.end()
      close = () => void raw.destroy()
    })
    await track.atServer(() => once(server.listen(0), 'listening'))
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const origin = `https://${track.wire.server.address}:${port}`
    return { origin, goodbye: () => goodbye(), close: () => close() }
  }

  it('has refused the POST that crosses both, when its RST is there', async () => {
    await track.wire.setDelay(20)
    onTestFinished(() => track.restore())
    const { origin, goodbye, close } = await politeServer()
    const pool = track.pool()
    await get(pool, origin)
    await track.wire.setDelay(1)

    const start = monotonic()
    await track.wire.hold('toServer')
    const answer = send(pool, origin, { method: 'POST', body: 'payload' })
    await track.entered('toServer', start, ({ payload }) => payload > 0)
    goodbye()
    await until(() => pool.stats().active === 0)
    const { toClient } = await track.wire.trace(start)
    expect(toClient.filter(({ flags }) => flags.includes('F'))).toEqual([])
    close()
    await track.entered('toClient', start, ({ flags }) => flags.includes('F'))
    await track.wire.mend()
    expect((await answer).statusCode).toBe(200)
    expect(pool.replays).toMatchObject([{ verdict: 'refused', evidence: { fin: true, reset: true, acknowledged: 0 } }])
  })
})

describeWith(TRACK, 'a POST with an Idempotency-Key', () => {
  const track = useTrack()

  const forms: [what: string, headers: unknown][] = [
    ['an object', { 'Idempotency-Key': 'key' }],
    ['an object, in small letters', { 'idempotency-key': 'key' }],
    ['a flat array', ['x-other', 'value', 'IDEMPOTENCY-KEY', 'key']],
    ['a Map', new Map([['Idempotency-Key', 'key']])],
    ['Headers', new Headers({ 'Idempotency-Key': 'key' })],
    ['an iterator', new Map([['Idempotency-Key', 'key']]).entries()],
  ]
  it.each(forms)('is sent again as an idempotent request is, its headers given as %s', async (_what, headers) => {
    const server = await track.server()
    const pool = track.pool({ replay: 'idempotent' })
    await get(pool, server.origin)
    const answer = await track.cross(server, endings.halfClose, () =>
      send(pool, server.origin, { method: 'POST', body: 'payload', headers: headers as never }),
    )
    expect(answer.statusCode).toBe(200)
    expect(pool.replays).toMatchObject([{ method: 'POST', verdict: 'unknown', attempt: 1 }])
    // The server got both, and can tell by the key that they are one.
    const keys = server.connections.map(({ requests }) => requests.at(-1)!.headers['idempotency-key'])
    expect(keys).toEqual(['key', 'key'])
  })

  it.each([false, true])(
    'is sent again with all its headers where they can be read only once, TLS: %s',
    async (tls) => {
      const server = await track.server(undefined, { tls })
      const pool = track.pool()
      await get(pool, server.origin)
      const headers = new Map([
        ['authorization', 'me'],
        ['idempotency-key', 'key'],
      ]).entries()
      await track.cross(server, endings.halfClose, () =>
        send(pool, server.origin, { method: 'POST', body: 'payload', headers: headers as never }),
      )
      for (const { requests } of server.connections)
        expect(requests.at(-1)!.headers).toMatchObject({ authorization: 'me', 'idempotency-key': 'key' })
    },
  )

  it('needs no evidence to be waited for', async () => {
    await track.wire.setDelay(60)
    const server = await track.server()
    const pool = track.pool()
    await get(pool, server.origin)
    await track.wire.setDelay(1)
    const headers = { 'idempotency-key': 'key' }
    const { sent } = await track.strand(server, endings.close, () =>
      send(pool, server.origin, { method: 'POST', body: 'payload', headers }),
    )
    await until(() => pool.replays.length > 0)
    expect(pool.replays).toMatchObject([{ verdict: 'closing', evidence: { watched: 0 } }])
    await track.wire.mend()
    expect((await sent).statusCode).toBe(200)
  })
})

describeWith(TRACK, 'methods', () => {
  const track = useTrack()

  it.each(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'] as const)('%s is sent again', async (method) => {
    const server = await track.server()
    const pool = track.pool({ replay: 'idempotent' })
    await get(pool, server.origin)
    const body = method === 'PUT' ? 'payload' : null
    const raced = () => pool.dispatcher.request({ origin: server.origin, path: '/', method, body })
    // A HEAD is answered with a body here, which nobody asked for: it is of no concern to the replay.
    const { statusCode } = await track.cross(server, endings.reset, raced)
    expect(statusCode).toBe(200)
    expect(pool.replays).toMatchObject([{ method, verdict: 'unknown' }])
  })

  it.each(['POST', 'PATCH', 'QUERY', 'LOCK'])('%s is not, without proof', async (method) => {
    const server = await track.server()
    const pool = track.pool()
    await get(pool, server.origin)
    const raced = () => send(pool, server.origin, { method: method as Dispatcher.HttpMethod })
    await expect(track.cross(server, endings.reset, raced)).rejects.toMatchObject({ cause: { refusal: 'not-proven' } })
    expect(pool.replays).toEqual([])
  })

  it('of an upgrade is sent again, and the caller has the new connection', async () => {
    const switching = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello'
    const server = await track.server((nth) => [
      async (connection) => {
        if (nth === 1) await connection.takeRequest()
        await connection.send(nth === 1 ? 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n' : '')
        const { headers } = await connection.takeRequest()
        expect(headers.upgrade).toBe('echo')
        await connection.send(switching)
      },
    ])
    const pool = track.pool()
    await get(pool, server.origin)
    const { socket } = await track.cross(server, endings.close, () =>
      upgrade(server.origin, { dispatcher: pool.dispatcher, protocol: 'echo' }),
    )
    const [data] = (await socket.take(1).toArray()) as Buffer[]
    expect(`${data}`).toBe('hello')
    expect(pool.replays).toMatchObject([{ method: 'GET', verdict: 'refused' }])
    expect(pool.stats()).toMatchObject({ pending: 0, closed: { upgrade: 2 } })
    socket.destroy()
  })
})
