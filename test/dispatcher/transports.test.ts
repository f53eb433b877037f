import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { itWith } from '../support/requirements.js'
import { books, get, quietBooks, testPool, testServer, until } from './support.js'

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'keepwise-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

describe('unix sockets', () => {
  it('are pooled, as in connect.socketPath', async () => {
    const socketPath = join(temporaryDirectory(), 'server.sock')
    const server = await testServer({
      socketPath,
      handler: (request, response) => void response.end(request.headers.host),
    })
    const pool = testPool({ connect: { socketPath } })
    for (let n = 0; n < 5; n++) expect(await get(pool, 'http://app.test')).toBe('app.test')
    expect(server.connections).toHaveLength(1)
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 5 }))
    expect(pool.explain('http://app.test').connections[0]).toMatchObject({
      remoteAddress: undefined,
      remotePort: undefined,
      requests: 5,
      liveness: { enabled: false, source: 'unsupported' },
    })
  })

  it('are pooled with TLS as well', async () => {
    const socketPath = join(temporaryDirectory(), 'server.sock')
    const server = await testServer({ socketPath, tls: true })
    const pool = testPool({ connect: { socketPath, rejectUnauthorized: false } })
    for (let n = 0; n < 3; n++) expect(await get(pool, 'https://localhost')).toBe('ok')
    expect(server.connections).toHaveLength(1)
  })

  it('that nobody listens on fail with their path', async () => {
    const socketPath = join(temporaryDirectory(), 'nobody.sock')
    const pool = testPool({ connect: { socketPath } })
    await expect(get(pool, 'http://app.test')).rejects.toMatchObject({ code: 'ENOENT', address: socketPath })
    expect(books(pool)).toEqual(quietBooks({}))
  })

  it('whose server closes idle connections are noticed', async () => {
    const socketPath = join(temporaryDirectory(), 'server.sock')
    const server = await testServer({ socketPath })
    const pool = testPool({ connect: { socketPath } })
    await get(pool, 'http://app.test')
    server.connections[0]!.socket.destroy()
    await until(() => pool.stats().idle === 0)
    expect(await get(pool, 'http://app.test')).toBe('ok')
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 2, requests: 2, closed: { 'server-fin': 1 } }))
  })
})

describe('IPv6', () => {
  itWith('ipv6', 'is spoken to by its address', async () => {
    const server = await testServer({
      host: '::1',
      handler: (request, response) => void response.end(request.headers.host),
    })
    const pool = testPool()
    for (let n = 0; n < 3; n++) expect(await get(pool, server.origin)).toBe(`[::1]:${server.port}`)
    expect(server.connections).toHaveLength(1)
    expect(pool.explain(server.origin)).toMatchObject({
      origin: `http://[::1]:${server.port}`,
      connections: [{ remoteAddress: '::1', remotePort: server.port }],
    })
  })

  itWith('ipv6', 'is spoken to with TLS', async () => {
    const server = await testServer({ host: '::1', tls: true })
    const pool = testPool({ connect: { rejectUnauthorized: false } })
    expect(await get(pool, server.origin)).toBe('ok')
  })
})

describe('happy eyeballs', () => {
  type Address = { address: string; family: number }
  const resolving = (...addresses: Address[]) =>
    ((_: string, { all }: { all?: boolean }, done: (error: null, ...result: unknown[]) => void) =>
      all ? done(null, addresses) : done(null, addresses[0]!.address, addresses[0]!.family)) as never

  itWith('ipv6', 'go on to the address that answers', async () => {
    const server = await testServer()
    // Nobody listens on ::1 at this port.
    const lookup = resolving({ address: '::1', family: 6 }, { address: '127.0.0.1', family: 4 })
    const pool = testPool({ connect: { lookup, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 50 } })
    expect(await get(pool, `http://two.test:${server.port}`)).toBe('ok')
    expect(await get(pool, `http://two.test:${server.port}`)).toBe('ok')
    expect(server.connections).toHaveLength(1)
    expect(pool.explain(`http://two.test:${server.port}`).connections[0]).toMatchObject({ remoteAddress: '127.0.0.1' })
    expect(books(pool)).toEqual(quietBooks({ idle: 1, opened: 1, requests: 2 }))
  })

  itWith('ipv6', 'fail with all their errors when no address answers', async () => {
    const { port, close } = await testServer()
    await close()
    const lookup = resolving({ address: '::1', family: 6 }, { address: '127.0.0.1', family: 4 })
    const pool = testPool({ connect: { lookup, autoSelectFamily: true } })
    await expect(get(pool, `http://two.test:${port}`)).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      errors: [{ address: '::1' }, { address: '127.0.0.1' }],
      cause: { code: 'ERR_KEEPWISE_CONNECT' },
    })
    expect(books(pool)).toEqual(quietBooks({}))
  })
})

it('the local address of a connection may be chosen', async () => {
  const remotes: (string | undefined)[] = []
  const server = await testServer((request, response) => {
    remotes.push(request.socket.remoteAddress)
    response.end()
  })
  const pool = testPool({ connect: { localAddress: '127.0.0.2' } })
  await get(pool, server.origin)
  expect(remotes).toEqual(['127.0.0.2'])
})
