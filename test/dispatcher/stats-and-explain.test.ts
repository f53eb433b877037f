import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { closeReasons, livenessPresets } from '../../src/index.js'
import { explain } from '../../src/telemetry/explain.js'
import { PoolRig } from '../support/pool-rig.js'
import { itWith } from '../support/requirements.js'
import { forever, request, respond } from '../support/servers/script-steps.js'
import { get, testPool, testScripted, testServer, until } from './support.js'

const none = Object.fromEntries(closeReasons.map((reason) => [reason, 0]))

describe('stats()', () => {
  it('of a new pool are all zero, with every reason', () => {
    expect(testPool().stats()).toEqual({
      active: 0,
      idle: 0,
      suspect: 0,
      dialing: 0,
      waiting: 0,
      pending: 0,
      requests: 0,
      reused: 0,
      replayed: 0,
      opened: 0,
      closed: none,
      dialFailures: 0,
      dialTime: 0,
      waits: 0,
      waitTime: 0,
      lifetime: 0,
      origins: {},
    })
  })

  it('count what has happened, for the pool and for each origin', async () => {
    const slow = await testServer((_, response) => void setTimeout(() => response.end('ok'), 30))
    const fast = await testServer()
    const dead = await testServer()
    await dead.close()
    const pool = testPool({ maxConnections: 1 })
    await Promise.all([get(pool, slow.origin), get(pool, slow.origin), get(pool, slow.origin)])
    await get(pool, fast.origin)
    await get(pool, fast.origin)
    await get(pool, dead.origin).catch(() => {})
    fast.connections[0]!.socket.destroy()
    await until(() => pool.stats().idle === 1)

    const { origins, ...all } = pool.stats()
    expect(all).toMatchObject({
      active: 0,
      idle: 1,
      dialing: 0,
      waiting: 0,
      pending: 0,
      requests: 5,
      reused: 3,
      opened: 2,
      closed: { ...none, 'server-fin': 1 },
      dialFailures: 1,
      waits: 5,
    })
    expect(origins[slow.origin]).toMatchObject({ idle: 1, requests: 3, reused: 2, opened: 1, closed: none, waits: 3 })
    expect(origins[fast.origin]).toMatchObject({
      idle: 0,
      requests: 2,
      reused: 1,
      opened: 1,
      closed: { 'server-fin': 1 },
      waits: 1,
    })
    expect(origins[dead.origin]).toMatchObject({ idle: 0, requests: 0, opened: 0, dialFailures: 1, waits: 1 })
    // The second waited for the first, the third for both.
    expect(origins[slow.origin]!.waitTime).toBeGreaterThanOrEqual(85)
    expect(origins[slow.origin]!.waitTime).toBeLessThan(500)
    expect(all.dialTime).toBeGreaterThan(0)
    expect(all.lifetime).toBe(origins[fast.origin]!.lifetime)
    expect(all.lifetime).toBeGreaterThan(0)
  })

  it('tell a pool at work', async () => {
    const { origin } = await testServer(() => {})
    const pool = testPool({ maxConnections: 2, connect: { concurrency: 1 } })
    const requests = Array.from({ length: 5 }, () => get(pool, origin))
    for (const each of requests) each.catch(() => {})
    expect(pool.stats()).toMatchObject({ active: 0, dialing: 2, waiting: 5, pending: 5 })
    await until(() => pool.stats().active === 2)
    expect(pool.stats()).toMatchObject({ active: 2, idle: 0, dialing: 0, waiting: 3, pending: 5 })
    expect(pool.stats().origins[origin]).toMatchObject({ active: 2, idle: 0, dialing: 0, waiting: 3 })
  })

  it('are a copy', async () => {
    const { origin } = await testServer()
    const pool = testPool()
    const before = pool.stats()
    await get(pool, origin)
    expect(before.requests).toBe(0)
    expect(before.origins).toEqual({})
    const stats = pool.stats()
    ;(stats.closed as Record<string, number>)['server-fin'] = 7
    expect(pool.stats().closed['server-fin']).toBe(0)
  })
})

describe('explain()', () => {
  it('of an origin that nobody has spoken to says what would hold', () => {
    const pool = testPool({ keepAliveTimeout: 1234, keepAliveMargin: 10, maxRequests: 50, liveness: false })
    expect(pool.explain('http://there.test/path')).toMatchObject({
      origin: 'http://there.test',
      idleTimeout: { value: 1234, source: 'option', because: expect.stringContaining('keepAliveTimeout is 1234') },
      margin: { value: 10, source: 'option' },
      maxRequests: { value: 50, source: 'option' },
      liveness: { asked: 'off', applied: undefined, deadAfter: undefined },
      connections: [],
    })
    expect(pool.stats().origins).toEqual({})
  })

  it('names what the server advertised, less the margin', async () => {
    const { origin } = await testServer({ keepAliveTimeout: 7000 })
    const pool = testPool({ keepAliveMargin: 100 })
    await get(pool, origin)
    const { idleTimeout, margin } = pool.explain(origin)
    expect(idleTimeout).toMatchObject({ value: 6900, source: 'advertised' })
    expect(idleTimeout.because).toContain('the server advertised 7000 ms, less a margin of 100.0 ms')
    expect(margin).toMatchObject({ value: 100, source: 'option' })
  })

  it('names the cap where it is lower', async () => {
    const { origin } = await testServer({ keepAliveTimeout: 7000 })
    const pool = testPool({ keepAliveMargin: 100, keepAliveMaxTimeout: 3000 })
    await get(pool, origin)
    expect(pool.explain(origin).idleTimeout).toMatchObject({
      value: 2900,
      source: 'advertised, capped',
      because: expect.stringContaining('keepAliveMaxTimeout is 3000 ms'),
    })
  })

  it('has the automatic margin at 50 ms on a fast wire', async () => {
    const { origin } = await testServer({ keepAliveTimeout: 7000 })
    const pool = testPool()
    await get(pool, origin)
    const { margin, idleTimeout } = pool.explain(origin)
    expect(margin.source).toBe('automatic')
    expect(margin.value).toBeGreaterThanOrEqual(50)
    expect(margin.value).toBeLessThan(1000)
    expect(idleTimeout.value).toBeCloseTo(7000 - margin.value, 0)
  })

  itWith('koffi', 'waits 30 s where the server says nothing and the kernel can be asked', async () => {
    const { origin } = await testServer({ keepAliveTimeout: 0 })
    const pool = testPool()
    await get(pool, origin)
    expect(pool.explain(origin).idleTimeout).toMatchObject({ value: 30_000, source: 'automatic' })
  })

  it('names the number of requests that a server allows', async () => {
    const { origin } = await testServer({ maxRequestsPerSocket: 5 })
    const pool = testPool()
    for (let n = 0; n < 3; n++) await get(pool, origin)
    expect(pool.explain(origin).maxRequests).toMatchObject({ value: 5, source: 'advertised' })
    expect(pool.explain(origin).connections[0]).toMatchObject({ requests: 3, remaining: 2 })
  })

  it('shows the connections as they are', async () => {
    const { origin, port, connections } = await testServer({ keepAliveTimeout: 7000 })
    const pool = testPool()
    await get(pool, origin)
    await sleep(30)
    const shown = pool.explain(origin).connections
    expect(shown).toHaveLength(1)
    expect(shown[0]).toMatchObject({
      id: 1,
      origin,
      localPort: connections[0]!.clientPort,
      remoteAddress: '127.0.0.1',
      remotePort: port,
      requests: 1,
      advertisedTimeout: 7000,
      remaining: undefined,
    })
    expect(shown[0]!.age).toBeGreaterThanOrEqual(shown[0]!.idle)
    expect(shown[0]!.idle).toBeGreaterThanOrEqual(25)
  })

  itWith('koffi', 'shows TCP keepalive as it stands on the socket, and when a dead peer is known', async () => {
    const { origin } = await testServer()
    const liveness = { idle: 7000, interval: 2000, probes: 4 }
    const pool = testPool({ liveness })
    await get(pool, origin)
    await get(pool, origin)
    expect(pool.explain(origin).liveness).toMatchObject({
      asked: liveness,
      applied: { enabled: true, ...liveness, source: 'kernel' },
      deadAfter: 15_000,
    })
    expect(testPool().explain(origin).liveness).toMatchObject({
      asked: livenessPresets.cloud,
      applied: undefined,
      deadAfter: 45_000,
    })
  })

  it('adds up a count-down to the number of requests that the server allows', async () => {
    const { origin } = await testScripted([
      request(),
      respond({ headers: { 'keep-alive': 'timeout=5, max=9' } }),
      request(),
      respond({ headers: { 'keep-alive': 'timeout=5, max=8' } }),
      forever(request(), respond()),
    ])
    const pool = testPool()
    await get(pool, origin)
    await get(pool, origin)
    expect(pool.explain(origin).maxRequests).toMatchObject({ value: 10, source: 'advertised' })
    expect(pool.explain(origin).connections[0]).toMatchObject({ requests: 2, remaining: 8 })
  })

  describe('of a server that was seen to close', () => {
    const explained = (rig: PoolRig): ReturnType<typeof explain> => {
      const { target, key } = rig.origin()
      return explain(rig.core, target, key)
    }

    it('names the idle time that was learned, less the margin, and what it comes from', async () => {
      const rig = new PoolRig({ keepAliveMargin: 100 })
      expect(explained(rig)).toMatchObject({ learned: [], idleTimeout: { source: 'automatic' } })
      await rig.teach(5000)
      expect(explained(rig)).toMatchObject({
        idleTimeout: {
          value: 4900,
          source: 'learned',
          because:
            'the server at 127.0.0.1 was seen to close connections that idled for 5000 ms, less a margin of 100.0 ms',
        },
        learned: [{ address: '127.0.0.1', timeout: 5000, samples: [5000, 5000, 5000] }],
      })
    })

    it('names of several addresses the one that closes first, and lists all', async () => {
      const rig = new PoolRig()
      await rig.teach(5000)
      rig.linksTo('127.0.0.2')
      await rig.teach(3000)
      rig.linksTo('127.0.0.3')
      await rig.idle(1)
      const { idleTimeout, learned } = explained(rig)
      expect(idleTimeout).toMatchObject({ value: 2950, source: 'learned' })
      expect(idleTimeout.because).toContain('the server at 127.0.0.2')
      expect(learned.map(({ address, timeout }) => [address, timeout])).toEqual([
        ['127.0.0.1', 5000],
        ['127.0.0.2', 3000],
      ])
    })

    it('names what is advertised, or the option, where that is shorter, and lists what was learned all the same', async () => {
      const rig = new PoolRig()
      await rig.teach(5000)
      const [connection] = await rig.connect(1)
      rig.release(connection!, 'timeout=4')
      expect(explained(rig)).toMatchObject({
        idleTimeout: { value: 3950, source: 'advertised' },
        learned: [{ timeout: 5000 }],
      })
      rig.release(rig.acquire().connection, 'timeout=60')
      expect(explained(rig).idleTimeout).toMatchObject({ value: 4950, source: 'learned' })
    })

    it('names it no more when it was found to be wrong', async () => {
      const rig = new PoolRig()
      await rig.teach(5000)
      for (let survived = 0; survived < 3; survived++) {
        rig.clock.advance(10_000)
        rig.origin().lessons!.of('127.0.0.1').outlived(10_000, rig.clock.now())
      }
      expect(explained(rig)).toMatchObject({ learned: [], idleTimeout: { value: 30_000, source: 'automatic' } })
    })
  })

  it.each(['nonsense', 'ftp://there.test'])('throws for %s', (origin) => {
    expect(() => testPool().explain(origin)).toThrow(TypeError)
  })
})
