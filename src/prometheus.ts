/**
 * The numbers of a pool as metrics of prom-client, which has to be installed beside this package.
 *
 * @module keepwise/prometheus
 */
import { register, validateMetricName } from 'prom-client'
import { OptionError } from './errors.js'
import type { Meter } from './meter.js'
import { show } from './options/checks.js'
import type { AnyRegistry, Labels } from './prometheus/metrics.js'
import { labelName } from './prometheus/names.js'
import { lendMeter } from './prometheus/registries.js'
import { instruments } from './telemetry/instruments.js'

export type { Meter } from './meter.js'
export type { AnyRegistry, Labels } from './prometheus/metrics.js'

/** Where and how a pool is collected. */
export interface CollectOptions {
  /**
   * Where the metrics are registered.
   *
   * @default prom-client's own `register`
   */
  readonly registry?: AnyRegistry
  /**
   * Stands before the name of every metric: `app_`.
   *
   * @default ''
   */
  readonly prefix?: string
  /**
   * Labels that stand on everything this pool counts. Pools in one registry need labels of the same names.
   *
   * @default {}
   */
  readonly labels?: Labels
}

/** What of a pool is needed: it may come from another copy of this package. */
export interface InstrumentedPool {
  /** Measures the pool; what it returns ends that. */
  instrument(meter: Meter): () => void
}

/**
 * Has a registry collect a pool. Several pools share their metrics; those of one name are summed.
 *
 * @returns ends it: the pool's series go, and with the last pool the metrics; to call it twice does nothing
 * @throws OptionError where the registry has metrics of the same names that are not ours
 */
export function collect(pool: InstrumentedPool, options: CollectOptions = {}): () => void {
  const { registry = register, prefix = '', labels = {} } = options
  check(prefix, labels)
  const { meter, giveBack } = lendMeter(registry, prefix, labels)
  let undo: (() => void) | undefined
  try {
    undo = pool.instrument(meter)
  } finally {
    if (undo === undefined) giveBack()
  }
  const end = undo
  let isOver = false
  return () => {
    if (isOver) return
    isOver = true
    end()
    giveBack()
  }
}

/** Names of labels that measurements have by themselves, or that Prometheus keeps to itself. */
const takenLabels: ReadonlySet<string> = new Set([
  ...['le', 'quantile'],
  ...Object.values(instruments).flatMap(({ attributes }) => attributes.map(labelName)),
])

function check(prefix: string, labels: Labels): void {
  if (!validateMetricName(`${prefix}a`))
    throw new OptionError('prefix', `Option "prefix" must be the beginning of a metric's name; it is ${show(prefix)}.`)
  for (const name of Object.keys(labels))
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || takenLabels.has(name))
      throw new OptionError(
        'labels',
        `Option "labels" cannot have the name ${show(name)}: it is taken, or is no label name.`,
      )
}
