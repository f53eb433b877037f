/** Dials of a name with several addresses go to those that were not found dead lately, on real sockets. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type LookupFunction } from 'node:net'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { PoolOptions } from '../../src/index.js'
import { NODE_MAJORS, runOnNode } from '../support/nodes.js'
import { itWith } from '../support/requirements.js'
import { testCertificates } from '../support/tls.js'
import { resolving, serverAt, triedAddresses } from '../wire-units/names.js'
import { type SilentAddress, silentAddress } from '../wire-units/silent-address.js'
import { builtPackage, get, testPool } from './support.js'

const SILENT = '127.0.0.2'
const ALIVE = '127.0.0.3'
/** Everything on 127.0.0.0/8 is here. */
const needs = 'linux'

/** A silent address, and a living one with the same port. */
async function twoAddresses(tls = false): Promise<{ silent: SilentAddress; port: number }> {
  const silent = await silentAddress(SILENT)
  await serverAt({ host: ALIVE, port: silent.port }, tls)
  return { silent, port: silent.port }
}

const eyeballs = { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 250 }
const oneByOne = { autoSelectFamily: false, timeout: 500 }

/** A pool that opens a connection for every request. */
function forgetfulPool(connect: PoolOptions['connect']): ReturnType<typeof testPool> {
  return testPool({ maxRequests: 1, connect: { ...connect } })
}

describe('an address that is silent', () => {
  itWith(needs, 'is tried first once, and then last', async () => {
    const { port } = await twoAddresses()
    const tried = triedAddresses()
    const pool = forgetfulPool({ ...eyeballs, lookup: resolving(SILENT, ALIVE) })
    for (let n = 0; n < 3; n++) expect(await get(pool, `http://multi.test:${port}`)).toBe(ALIVE)
    expect(tried).toEqual([SILENT, ALIVE, ALIVE, ALIVE])
  })

  itWith(needs, 'fails the dial that waits for it alone, and the next one goes elsewhere', async () => {
    const { port } = await twoAddresses()
    const tried = triedAddresses()
    const pool = forgetfulPool({ ...oneByOne, lookup: resolving(SILENT, ALIVE) })
    await expect(get(pool, `http://multi.test:${port}`)).rejects.toMatchObject({ code: 'UND_ERR_CONNECT_TIMEOUT' })
    for (let n = 0; n < 2; n++) expect(await get(pool, `http://multi.test:${port}`)).toBe(ALIVE)
    expect(tried).toEqual([SILENT, ALIVE, ALIVE])
  })

  itWith(needs, 'is known to other names that have it', async () => {
    const { port } = await twoAddresses()
    const tried = triedAddresses()
    const pool = forgetfulPool({ ...eyeballs, lookup: resolving(SILENT, ALIVE) })
    for (const name of ['one.test', 'two.test']) expect(await get(pool, `http://${name}:${port}`)).toBe(ALIVE)
    expect(tried).toEqual([SILENT, ALIVE, ALIVE])
  })

  itWith(needs, 'is tried however dead it was where there is no other, and then is alive', async () => {
    const { silent, port } = await twoAddresses()
    const tried = triedAddresses()
    const only = resolving(SILENT)
    let lookup = only
    const changing: LookupFunction = (...question) => lookup(...question)
    const pool = forgetfulPool({ ...oneByOne, lookup: changing })
    await expect(get(pool, `http://multi.test:${port}`)).rejects.toMatchObject({ code: 'UND_ERR_CONNECT_TIMEOUT' })
    expect(tried).toEqual([SILENT])
    await silent.wake()
    tried.length = 0
    expect(await get(pool, `http://multi.test:${port}`)).toBe('awake')
    lookup = resolving(SILENT, ALIVE)
    expect(await get(pool, `http://multi.test:${port}`)).toBe('awake')
    expect(tried).toEqual([SILENT, SILENT])
  })

  itWith(needs, 'is avoided with TLS, and the server name stays what it is', async () => {
    const { port } = await twoAddresses(true)
    const tried = triedAddresses()
    const { ca } = testCertificates()
    const pool = forgetfulPool({ ...eyeballs, ca, lookup: resolving(SILENT, ALIVE) })
    for (let n = 0; n < 2; n++) expect(await get(pool, `https://localhost:${port}`)).toBe(`${ALIVE} as localhost`)
    expect(tried).toEqual([SILENT, ALIVE, ALIVE])
  })
})

itWith(needs, 'an address that does not finish a TLS handshake is tried last', async () => {
  const mute = createServer(() => {}).listen(0, SILENT)
  await once(mute, 'listening')
  const { port } = mute.address() as AddressInfo
  await serverAt({ host: ALIVE, port }, true)
  const { ca } = testCertificates()
  const tried = triedAddresses()
  const pool = forgetfulPool({ ...oneByOne, ca, lookup: resolving(SILENT, ALIVE) })
  onTestFinished(() => void mute.close())
  await expect(get(pool, `https://localhost:${port}`)).rejects.toMatchObject({ code: 'UND_ERR_CONNECT_TIMEOUT' })
  expect(await get(pool, `https://localhost:${port}`)).toBe(`${ALIVE} as localhost`)
  expect(tried).toEqual([SILENT, ALIVE])
})

itWith(needs, 'an address that refuses is alive: the order stays', async () => {
  const { port } = await twoAddresses()
  const tried = triedAddresses()
  const pool = forgetfulPool({ ...eyeballs, lookup: resolving('127.0.0.4', ALIVE) })
  for (let n = 0; n < 2; n++) expect(await get(pool, `http://multi.test:${port}`)).toBe(ALIVE)
  expect(tried).toEqual(['127.0.0.4', ALIVE, '127.0.0.4', ALIVE])
})

it('an IP address is not looked up', async () => {
  const lookup: LookupFunction = () => {
    throw new Error('it was looked up')
  }
  const server = createServer((socket) => {
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  expect(await get(testPool({ connect: { lookup } }), `http://127.0.0.1:${port}`)).toBe('ok')
})

it('a lookup that is no function is refused by node, which says why', async () => {
  const pool = testPool({ connect: { lookup: 'dns' as never } })
  await expect(get(pool, 'http://multi.test')).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
})

describe('on the built package', () => {
  beforeAll(builtPackage)

  /** Two requests of each face, each face with a pool of its own; the time of the dial that could wait for ever, too. */
  const program = (port: number): string => `
    import http from 'node:http'
    import { createPool } from 'keepwise'
    const all = [{ address: '${SILENT}', family: 4 }, { address: '${ALIVE}', family: 4 }]
    const lookup = (_, options, done) =>
      setImmediate(() => (options.all ? done(null, all) : done(null, all[0].address, 4)))
    const origin = 'http://multi.test:${port}'
    const viaFetch = async (pool) => (await fetch(origin, { dispatcher: pool.dispatcher })).text()
    const viaAgent = (pool) => new Promise((resolve, reject) => {
      http.get(origin, { agent: pool.httpAgent }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text) => (body += text)).on('end', () => resolve(body))
      }).on('error', reject)
    })
    const codeOf = (error) => error.cause?.code?.startsWith('UND_') ? error.cause.code : error.code
    const seen = {}
    for (const [face, send] of Object.entries({ viaFetch, viaAgent })) {
      for (const [how, connect] of Object.entries({
        eyeballs: { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 250 },
        oneByOne: { autoSelectFamily: false, timeout: 150 },
      })) {
        const pool = createPool({ maxRequests: 1, connect: { ...connect, lookup } })
        const outcomes = []
        for (let n = 0; n < 2; n++) outcomes.push(await send(pool).catch(codeOf))
        seen[face + ' ' + how] = outcomes
        pool.destroy()
      }
    }
    console.log(JSON.stringify(seen))
  `

  const nodes = NODE_MAJORS.map((major) => `node${major}` as const)

  itWith([needs, ...nodes], 'Node 20, 22, 24 and 26 do the same, for fetch and for node:http', async () => {
    const { port } = await twoAddresses()
    const runs = await Promise.all(NODE_MAJORS.map((major) => runOnNode(major, { source: program(port) })))
    for (const { code, stdout, stderr } of runs) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(JSON.parse(stdout)).toEqual({
        'viaFetch eyeballs': [ALIVE, ALIVE],
        'viaFetch oneByOne': ['UND_ERR_CONNECT_TIMEOUT', ALIVE],
        'viaAgent eyeballs': [ALIVE, ALIVE],
        'viaAgent oneByOne': ['ETIMEDOUT', ALIVE],
      })
    }
  })
})
