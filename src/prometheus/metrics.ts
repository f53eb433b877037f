/**
 * The metrics of one registry of prom-client, under one prefix: made once, shared by all pools that are collected there.
 */
import { Counter, Gauge, Histogram, type OpenMetricsContentType, type Registry } from 'prom-client'
import { OptionError } from '../errors.js'
import type { InstrumentOptions } from '../meter.js'
import type { InstrumentKind } from '../telemetry/instruments.js'
import { labelName, metricName } from './names.js'

export type Metric = Counter | Gauge | Histogram

/** A registry of either format. */
export type AnyRegistry = Registry | Registry<OpenMetricsContentType>

/** Labels and their values. */
export type Labels = Readonly<Record<string, string | number>>

export interface MetricsOptions {
  readonly registry: AnyRegistry
  readonly prefix: string
  /** Names of labels that stand on every metric. */
  readonly labelNames: readonly string[]
}

export class Metrics {
  readonly options: MetricsOptions
  readonly #metrics = new Map<string, Metric>()
  /** Those that are read when somebody collects. */
  readonly #observed = new Set<Counter | Gauge>()
  /** Each tells its numbers anew. */
  readonly #readers = new Set<() => void>()
  #isFresh = false

  constructor(options: MetricsOptions) {
    this.options = options
  }

  /** Whether they are what the registry has: it may have been cleared. */
  get isRegistered(): boolean {
    const { registry } = this.options
    return [...this.#metrics].every(([name, metric]) => registry.getSingleMetric(name) === metric)
  }

  /** The metric of an instrument, made when it is first asked for. Throws where the registry has another one of that name. */
  metric(kind: InstrumentKind, instrument: string, { description, unit, advice }: InstrumentOptions = {}): Metric {
    const { registry, prefix, labelNames } = this.options
    const name = prefix + metricName(kind, instrument, unit)
    const known = this.#metrics.get(name)
    if (known !== undefined) return known
    if (registry.getSingleMetric(name) !== undefined)
      throw new OptionError(
        'prefix',
        `The registry has a metric "${name}" already, and it is not one of keepwise. ` +
          'Give collect() a prefix or another registry, or remove that metric.',
      )
    const config = {
      name,
      help: description || instrument,
      labelNames: [...(advice?.attributes ?? []).map(labelName), ...labelNames],
      registers: [registry],
    }
    const metric =
      kind === 'histogram'
        ? new Histogram({ ...config, ...bucketsOf(advice) })
        : this.#observe(kind, { ...config, collect: () => this.#refresh() })
    this.#metrics.set(name, metric)
    return metric
  }

  read(reader: () => void): void {
    this.#readers.add(reader)
  }

  unread(reader: () => void): void {
    this.#readers.delete(reader)
  }

  /** Takes them out of the registry, those that are still there. */
  remove(): void {
    const { registry } = this.options
    for (const [name, metric] of this.#metrics)
      if (registry.getSingleMetric(name) === metric) registry.removeSingleMetric(name)
  }

  #observe(kind: InstrumentKind, config: ObservedConfig): Counter | Gauge {
    // Of the workers of a cluster counts are added up; of what is no count, the shortest is told, as of several servers.
    const aggregator = kind === 'gauge' ? 'min' : 'sum'
    const metric = kind === 'counter' ? new Counter(config) : new Gauge({ ...config, aggregator })
    this.#observed.add(metric)
    return metric
  }

  /** All metrics are collected in one go, one after the other: the first one reads the numbers for all. */
  #refresh(): void {
    if (this.#isFresh) return
    this.#isFresh = true
    queueMicrotask(() => {
      this.#isFresh = false
    })
    for (const metric of this.#observed) metric.reset()
    for (const read of this.#readers) read()
  }
}

interface ObservedConfig {
  readonly name: string
  readonly help: string
  readonly labelNames: string[]
  readonly registers: AnyRegistry[]
  collect(): void
}

function bucketsOf(advice: InstrumentOptions['advice']): { buckets?: number[] } {
  const boundaries = advice?.explicitBucketBoundaries
  return boundaries === undefined ? {} : { buckets: [...boundaries] }
}
