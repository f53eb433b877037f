/** Connections of agents to a name with several addresses go to those that were not found dead lately. */
import net, { type LookupFunction, type NetConnectOpts } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HttpAgent } from '../../src/index.js'
import { get, testServer } from '../dispatcher/support.js'
import { itWith } from '../support/requirements.js'
import { testCertificates } from '../support/tls.js'
import { resolving, serverAt, triedAddresses } from '../wire-units/names.js'
import { silentAddress } from '../wire-units/silent-address.js'
import { type CallOptions, complete, completeOver, dropIn, secureDropIn, trustingPool } from './support.js'

const SILENT = '127.0.0.2'
const ALIVE = '127.0.0.3'
/** Everything on 127.0.0.0/8 is here. */
const needs = 'linux'

const both = resolving(SILENT, ALIVE)
const eyeballs = { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 250, lookup: both }
const oneByOne = { autoSelectFamily: false, lookup: both }

type Connect = Partial<typeof eyeballs>

/** Agents that open a connection for every request. */
const kinds = {
  'HttpAgent and HttpsAgent': (connect: Connect, timeout: number) => {
    const options = { keepAlive: true, maxRequests: 1, ca: testCertificates().ca, ...connect, connect: { timeout } }
    return { httpAgent: dropIn(options), httpsAgent: secureDropIn(options) }
  },
  "a pool's agents": (connect: Connect, timeout: number) =>
    trustingPool({ maxRequests: 1, connect: { ...connect, timeout } }),
}

/** Servers on the one address only; the port that both have. */
async function twoAddresses(tls = false): Promise<number> {
  const { port } = await silentAddress(SILENT)
  await serverAt({ host: ALIVE, port }, tls)
  return port
}

describe.each(Object.entries(kinds))('a silent address, with %s', (_, make) => {
  itWith(needs, 'is tried first once, and then last', async () => {
    const port = await twoAddresses()
    const tried = triedAddresses()
    const agents = make(eyeballs, 10_000)
    for (let n = 0; n < 3; n++) expect((await complete(agents, `http://multi.test:${port}`)).body).toBe(ALIVE)
    expect(tried).toEqual([SILENT, ALIVE, ALIVE, ALIVE])
  })

  itWith(needs, 'fails the request that waits for it alone, and the next one goes elsewhere', async () => {
    const port = await twoAddresses()
    const tried = triedAddresses()
    const agents = make(oneByOne, 500)
    await expect(complete(agents, `http://multi.test:${port}`)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    for (let n = 0; n < 2; n++) expect((await complete(agents, `http://multi.test:${port}`)).body).toBe(ALIVE)
    expect(tried).toEqual([SILENT, ALIVE, ALIVE])
  })

  itWith(needs, 'is avoided with TLS, and the server name stays what it is', async () => {
    const port = await twoAddresses(true)
    const tried = triedAddresses()
    const agents = make(eyeballs, 10_000)
    for (let n = 0; n < 2; n++)
      expect((await complete(agents, `https://localhost:${port}`)).body).toBe(`${ALIVE} as localhost`)
    expect(tried).toEqual([SILENT, ALIVE, ALIVE])
  })

  itWith(needs, 'is avoided by requests that bring a lookup of their own', async () => {
    const port = await twoAddresses()
    const tried = triedAddresses()
    const agents = make({}, 10_000)
    const origin = `http://multi.test:${port}`
    for (let n = 0; n < 2; n++) expect((await complete(agents, origin, eyeballs as CallOptions)).body).toBe(ALIVE)
    expect(tried).toEqual([SILENT, ALIVE, ALIVE])
  })
})

itWith(needs, 'a silent address that one face of a pool has met is known to the others', async () => {
  const port = await twoAddresses()
  const tried = triedAddresses()
  const pool = trustingPool({ maxRequests: 1, connect: eyeballs })
  const origin = `http://multi.test:${port}`
  expect(await get(pool, origin)).toBe(ALIVE)
  expect((await complete(pool, origin)).body).toBe(ALIVE)
  expect(tried).toEqual([SILENT, ALIVE, ALIVE])
})

describe('what is left as it was', () => {
  it('an address in place of a name is not looked up', async () => {
    const { origin } = await testServer()
    const lookup: LookupFunction = () => {
      throw new Error('it was looked up')
    }
    expect((await complete(trustingPool({ connect: { lookup } }), origin)).body).toBe('ok')
  })

  it('the options that a createConnection of one’s own gets', async () => {
    const seen: NetConnectOpts[] = []
    class Own extends HttpAgent {
      override createConnection(options: NetConnectOpts): net.Socket {
        seen.push(options)
        return net.connect(options)
      }
    }
    const { origin } = await testServer()
    const agent = new Own({ keepAlive: true })
    onTestFinished(() => agent.pool.destroy())
    await completeOver(agent, origin)
    expect(seen).toHaveLength(1)
    expect(seen[0]).not.toHaveProperty('lookup')
  })

  it('the options that listeners are told when a connection is free', async () => {
    const { origin } = await testServer()
    const agent = dropIn({ keepAlive: true })
    const seen: unknown[] = []
    agent.on('free', (_socket, options) => void seen.push(options))
    await completeOver(agent, origin)
    expect(seen).toEqual([expect.not.objectContaining({ lookup: expect.anything() })])
  })

  it('a lookup that is no function is refused by node, which says why', async () => {
    const agents = trustingPool({ connect: { lookup: 'dns' as never } })
    await expect(complete(agents, 'http://multi.test')).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  })
})
