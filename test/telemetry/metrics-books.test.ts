/** The metrics say what stats() says, whatever has happened; and however many servers there are, the names have an end. */
import { describe, expect, it } from 'vitest'
import { closeReasons } from '../../src/reasons.js'
import { measure } from '../../src/telemetry/measure.js'
import { MOST_NAMED_SERVERS } from '../../src/telemetry/pool-series.js'
import { type Counts, type Gauges, statsOf } from '../../src/telemetry/stats.js'
import type { Measurements } from '../support/measurements.js'
import { TestMeter } from '../support/measurements.js'
import { PoolModel } from '../support/model/pool-model.js'
import { linkOf, PoolRig, passed } from '../support/pool-rig.js'

const ASSIGNED = 'keepwise.requests.assigned'
const SERVER = 'server.address'

/** What the metrics say of a pool, or of one of its servers, in the words of its stats. */
function told(found: Measurements, server: Record<string, string> = {}): Partial<Counts & Gauges> {
  const sum = (name: string, more = {}): number => found.value(name, { ...server, ...more })
  const milliseconds = (name: string): number => Math.round(found.sum(name, server) * 1000)
  const reused = sum(ASSIGNED, { 'keepwise.connection.use': 'reused' })
  const closed = closeReasons.map((reason) => [
    reason,
    sum('keepwise.connections.closed', { 'keepwise.close.reason': reason }),
  ])
  return {
    requests: reused + sum(ASSIGNED, { 'keepwise.connection.use': 'new' }),
    reused,
    replayed: sum('keepwise.requests.replayed'),
    opened: sum('keepwise.connections.opened'),
    closed: Object.fromEntries(closed),
    dialFailures: sum('keepwise.dial.duration') - sum('keepwise.connections.opened'),
    dialTime: milliseconds('keepwise.dial.duration'),
    waits: sum('keepwise.requests.queued'),
    waitTime: milliseconds('keepwise.wait.duration'),
    lifetime: milliseconds('http.client.connection.duration'),
    active: sum('http.client.open_connections', { 'http.connection.state': 'active' }),
    idle: sum('http.client.open_connections', { 'http.connection.state': 'idle' }),
    dialing: sum('keepwise.connections.dialing'),
    waiting: sum('keepwise.requests.waiting'),
    suspect: sum('keepwise.connections.suspect'),
  }
}

/** The same of the pool itself; what is rounded above is rounded here. */
function counted({ dialTime, waitTime, lifetime, ...rest }: Counts & Gauges): Counts & Gauges {
  return { ...rest, dialTime: Math.round(dialTime), waitTime: Math.round(waitTime), lifetime: Math.round(lifetime) }
}

/** Requests that gave their connection back are counted no more, but the counter does not go down: it waits. */
function floor(said: Partial<Counts>, { requests, reused }: Pick<Counts, 'requests' | 'reused'>): Partial<Counts> {
  expect(said.requests).toBeGreaterThanOrEqual(requests)
  expect(said.reused).toBeGreaterThanOrEqual(reused)
  return { requests, reused }
}

const walks = {
  'a few origins': { options: { maxConnections: 4, keepAliveTimeout: 2_000 }, origins: 3, kernel: true },
  'no kernel, little patience': {
    options: { maxConnections: 2, maxTotalConnections: 3, acquireTimeout: 500, maxWaiting: 3 },
    origins: 4,
    kernel: false,
  },
  'peers that die': {
    options: { maxConnections: 5 },
    origins: 2,
    kernel: true,
    liveness: { idle: 2_000, interval: 1_000, probes: 3 },
  },
}

describe.each(Object.entries(walks))('under random use: %s', (_, settings) => {
  it.each([1, 2, 3])('the metrics say what stats() says, with seed %i', async (seed) => {
    const model = new PoolModel(seed, settings)
    const { core } = model.rig
    const metrics = new TestMeter()
    const undo = measure(core, metrics.meter)
    const last = new Map<string, number>()
    const check = async (): Promise<void> => {
      const stats = statsOf(core)
      const found = await metrics.collect()
      const { pending: _pending, origins, ...totals } = stats
      const said = told(found)
      expect({ ...said, ...floor(said, totals) }).toEqual(counted(totals))
      for (const [origin, { requests, reused, ...each }] of Object.entries(origins)) {
        const server = told(found, { [SERVER]: origin.slice('http://'.length) })
        expect({ ...server, ...floor(server, { requests, reused }) }).toEqual(counted({ ...each, requests, reused }))
      }
      for (const name of [ASSIGNED, 'keepwise.connections.closed', 'keepwise.connections.opened'])
        for (const { attributes, value } of found.points(name)) {
          const key = name + JSON.stringify(attributes)
          expect(value, key).toBeGreaterThanOrEqual(last.get(key) ?? 0)
          last.set(key, value)
        }
    }
    for (let round = 0; round < 20; round++) {
      for (let step = 0; step < 50; step++) await model.step()
      await check()
    }
    await model.demolish()
    await check()
    expect(statsOf(core).requests).toBeGreaterThan(20)
    undo()
  })
})

describe('counters', () => {
  it('do not go down when a request gives its connection back', async () => {
    const rig = new PoolRig()
    const metrics = new TestMeter()
    measure(rig.core, metrics.meter)
    await rig.idle(1)
    const { connection } = rig.acquire()
    const granted = (await metrics.collect()).points(ASSIGNED).map(({ value }) => value)
    connection.origin.giveBack(connection)
    expect((await metrics.collect()).points(ASSIGNED).map(({ value }) => value)).toEqual(granted)
    rig.acquire()
    expect((await metrics.collect()).points(ASSIGNED).map(({ value }) => value)).toEqual(granted)
    expect(granted).toEqual([1, 1])
  })

  it('do not go down when the pool forgets an origin', async () => {
    const rig = new PoolRig()
    const metrics = new TestMeter()
    measure(rig.core, metrics.meter)
    const [connection] = await rig.connect(1, 'first')
    linkOf(connection!).ends({ fin: true })
    // More quiet ones than the pool remembers.
    for (let origin = 0; origin < 1_001; origin++) rig.origin(`o${origin}`)
    expect(statsOf(rig.core).origins['http://first']).toBeUndefined()
    const found = await metrics.collect()
    expect(found.value('keepwise.connections.opened', { [SERVER]: 'first' })).toBe(1)
    await rig.connect(1, 'first')
    // Those that were forgotten with nothing counted have taken no name away.
    for (let origin = 0; origin < MOST_NAMED_SERVERS; origin++) rig.origin(`p${origin}`)
    await rig.connect(1, 'last')
    expect((await metrics.collect()).by('keepwise.connections.opened', SERVER)).toEqual({ first: 2, last: 1 })
  })

  it('have what was counted before, and of whom that is not known any more under one name', async () => {
    const rig = new PoolRig()
    const [forgotten] = await rig.connect(1, 'forgotten')
    linkOf(forgotten!).ends({ fin: true })
    for (let origin = 0; origin < 1_001; origin++) rig.origin(`o${origin}`)
    await rig.connect(2, 'known')
    const metrics = new TestMeter()
    measure(rig.core, metrics.meter)
    expect((await metrics.collect()).by('keepwise.connections.opened', SERVER)).toEqual({ known: 2, _other: 1 })
  })
})

describe('what is told', () => {
  it('is in seconds', async () => {
    const rig = new PoolRig()
    const metrics = new TestMeter()
    measure(rig.core, metrics.meter)
    const ended = rig.core.requests.began('http://a', 'GET')
    const waiter = rig.acquire()
    rig.clock.advance(1_500)
    await rig.openAll()
    rig.clock.advance(2_000)
    rig.release(waiter.connection, 'timeout=20')
    ended?.(200, undefined)
    rig.clock.advance(1_000)
    linkOf(waiter.connection).ends({ fin: true })
    const found = await metrics.collect()
    expect(found.sum('keepwise.dial.duration')).toBe(1.5)
    expect(found.sum('keepwise.wait.duration')).toBe(1.5)
    expect(found.sum('http.client.request.duration')).toBe(3.5)
    expect(found.sum('http.client.connection.duration')).toBe(3)
    expect(found.by('keepwise.server.idle_timeout', 'keepwise.idle_timeout.source')).toEqual({ advertised: 20 })
  })

  it('is, of several idle timeouts, the shortest', async () => {
    const rig = new PoolRig()
    const metrics = new TestMeter()
    measure(rig.core, metrics.meter)
    await rig.teach(3_000)
    rig.linksTo('127.0.0.2')
    await rig.teach(5_000)
    for (const [key, timeout] of Object.entries({ 'http://a as b': 8, 'http://a as c': 9 })) {
      const origin = rig.core.origin(key, () => rig.origin().target)
      void origin.warm(1)
      await passed()
      await rig.openAll()
      const [connection] = origin.connections
      origin.hints.heard(connection!, `timeout=${timeout}`, true)
    }
    const found = await metrics.collect()
    expect(found.by('keepwise.server.idle_timeout', 'keepwise.idle_timeout.source')).toEqual({
      advertised: 8,
      learned: 3,
    })
  })

  it('includes what is opened ahead of need', async () => {
    const rig = new PoolRig()
    const metrics = new TestMeter()
    measure(rig.core, metrics.meter)
    void rig.origin().warm(2)
    await passed()
    expect((await metrics.collect()).by('keepwise.connections.dialing', SERVER)).toEqual({ a: 2 })
  })
})

describe('a pool that is over', () => {
  it('is let go of, with all that it has counted', async () => {
    const rig = new PoolRig()
    const metrics = new TestMeter()
    measure(rig.core, metrics.meter)
    await rig.connect(3)
    const seen: Promise<Measurements>[] = []
    // In the midst of its end it is not over yet: what is closed after that counts as well.
    rig.core.events.on('close', () => seen.push(metrics.collect()))
    void rig.core.destroy(new Error('enough'))
    await Promise.all(seen)
    const found = await metrics.collect()
    expect(found.value('keepwise.connections.closed')).toBe(3)
    expect(found.value('http.client.open_connections')).toBe(0)
    expect(rig.core.forgetting.size).toBe(0)
    expect((await metrics.collect()).value('keepwise.connections.closed')).toBe(3)
  })
})

describe('pools of several names on one meter', () => {
  it('are told as long as one of them is there, and then the meter is left alone', async () => {
    const [one, two] = [new PoolRig({ name: 'one' }), new PoolRig({ name: 'two' })]
    const { meter } = new TestMeter()
    const callbacks: unknown[] = []
    const add = meter.addBatchObservableCallback.bind(meter)
    const remove = meter.removeBatchObservableCallback.bind(meter)
    meter.addBatchObservableCallback = (callback, observables) => {
      callbacks.push(callback)
      add(callback, observables)
    }
    meter.removeBatchObservableCallback = (callback, observables) => {
      callbacks.splice(callbacks.indexOf(callback), 1)
      remove(callback, observables)
    }
    const undos = [one, two].map(({ core }) => measure(core, meter))
    expect(callbacks).toHaveLength(1)
    undos[0]?.()
    expect(callbacks).toHaveLength(1)
    undos[1]?.()
    expect(callbacks).toEqual([])
    measure(one.core, meter)
    expect(callbacks).toHaveLength(1)
  })
})

describe('a pool that is let go of, and taken up again', () => {
  it('counts on from there, where another one of its name has kept the numbers', async () => {
    const [one, two] = [new PoolRig(), new PoolRig()]
    const metrics = new TestMeter()
    const undo = measure(one.core, metrics.meter)
    measure(two.core, metrics.meter)
    const [known] = await one.connect(2)
    await two.connect(1)
    const opened = async (): Promise<number> => (await metrics.collect()).value('keepwise.connections.opened')
    expect(await opened()).toBe(3)
    linkOf(known!).ends({ fin: true })
    expect((await metrics.collect()).value('keepwise.connections.closed')).toBe(1)
    undo()
    await one.connect(5)
    expect(await opened()).toBe(3)
    const again = measure(one.core, metrics.meter)
    expect(await opened()).toBe(3)
    const [connection] = await one.connect(1)
    linkOf(connection!).ends({ fin: true })
    expect(await opened()).toBe(4)
    expect((await metrics.collect()).value('keepwise.connections.closed')).toBe(2)
    again()
    expect(await opened()).toBe(4)
  })
})

describe('names of servers', () => {
  it('are those of the first ones; all others are summed under one', async () => {
    const rig = new PoolRig()
    const metrics = new TestMeter()
    measure(rig.core, metrics.meter)
    for (let server = 0; server < MOST_NAMED_SERVERS + 5; server++) await rig.connect(1, `s${server}`)
    await rig.connect(1, 's0')
    rig.core.requests.began('http://s0', 'GET')?.(200, undefined)
    for (let server = 0; server < 3; server++) rig.core.requests.began(`http://new${server}`, 'GET')?.(200, undefined)
    const found = await metrics.collect()
    const opened = found.by('keepwise.connections.opened', SERVER)
    expect(Object.keys(opened)).toHaveLength(MOST_NAMED_SERVERS + 1)
    expect(opened).toMatchObject({ s0: 2, s1: 1, [`s${MOST_NAMED_SERVERS - 1}`]: 1, _other: 5 })
    expect(found.by('http.client.request.duration', SERVER)).toEqual({ s0: 1, _other: 3 })
    // With it go port and scheme, of which it has several.
    const [other] = found.points('keepwise.connections.opened', { [SERVER]: '_other' })
    expect(other?.attributes).toEqual({ 'keepwise.pool.name': 'default', [SERVER]: '_other' })
  })

  it.each([
    ['http://example.com', { [SERVER]: 'example.com', 'server.port': 80, 'url.scheme': 'http' }],
    ['https://example.com:8443', { [SERVER]: 'example.com', 'server.port': 8443, 'url.scheme': 'https' }],
    ['https://[::1]', { [SERVER]: '::1', 'server.port': 443, 'url.scheme': 'https' }],
    ['http://[fe80::1%25eth0]:81', { [SERVER]: 'fe80::1%25eth0', 'server.port': 81, 'url.scheme': 'http' }],
    ['http://no host', { [SERVER]: 'no host', 'server.port': 80, 'url.scheme': 'http' }],
  ])('of %s', async (origin, expected) => {
    const rig = new PoolRig({ name: 'a' })
    const metrics = new TestMeter()
    measure(rig.core, metrics.meter)
    rig.core.requests.began(origin, 'GET')
    const [point] = (await metrics.collect()).points('keepwise.connections.opened')
    expect(point?.attributes).toEqual({ 'keepwise.pool.name': 'a', ...expected })
  })

  it('stand for all that speaks to a server, whatever TLS name or identity it has', async () => {
    const rig = new PoolRig()
    const metrics = new TestMeter()
    measure(rig.core, metrics.meter)
    const target = { origin: 'https://a', protocol: 'https:', hostname: 'a', port: '', servername: 'a' } as const
    for (const key of ['https://a', 'https://a as b', 'https://a (agent 1)']) rig.core.origin(key, () => target)
    for (const origin of rig.core.origins) void origin.warm(2)
    await passed()
    await rig.openAll()
    expect((await metrics.collect()).points('keepwise.connections.opened').map(({ value }) => value)).toEqual([6])
    expect((await metrics.collect()).by('http.client.open_connections', 'http.connection.state')).toEqual({ idle: 6 })
  })
})
