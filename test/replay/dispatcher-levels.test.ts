/** Which raced requests are sent again under which level, through the dispatcher. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { type Dispatcher, upgrade } from 'undici'
import { expect, it, onTestFinished } from 'vitest'
import { get, send, until } from '../dispatcher/support.js'
import { describeWith } from '../support/requirements.js'
import { testCertificates } from '../support/tls.js'
import { monotonic } from '../support/wire/clock.js'
import { throughDispatcher } from './faces.js'
import { describeLevels } from './levels.js'
import { endings, TRACK, useTrack } from './race-track.js'

describeLevels(throughDispatcher)

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
