/** `keepwise/prometheus`: what a registry of the real prom-client says of pools in use. */
import { AggregatorRegistry, Counter, openMetricsContentType, Registry, register } from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Pool, PoolOptions } from '../../src/index.js'
import type { Meter } from '../../src/meter.js'
import { metricName } from '../../src/prometheus/names.js'
import { type CollectOptions, collect } from '../../src/prometheus.js'
import { type Instrument, instruments } from '../../src/telemetry/instruments.js'
import { get, testPool, testServer } from '../dispatcher/support.js'
import { type Family, parseExposition } from '../support/exposition.js'

const ASSIGNED = 'keepwise_requests_assigned_total'
const DURATION = 'http_client_request_duration_seconds'
const OPENED = 'keepwise_connections_opened_total'

const table: readonly Instrument[] = Object.values(instruments)
const namesOf = (prefix = ''): string[] => table.map(({ kind, name, unit }) => prefix + metricName(kind, name, unit))

/** Its types have no constructor for that format. */
function openMetricsRegistry(): Registry {
  const registry = new Registry()
  registry.setContentType(openMetricsContentType as never)
  return registry
}

async function scrape(registry: Registry): Promise<Map<string, Family>> {
  return parseExposition(await registry.metrics())
}

/** The sum of the samples of that name that have these labels. */
function value(families: Map<string, Family>, name: string, labels: Record<string, string> = {}): number {
  const has = (given: Readonly<Record<string, string>>): boolean =>
    Object.entries(labels).every(([label, text]) => given[label] === text)
  const samples = [...families.values()].flatMap((family) => family.samples)
  return samples.filter((each) => each.name === name && has(each.labels)).reduce((sum, each) => sum + each.value, 0)
}

/** A pool that has served three requests, collected in a registry of its own. */
async function collected(options: PoolOptions & CollectOptions = {}) {
  const { registry = new Registry(), prefix, labels, ...rest } = options
  const { origin, port } = await testServer()
  const pool = testPool(rest)
  const undo = collect(pool, { registry, ...(prefix && { prefix }), ...(labels && { labels }) })
  for (let request = 0; request < 3; request++) await get(pool, origin)
  return { pool, registry: registry as Registry, undo, origin, port }
}

describe('collect', () => {
  it('registers every instrument of the table, under its Prometheus name, kind and labels', async () => {
    const { registry } = await collected({ name: 'shop' })
    const families = await scrape(registry)
    expect([...families.keys()]).toEqual(namesOf())
    for (const { kind, name, unit, description, attributes } of table) {
      const family = families.get(metricName(kind, name, unit)) as Family
      expect(family.type).toBe(kind === 'upDownCounter' ? 'gauge' : kind)
      expect(family.help).toBe(description)
      const labels = new Set(attributes.map((attribute) => attribute.replaceAll('.', '_')))
      if (kind === 'histogram') labels.add('le')
      for (const sample of family.samples)
        expect(Object.keys(sample.labels).filter((label) => !labels.has(label))).toEqual([])
    }
  })

  it('says what stats() says', async () => {
    const { registry, pool, port } = await collected({ name: 'shop' })
    const server = {
      server_address: '127.0.0.1',
      server_port: String(port),
      url_scheme: 'http',
      keepwise_pool_name: 'shop',
    }
    const families = await scrape(registry)
    expect(value(families, ASSIGNED, { ...server, keepwise_connection_use: 'new' })).toBe(1)
    expect(value(families, ASSIGNED, { ...server, keepwise_connection_use: 'reused' })).toBe(2)
    expect(value(families, OPENED, server)).toBe(pool.stats().opened)
    expect(value(families, 'http_client_open_connections', { ...server, http_connection_state: 'idle' })).toBe(1)
    expect(value(families, 'http_client_active_requests', { ...server, http_request_method: 'GET' })).toBe(0)
    const ok = {
      ...server,
      http_request_method: 'GET',
      http_response_status_code: '200',
      network_protocol_version: '1.1',
    }
    expect(value(families, `${DURATION}_count`, ok)).toBe(3)
    expect(value(families, `${DURATION}_bucket`, { ...ok, le: '+Inf' })).toBe(3)
    expect(
      value(families, 'keepwise_server_idle_timeout_seconds', {
        ...server,
        keepwise_idle_timeout_source: 'advertised',
      }),
    ).toBe(5)
  })

  it('has the buckets of the table', async () => {
    const { registry, pool } = await collected()
    await pool.close()
    const families = await scrape(registry)
    for (const { kind, name, unit, boundaries } of table.filter((each) => each.kind === 'histogram')) {
      const full = metricName(kind, name, unit)
      const bounds = families.get(full)?.samples.filter((sample) => sample.name === `${full}_bucket`) ?? []
      expect(bounds.map(({ labels }) => labels.le)).toEqual([...(boundaries ?? []).map(String), '+Inf'])
    }
  })

  it('reads the books once for all metrics, and anew each time', async () => {
    const registry = new Registry()
    const { origin } = await testServer()
    const pool = testPool()
    let reads = 0
    const instrument = (meter: Meter): (() => void) => {
      const add = meter.addBatchObservableCallback.bind(meter)
      meter.addBatchObservableCallback = (callback, observables) => {
        const counted: typeof callback = (result) => {
          reads++
          callback(result)
        }
        add(counted, observables)
      }
      return pool.instrument(meter)
    }
    collect({ instrument }, { registry })
    await get(pool, origin)
    const first = await scrape(registry)
    await get(pool, origin)
    const second = await scrape(registry)
    expect(value(second, ASSIGNED) - value(first, ASSIGNED)).toBe(1)
    expect(reads).toBe(2)
    // One metric by itself is no older than all of them together.
    await get(pool, origin)
    const alone = parseExposition(`${await registry.getSingleMetricAsString(ASSIGNED)}\n`)
    expect(value(alone, ASSIGNED) - value(second, ASSIGNED)).toBe(1)
  })

  it('is read as OpenMetrics as well', async () => {
    const registry = openMetricsRegistry()
    const { pool } = await collected({ registry })
    const text = await registry.metrics()
    expect(text).toMatch(/^# TYPE keepwise_connections_opened counter$/m)
    expect(text).toMatch(/^keepwise_connections_opened_total\{.*\} 1$/m)
    expect(text.endsWith('# EOF\n')).toBe(true)
    expect(pool.stats().opened).toBe(1)
  })

  it("uses prom-client's own register where none is given", async () => {
    const pool = testPool()
    const undo = collect(pool)
    onTestFinished(undo)
    expect(namesOf().every((name) => register.getSingleMetric(name) !== undefined)).toBe(true)
    undo()
    expect(register.getMetricsAsArray()).toEqual([])
  })

  it('is put together in a cluster: counts are added up, of timeouts the shortest is told', async () => {
    const { registry } = await collected()
    const workers = await Promise.all([1, 2].map(() => registry.getMetricsAsJSON()))
    const families = parseExposition(await AggregatorRegistry.aggregate(workers).metrics())
    expect(value(families, ASSIGNED)).toBe(6)
    expect(value(families, 'http_client_open_connections')).toBe(2)
    expect(value(families, `${DURATION}_count`)).toBe(6)
    expect(value(families, 'keepwise_server_idle_timeout_seconds')).toBe(5)
  })

  it('puts a prefix before every name', async () => {
    const { registry } = await collected({ prefix: 'app_' })
    expect([...(await scrape(registry)).keys()]).toEqual(namesOf('app_'))
  })
})

describe('several pools in one registry', () => {
  it('share the metrics; those of one name are summed, others stand apart', async () => {
    const { registry } = await collected({ name: 'a' })
    await collected({ registry, name: 'a' })
    await collected({ registry, name: 'b' })
    const families = await scrape(registry)
    expect([...families.keys()]).toEqual(namesOf())
    expect(value(families, ASSIGNED, { keepwise_pool_name: 'a' })).toBe(6)
    expect(value(families, ASSIGNED, { keepwise_pool_name: 'b' })).toBe(3)
    expect(value(families, `${DURATION}_count`, { keepwise_pool_name: 'a' })).toBe(6)
  })

  it('of one name and one server make one series', async () => {
    const { registry, origin } = await collected()
    const second = testPool()
    collect(second, { registry })
    await get(second, origin)
    const samples = (await scrape(registry)).get(OPENED)?.samples
    expect(samples?.map((sample) => sample.value)).toEqual([2])
  })

  it('of one name keep what one has counted that leaves', async () => {
    const { registry, undo } = await collected()
    await collected({ registry })
    undo()
    expect(value(await scrape(registry), ASSIGNED)).toBe(6)
    expect(value(await scrape(registry), `${DURATION}_count`)).toBe(6)
  })

  it('have labels of their own', async () => {
    const { registry } = await collected({ labels: { team: 'one' } })
    await collected({ registry, labels: { team: 'two' } })
    const families = await scrape(registry)
    expect(value(families, ASSIGNED, { team: 'one' })).toBe(3)
    expect(value(families, ASSIGNED, { team: 'two' })).toBe(3)
    expect(() => collect(testPool(), { registry, labels: { tier: 'x' } })).toThrow(
      expect.objectContaining({ code: 'ERR_KEEPWISE_OPTION', option: 'labels' }),
    )
    expect(() => collect(testPool(), { registry })).toThrow(/labels of the same names/)
  })

  it('leave one by one: with a pool go its series, with the last one the metrics', async () => {
    const { registry, undo } = await collected({ name: 'a' })
    const other = await collected({ registry, name: 'b' })
    undo()
    undo()
    const families = await scrape(registry)
    const names = [...families.values()].flatMap(({ samples }) =>
      samples.map(({ labels }) => labels.keepwise_pool_name),
    )
    expect(new Set(names)).toEqual(new Set(['b']))
    other.undo()
    expect(await registry.metrics()).toBe('\n')
    expect(registry.getMetricsAsArray()).toEqual([])
    // And come back with nothing that was before.
    await collected({ registry, name: 'a' })
    expect(value(await scrape(registry), ASSIGNED)).toBe(3)
  })

  it('have no series of a request that ends when its pool has left', async () => {
    const { registry } = await collected({ name: 'stays' })
    const held: (() => void)[] = []
    const { origin } = await testServer((_, response) => void held.push(() => response.end()))
    const pool = testPool({ name: 'leaves' })
    const undo = collect(pool, { registry })
    const running = get(pool, origin)
    while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 2))
    undo()
    held[0]?.()
    await running
    expect(await registry.metrics()).not.toContain('leaves')
  })
})

describe('a registry that has other metrics', () => {
  it('keeps them, and says what is in the way', () => {
    const registry = new Registry()
    const theirs = new Counter({ name: OPENED, help: 'theirs', registers: [registry] })
    expect(() => collect(testPool(), { registry })).toThrow(
      expect.objectContaining({
        code: 'ERR_KEEPWISE_OPTION',
        option: 'prefix',
        message: expect.stringContaining(`"${OPENED}"`),
      }),
    )
    expect(registry.getMetricsAsArray()).toEqual([theirs])
    collect(testPool(), { registry, prefix: 'ours_' })
    expect(registry.getMetricsAsArray()).toHaveLength(1 + table.length)
  })

  it('may be cleared: the next pool begins anew, and who was there before removes nothing', async () => {
    const { registry, undo, pool, origin } = await collected()
    registry.clear()
    const second = await collected({ registry, name: 'second' })
    undo()
    await get(pool, origin)
    const families = await scrape(registry)
    expect([...families.keys()]).toEqual(namesOf())
    expect(value(families, ASSIGNED)).toBe(3)
    const third = await collected({ registry, name: 'third' })
    expect(value(await scrape(registry), ASSIGNED)).toBe(6)
    third.undo()
    second.undo()
    expect(registry.getMetricsAsArray()).toEqual([])
  })

  it('remembers nothing of a pool that it could not take', () => {
    const registry = new Registry()
    new Counter({ name: DURATION, help: 'theirs', registers: [registry] })
    expect(() => collect(testPool(), { registry, labels: { team: 'one' } })).toThrow(/has a metric/)
    registry.clear()
    collect(testPool(), { registry, labels: { tier: 'x' } })
    expect(registry.getMetricsAsArray()).toHaveLength(table.length)
  })

  it.each([
    [{ prefix: '1_' }, 'prefix'],
    [{ prefix: 'a b' }, 'prefix'],
    [{ labels: { 'a-b': 'x' } }, 'labels'],
    [{ labels: { le: 'x' } }, 'labels'],
    [{ labels: { server_address: 'x' } }, 'labels'],
  ])('refuses %j', (options, option) => {
    const registry = new Registry()
    expect(() => collect(testPool(), { registry, ...(options as CollectOptions) })).toThrow(
      expect.objectContaining({ code: 'ERR_KEEPWISE_OPTION', option }),
    )
    expect(registry.getMetricsAsArray()).toEqual([])
  })
})

it('takes a pool of any copy of the package, by its instrument() alone', async () => {
  const registry = new Registry()
  const { origin } = await testServer()
  const pool: Pool = testPool()
  collect({ instrument: (meter) => pool.instrument(meter) }, { registry })
  await get(pool, origin)
  expect(value(await scrape(registry), OPENED)).toBe(1)
})
