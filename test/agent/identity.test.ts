/** Who is spoken to, and how: what changes that has connections of its own, and what does not shares them. */
import { constants } from 'node:crypto'
import dns from 'node:dns'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { differencesOf, identityOf, isFleeting, labelOf } from '../../src/agent/identity.js'
import { testServer, until } from '../dispatcher/support.js'
import { SECOND_NAME, testCertificates } from '../support/tls.js'
import {
  allKinds,
  type CallOptions,
  complete,
  completeOver,
  describeKinds,
  dropIn,
  nodeKind,
  ourKinds,
  secureDropIn,
  trustingPool,
  untilFree,
} from './support.js'

const certificates = testCertificates()
const { ca, client, untrusted } = certificates

/** Those of which node makes two connections, too. */
const nodeKnows: Record<string, CallOptions> = {
  'cert and key': client,
  ciphers: { ciphers: `TLS_AES_128_GCM_SHA256:${tls.DEFAULT_CIPHERS}` },
  sigalgs: { sigalgs: 'ECDSA+SHA256:RSA-PSS+SHA256' },
  ecdhCurve: { ecdhCurve: 'P-256' },
  minVersion: { minVersion: 'TLSv1.3' },
  maxVersion: { maxVersion: 'TLSv1.2' },
  secureProtocol: { secureProtocol: 'TLSv1_2_method' },
  secureOptions: { secureOptions: constants.SSL_OP_NO_TICKET },
  honorCipherOrder: { honorCipherOrder: true },
  'rejectUnauthorized: false': { rejectUnauthorized: false },
  sessionIdContext: { sessionIdContext: 'of my own' },
  servername: {
    servername: 'other.localhost',
    checkServerIdentity: tls.checkServerIdentity,
    rejectUnauthorized: false,
  },
}

const weKnow: Record<string, CallOptions> = {
  ALPNProtocols: { ALPNProtocols: ['http/1.1'] } as CallOptions,
  passphrase: { passphrase: 'of no use' },
  minDHSize: { minDHSize: 2048 } as CallOptions,
  requestOCSP: { requestOCSP: true } as CallOptions,
}

/** What is the same as nothing. */
const tlsNothing: Record<string, CallOptions> = {
  'checkServerIdentity as it is': { checkServerIdentity: tls.checkServerIdentity },
  'ca undefined': { ca: undefined },
  'cert null': { cert: null as never },
}

async function connectionsFor(
  agents: Parameters<typeof complete>[0],
  options: CallOptions,
  base: CallOptions = {},
): Promise<number[]> {
  const server = await testServer({ tls: true })
  for (const each of [base, { ...base, ...options }, base, { ...base, ...options }])
    await complete(agents, server.origin, each)
  return server.connections.map(({ requests }) => requests.length)
}

describeKinds('TLS options of a request', allKinds, ({ make }) => {
  it.each(Object.entries(nodeKnows))('%s: connections of its own, which are used again', async (_, options) => {
    expect(await connectionsFor(make(), options)).toEqual([2, 2])
  })

  it('ca: connections of its own, which are used again', async () => {
    const agents = make({ trusting: false })
    expect(await connectionsFor(agents, { ca: [ca, untrusted.cert] }, { ca })).toEqual([2, 2])
  })

  it.each(Object.entries(tlsNothing))('%s: the same connections', async (_, options) => {
    expect(await connectionsFor(make(), options)).toEqual([4])
  })

  it("of the agent's own come before the request's", async () => {
    const agents = make()
    expect(await connectionsFor(agents, { ca: untrusted.cert })).toEqual([4])
  })
})

describeKinds('TLS options of a request', ourKinds, ({ make }) => {
  it.each(Object.entries(weKnow))('%s: connections of its own, unlike with node', async (_, options) => {
    expect(await connectionsFor(nodeKind.make(), options)).toEqual([4])
    expect(await connectionsFor(make(), options)).toEqual([2, 2])
  })

  it('certificates in two buffers of the same bytes are the same, in two of different bytes are not', async () => {
    const agents = make({ trusting: false })
    const server = await testServer({ tls: true })
    for (const each of [ca, ca, `${ca}\n`]) await complete(agents, server.origin, { ca: Buffer.from(each) })
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([2, 1])
  })

  it('rejectUnauthorized: true is what holds anyway, which makes node open another connection', async () => {
    expect(await connectionsFor(nodeKind.make(), { rejectUnauthorized: true })).toEqual([2, 2])
    expect(await connectionsFor(make(), { rejectUnauthorized: true })).toEqual([4])
  })
})

describeKinds('what else tells connections apart', allKinds, ({ make }) => {
  it.each<[string, CallOptions]>([
    ['localAddress', { localAddress: '127.0.0.2' }],
    ['family', { family: 4 }],
  ])('%s', async (_, options) => {
    const server = await testServer()
    const agents = make()
    for (const each of [{}, options, {}, options]) await complete(agents, server.origin, each)
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([2, 2])
  })

  it('the path of a Unix socket, each its own', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'keepwise-agent-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const [first, second] = [join(directory, 'first'), join(directory, 'second')]
    const servers = [await testServer({ socketPath: first }), await testServer({ socketPath: second })]
    const agents = make()
    for (const socketPath of [first, second, first, second])
      await complete(agents, 'http://localhost', { socketPath, path: '/' })
    expect(servers.map((server) => server.connections.map(({ requests }) => requests.length))).toEqual([[2], [2]])
  })

  it('the name in the Host header, on TLS, which is the server name then', async () => {
    const server = await testServer({ tls: true })
    const names: unknown[] = []
    server.server.on('secureConnection', (socket: tls.TLSSocket) => names.push(socket.servername))
    const agents = make()
    const named = { headers: { host: 'localhost:1' } }
    for (const each of [{}, named, {}, named]) await complete(agents, server.origin, each)
    expect(names).toEqual([false, 'localhost'])
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([2, 2])
  })

  it('but not the name in the Host header without TLS', async () => {
    const server = await testServer()
    const agents = make()
    for (const host of ['one.test', 'two.test']) await complete(agents, server.origin, { headers: { host } })
    expect(server.connections).toHaveLength(1)
  })

  it.each([
    ['an option', { servername: SECOND_NAME }],
    ['the Host header', { headers: { host: `${SECOND_NAME}:443` } }],
  ])('a certificate is checked against the name given by %s', async (_, options) => {
    const second = await testServer({ tls: true, ...certificates.second })
    const local = await testServer({ tls: true })
    const agents = make()
    expect((await complete(agents, second.origin, options)).body).toBe('ok')
    await expect(complete(agents, second.origin)).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    await expect(complete(agents, local.origin, options)).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  })

  it('host and port, of which the host may be written in capitals', async () => {
    const server = await testServer({ host: '127.0.0.1' })
    const agents = make()
    const { port } = server
    for (const host of ['localhost', '127.0.0.1', 'localhost', '127.0.0.1'])
      await complete(agents, 'http://0.0.0.0', { host, port, hostname: null, family: 4 })
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([2, 2])
  })
})

it("an agent's own localAddress comes before the request's, as with node", async () => {
  for (const make of [(options: object) => new http.Agent(options), (options: object) => dropIn(options)]) {
    const server = await testServer()
    const agent = make({ keepAlive: true, localAddress: '127.0.0.2' })
    for (const each of [{}, { localAddress: '127.0.0.3' }]) {
      await completeOver(agent, server.origin, each)
      await untilFree(agent)
    }
    agent.destroy()
    expect(server.connections.map(({ socket, requests }) => [socket.remoteAddress, requests.length])).toEqual([
      ['127.0.0.2', 2],
    ])
  }
})

describeKinds('what else tells connections apart', ourKinds, ({ make }) => {
  it.each<[string, CallOptions]>([
    ['highWaterMark', { highWaterMark: 1024 } as CallOptions],
    ['hints', { hints: dns.ADDRCONFIG }],
  ])('%s, unlike with node', async (_, options) => {
    for (const [agents, expected] of [
      [nodeKind.make(), [4]],
      [make(), [2, 2]],
    ] as const) {
      const server = await testServer()
      for (const each of [{}, options, {}, options]) await complete(agents, server.origin, each)
      expect(server.connections.map(({ requests }) => requests.length)).toEqual(expected)
    }
  })

  it.each<[string, CallOptions]>([
    ['family 0', { family: 0 }],
    ['hints 0', { hints: 0 }],
  ])('but not %s', async (_, options) => {
    const server = await testServer()
    const agents = make()
    for (const each of [{}, options]) await complete(agents, server.origin, each)
    expect(server.connections).toHaveLength(1)
  })

  it('a name in capitals is the same host', async () => {
    const server = await testServer()
    const agents = make()
    for (const host of ['localhost', 'LOCALHOST', 'LocalHost'])
      await complete(agents, 'http://0.0.0.0', { host, port: server.port, hostname: null, family: 4 })
    expect(server.connections).toHaveLength(1)
  })

  it('a port as a string is the same port', async () => {
    const server = await testServer()
    const agents = make()
    for (const port of [server.port, `${server.port}`])
      await complete(agents, 'http://0.0.0.0', { host: '127.0.0.1', port, hostname: null })
    expect(server.connections).toHaveLength(1)
  })
})

describe('every TLS option of a request', () => {
  const names = ['ca', 'cert', 'key', 'pfx', 'passphrase', 'crl', 'ciphers', 'sigalgs', 'ecdhCurve', 'dhparam'].concat(
    ['minDHSize', 'minVersion', 'maxVersion', 'secureProtocol', 'secureOptions', 'honorCipherOrder', 'ALPNProtocols'],
    ['sessionIdContext', 'clientCertEngine', 'privateKeyEngine', 'privateKeyIdentifier', 'requestOCSP', 'ticketKeys'],
    ['allowPartialTrustChain'],
  )

  it.each(names)('%s is part of its identity, of which the label shows nothing', (name) => {
    const of = (value: unknown) => differencesOf(true, { [name]: value }, {}, new Map())
    const [one, same, other] = [of('secret 1'), of('secret 1'), of('secret 2')]
    expect(one?.get(name)).toBe('secret 1')
    expect(identityOf(one!)).toBe(identityOf(same!))
    expect(labelOf(one!)).toBe(labelOf(same!))
    expect(identityOf(one!)).not.toBe(identityOf(other!))
    expect(labelOf(one!)).not.toBe(labelOf(other!))
    expect(labelOf(one!)).not.toContain('secret')
    expect(isFleeting(one!)).toBe(false)
    expect(differencesOf(false, { [name]: 'secret 1' }, {}, new Map())).toBeUndefined()
    expect(differencesOf(true, { [name]: 'secret 1' }, {}, new Map([[name, 'secret 1']]))).toBeUndefined()
  })

  it.each(['checkServerIdentity', 'ALPNCallback', 'pskCallback'])('%s is one for itself alone', (name) => {
    const of = (value: unknown) => differencesOf(true, { [name]: value }, {}, new Map())!
    const check = (): undefined => undefined
    expect(identityOf(of(check))).toBe(identityOf(of(check)))
    expect(identityOf(of(check))).not.toBe(identityOf(of((): undefined => undefined)))
    expect(isFleeting(of(check))).toBe(true)
  })

  it('keys and certificates in lists and in objects are compared by what they hold', () => {
    const of = (passphrase: string) =>
      identityOf(differencesOf(true, { key: [{ pem: Buffer.from('key'), passphrase }] }, {}, new Map())!)
    expect(of('one')).toBe(of('one'))
    expect(of('one')).not.toBe(of('two'))
  })

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['one that looks like two', { ciphers: 'A\nkey=B' }, { ciphers: 'A', key: 'B' }],
    ['a list of one that looks like a list of two', { ca: ['a,b'] }, { ca: ['a', 'b'] }],
    ['a path that looks like an address', { socketPath: '/a, family 4' }, { socketPath: '/a', family: 4 }],
    ['an object that looks like another', { key: [{ pem: 'a,b:c' }] }, { key: [{ pem: 'a', b: 'c' }] }],
  ])('no two sets of them look the same: %s', (_, one, other) => {
    const of = (options: Record<string, unknown>) => differencesOf(true, options, {}, new Map())!
    expect(identityOf(of(one))).not.toBe(identityOf(of(other)))
    expect(labelOf(of(one))).not.toBe(labelOf(of(other)))
  })

  it('the order in which they are given does not matter to the label', () => {
    const of = (options: Record<string, unknown>) => labelOf(differencesOf(true, options, {}, new Map())!)
    expect(of({ ca: 'a', cert: 'b', family: 4 })).toBe(of({ family: 4, cert: 'b', ca: 'a' }))
  })
})

describe('a name in numbers and events', () => {
  it('says what is special about an origin, and keeps secrets to itself', async () => {
    const server = await testServer({ tls: true })
    const pool = trustingPool()
    await complete(pool, server.origin, { ...client, passphrase: 'open sesame', localAddress: '127.0.0.3' })
    const [key] = Object.keys(pool.stats().origins)
    expect(key).toMatch(`${server.origin} (localAddress 127.0.0.3, TLS options `)
    expect(key).toMatch(/TLS options [0-9a-f]{16}\)$/)
  })

  it('is the plain origin where nothing is special', async () => {
    const server = await testServer({ tls: true })
    const pool = trustingPool()
    await complete(pool, server.origin, { rejectUnauthorized: true, ca })
    expect(Object.keys(pool.stats().origins)).toEqual([server.origin])
  })
})

describe('an option that is a function or an object of its own', () => {
  const lax = (): CallOptions => ({ checkServerIdentity: () => undefined })
  const contextual = (): CallOptions => ({ secureContext: tls.createSecureContext({ ca }) }) as CallOptions

  it.each([
    ['checkServerIdentity', lax],
    ['secureContext', contextual],
  ])('%s: its connection is not kept, and its origin forgotten', async (_, options) => {
    const server = await testServer({ tls: true })
    const pool = trustingPool()
    for (let n = 0; n < 3; n++) await complete(pool, server.origin, options())
    await until(() => pool.stats().closed.surplus === 3)
    expect(pool.stats()).toMatchObject({ requests: 3, opened: 3, idle: 0, pending: 0, origins: {} })
    await until(() => server.openConnections() === 0)
  })

  it('seen again while its connection is there, has it used again', async () => {
    const server = await testServer({ tls: true })
    const pool = trustingPool({ maxConnections: 1 })
    const options = lax()
    await Promise.all([1, 2, 3].map(() => complete(pool, server.origin, options)))
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([3])
  })

  it('of the agent itself is nothing special', async () => {
    const server = await testServer({ tls: true, ...certificates.second })
    const agent = secureDropIn({ keepAlive: true, ca, checkServerIdentity: () => undefined })
    for (let n = 0; n < 3; n++) expect((await completeOver(agent, server.origin)).body).toBe('ok')
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([3])
    expect(Object.keys(agent.pool.stats().origins)).toEqual([server.origin])
  })

  it('is called for its own connections, and for those of nobody else', async () => {
    const server = await testServer({ tls: true })
    const pool = trustingPool()
    const names: string[] = []
    const checkServerIdentity = (name: string): undefined => void names.push(name)
    await complete(pool, server.origin)
    await complete(pool, server.origin, { checkServerIdentity })
    await complete(pool, server.origin)
    expect(names).toEqual(['127.0.0.1'])
    expect(server.connections.map(({ requests }) => requests.length)).toEqual([2, 1])
  })
})

describe('TLS sessions', () => {
  const closing: CallOptions = { headers: { connection: 'close' } }
  const resumed = ({ connections }: Awaited<ReturnType<typeof testServer>>) => connections.map((each) => each.resumed)

  describeKinds('are resumed', allKinds, ({ make }) => {
    it('by the next connection of the same identity', async () => {
      const server = await testServer({ tls: true })
      const agents = make()
      for (let n = 0; n < 3; n++) await complete(agents, server.origin, closing)
      expect(resumed(server)).toEqual([false, true, true])
    })

    it('not by one that trusts others', async () => {
      const server = await testServer({ tls: true })
      const agents = make()
      for (const each of [{ rejectUnauthorized: false }, {}, { rejectUnauthorized: false }, {}])
        await complete(agents, server.origin, { ...closing, ...each })
      expect(resumed(server)).toEqual([false, false, true, true])
    })
  })

  it('are not resumed where checkServerIdentity is another, which node does: it would not be called', async () => {
    const options = (): CallOptions => ({ ...closing, checkServerIdentity: () => undefined })
    const server = await testServer({ tls: true })
    const node = nodeKind.make()
    for (const each of [closing, options()]) await complete(node, server.origin, each)
    expect(resumed(server)).toEqual([false, true])

    for (const { make } of ourKinds) {
      const server = await testServer({ tls: true })
      const agents = make()
      for (const each of [options(), closing, options(), closing]) await complete(agents, server.origin, each)
      expect(resumed(server)).toEqual([false, false, false, true])
    }
  })

  it('a certificate for another name is refused, though a check that lets it pass was there before', async () => {
    const server = await testServer({ tls: true, ...certificates.second })
    for (const { make } of ourKinds) {
      const agents = make()
      await complete(agents, server.origin, { ...closing, checkServerIdentity: () => undefined })
      await expect(complete(agents, server.origin, closing)).rejects.toMatchObject({
        code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      })
    }
  })
})
