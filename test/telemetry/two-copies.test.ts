/** A program may load this package as a module and as CommonJS: pools of both are measured as those of one. */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Registry } from 'prom-client'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import type * as Keepwise from '../../src/index.js'
import type * as Prometheus from '../../src/prometheus.js'
import { builtPackage, get, testServer } from '../dispatcher/support.js'
import { parseExposition } from '../support/exposition.js'
import { TestMeter } from '../support/measurements.js'
import { projectPath } from '../support/nodes.js'

const require = createRequire(import.meta.url)
const built = (file: string): string => projectPath('dist', file)
const asModule = (file: string): Promise<unknown> => import(/* @vite-ignore */ pathToFileURL(built(file)).href)

interface Copy {
  readonly keepwise: typeof Keepwise
  readonly prometheus: typeof Prometheus
}

/** Both copies, built. */
async function copies(): Promise<Copy[]> {
  const [keepwise, prometheus] = await Promise.all([asModule('index.js'), asModule('prometheus.js')])
  const common = { keepwise: require(built('index.cjs')), prometheus: require(built('prometheus.cjs')) }
  return [{ keepwise, prometheus } as Copy, common as Copy]
}

beforeAll(builtPackage)

it('on one meter, two pools of one name are summed', async () => {
  const { origin } = await testServer()
  const metrics = new TestMeter()
  const [one, two] = await copies()
  expect(one?.keepwise.createPool).not.toBe(two?.keepwise.createPool)
  for (const { keepwise } of await copies()) {
    const pool = keepwise.createPool({ meter: metrics.meter })
    onTestFinished(() => pool.destroy())
    await get(pool, origin)
  }
  const found = await metrics.collect()
  expect(found.points('keepwise.connections.opened').map(({ value }) => value)).toEqual([2])
  expect(found.value('http.client.request.duration')).toBe(2)
})

it('in one registry, they share the metrics', async () => {
  const { origin } = await testServer()
  const registry = new Registry()
  const undos: (() => void)[] = []
  for (const { keepwise, prometheus } of await copies()) {
    const pool = keepwise.createPool()
    onTestFinished(() => pool.destroy())
    undos.push(prometheus.collect(pool, { registry }))
    await get(pool, origin)
  }
  const families = parseExposition(await registry.metrics())
  expect(families.get('keepwise_connections_opened_total')?.samples.map(({ value }) => value)).toEqual([2])
  for (const undo of undos) undo()
  expect(registry.getMetricsAsArray()).toEqual([])
})
