import { createServer } from 'node:https'
import { createSecureContext, type TLSSocket } from 'node:tls'
import * as undici from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SECOND_NAME, testCertificates } from '../support/tls.js'
import { books, get, quietBooks, send, testPool, testServer, turns, until } from './support.js'

const { ca } = testCertificates()

/** A server that has a certificate for each of two names, and answers with the name it was asked for by. */
async function twoNames() {
  const { second } = testCertificates()
  const names: (string | false)[] = []
  const running = await testServer({
    tls: true,
    SNICallback: (name, done) => done(null, name === SECOND_NAME ? createSecureContext(second) : undefined),
    handler: (request, response) => {
      response.end(String((request.socket as TLSSocket & { servername: string | false }).servername))
    },
  })
  running.server.on('secureConnection', (socket: TLSSocket & { servername: string | false }) => {
    names.push(socket.servername)
  })
  return { ...running, names }
}

describe('https', () => {
  it('is pooled like http', async () => {
    const { port, connections } = await testServer({ tls: true })
    const pool = testPool({ connect: { ca } })
    const origin = `https://localhost:${port}`
    for (let n = 0; n < 5; n++) expect(await get(pool, origin)).toBe('ok')
    await Promise.all([get(pool, origin), get(pool, origin)])
    await until(() => connections.length === 2)
    expect(books(pool)).toEqual(quietBooks({ idle: 2, opened: 2, requests: 7 }))
    expect(pool.explain(origin).connections[0]).toMatchObject({ remotePort: port, requests: expect.any(Number) })
  })

  it('works with fetch, and with large bodies both ways', async () => {
    const { port } = await testServer({ tls: true, handler: (request, response) => void request.pipe(response) })
    const pool = testPool({ connect: { ca } })
    const body = 'x'.repeat(3_000_000)
    const response = await undici.fetch(`https://localhost:${port}`, {
      dispatcher: pool.dispatcher,
      method: 'POST',
      body,
    })
    expect(await response.text()).toBe(body)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 1 }))
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('resumes its session on the second connection, with %s', async (version) => {
    const { port, connections } = await testServer({ tls: true })
    const pool = testPool({ connect: { ca, minVersion: version, maxVersion: version }, maxRequests: 1 })
    const origin = `https://localhost:${port}`
    for (let n = 0; n < 3; n++) await get(pool, origin)
    await until(() => connections.length === 3)
    expect(connections.map(({ resumed }) => resumed)).toEqual([false, true, true])
  })

  it('resumes no session when none are kept', async () => {
    const { port, connections } = await testServer({ tls: true })
    const pool = testPool({ connect: { ca, maxCachedSessions: 0 }, maxRequests: 1 })
    for (let n = 0; n < 2; n++) await get(pool, `https://localhost:${port}`)
    await until(() => connections.length === 2)
    expect(connections.map(({ resumed }) => resumed)).toEqual([false, false])
  })

  it('sends the client’s certificate', async () => {
    const { client } = testCertificates()
    const { port } = await testServer({
      tls: true,
      ca,
      requestCert: true,
      rejectUnauthorized: true,
      handler: (request, response) => {
        response.end((request.socket as TLSSocket).getPeerCertificate().subject.CN)
      },
    })
    const pool = testPool({ connect: { ca, ...client } })
    expect(await get(pool, `https://localhost:${port}`)).toBe('client')
  })

  it('to an address sends no server name, and checks the address', async () => {
    const { port, names } = await twoNames()
    const pool = testPool({ connect: { ca } })
    expect(await get(pool, `https://127.0.0.1:${port}`)).toBe('false')
    expect(names).toEqual([false])
  })
})

describe('the server name of a request', () => {
  it('is that of its URL, that of its Host header, or that of its option, each with connections of its own', async () => {
    const { port, names } = await twoNames()
    const origin = `https://localhost:${port}`
    const pool = testPool({ connect: { ca } })
    for (let round = 0; round < 2; round++) {
      expect(await get(pool, origin)).toBe('localhost')
      expect((await send(pool, origin, { headers: { host: SECOND_NAME } })).body).toBe(SECOND_NAME)
      expect((await send(pool, origin, { headers: { Host: `${SECOND_NAME}:443` } })).body).toBe(SECOND_NAME)
      expect((await send(pool, origin, { headers: ['HOST', SECOND_NAME] })).body).toBe(SECOND_NAME)
      expect((await send(pool, origin, { headers: new Map([['host', SECOND_NAME]]) })).body).toBe(SECOND_NAME)
      expect((await send(pool, origin, { servername: SECOND_NAME } as never)).body).toBe(SECOND_NAME)
    }
    expect(names).toEqual(['localhost', SECOND_NAME])
    expect(books(pool)).toEqual(quietBooks({ idle: 2, opened: 2, requests: 12 }))
    expect(Object.keys(pool.stats().origins)).toEqual([origin, `${origin} as ${SECOND_NAME}`])
  })

  it('never shares a connection with another one, under load and at the limit', async () => {
    const { port } = await twoNames()
    const origin = `https://localhost:${port}`
    const pool = testPool({ connect: { ca }, maxTotalConnections: 2 })
    const answers = await Promise.all(
      Array.from({ length: 30 }, async (_, n) => {
        const headers = n % 2 === 0 ? {} : { host: SECOND_NAME }
        return (await send(pool, origin, { headers })).body
      }),
    )
    expect(answers).toEqual(Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? 'localhost' : SECOND_NAME)))
  })

  it('that the certificate does not have is refused, and harms no connection of another one', async () => {
    const { port, names } = await twoNames()
    const origin = `https://localhost:${port}`
    const pool = testPool({ connect: { ca } })
    await get(pool, origin)
    await expect(send(pool, origin, { headers: { host: 'third.test' } })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
    await get(pool, origin)
    expect(names.filter((name) => name === 'localhost')).toHaveLength(1)
    await turns()
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  it('that is in the URL and in the Host header as well is the same name, on the same connection', async () => {
    const { port, names } = await twoNames()
    const lookup = ((_: string, { all }: { all?: boolean }, done: (error: null, ...result: unknown[]) => void) =>
      all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)) as never
    const pool = testPool({ connect: { ca, lookup } })
    for (const headers of [{}, { host: SECOND_NAME }, {}, { host: `${SECOND_NAME}:${port}` }, {}])
      expect((await send(pool, `https://${SECOND_NAME}:${port}`, { headers })).body).toBe(SECOND_NAME)
    expect(names).toEqual([SECOND_NAME])
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 5 }))
  })

  it('may be set for the whole pool', async () => {
    const { port, names } = await twoNames()
    const pool = testPool({ connect: { ca, servername: SECOND_NAME } })
    expect(await get(pool, `https://127.0.0.1:${port}`)).toBe(SECOND_NAME)
    expect(await get(pool, `https://127.0.0.1:${port}`)).toBe(SECOND_NAME)
    expect(names).toEqual([SECOND_NAME])
    expect(pool.explain(`https://127.0.0.1:${port}`).connections).toHaveLength(1)
  })

  it('of the dns interceptor is the name, though the origin is an address', async () => {
    const { port, names } = await twoNames()
    const pool = testPool({ connect: { ca } })
    const dispatcher = pool.dispatcher.compose(
      undici.interceptors.dns({
        lookup: (_, __, callback) => callback(null, [{ address: '127.0.0.1', ttl: 60_000, family: 4 }]),
      }),
    )
    for (let n = 0; n < 2; n++) {
      const { body } = await dispatcher.request({ origin: `https://${SECOND_NAME}:${port}`, path: '/', method: 'GET' })
      expect(await body.text()).toBe(SECOND_NAME)
    }
    expect(names).toEqual([SECOND_NAME])
    expect(pool.stats()).toMatchObject({ idle: 1, opened: 1, requests: 2 })
  })
})

it('a server that speaks HTTP/2 as well is spoken to in HTTP/1.1', async () => {
  const protocols: (string | false | null)[] = []
  const server = createServer(
    { ...testCertificates().localhost, ALPNProtocols: ['h2', 'http/1.1'] },
    (request, response) => {
      protocols.push((request.socket as TLSSocket).alpnProtocol)
      response.end('ok')
    },
  ).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  const pool = testPool({ connect: { ca } })
  expect(await get(pool, `https://localhost:${port}`)).toBe('ok')
  expect(protocols).toEqual(['http/1.1'])
})
