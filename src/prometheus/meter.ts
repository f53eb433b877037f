/**
 * A meter as OpenTelemetry has it, over the metrics of a prom-client registry: what `pool.instrument` records on it becomes
 * series with the same constant labels.
 */
import type { Counter, Gauge, Histogram as PromHistogram } from 'prom-client'
import type { Attributes, BatchObservableCallback, Histogram, InstrumentOptions, Meter, Observable } from '../meter.js'
import type { Labels, Metrics } from './metrics.js'
import { labelName } from './names.js'

export class PrometheusMeter implements Meter {
  readonly #metrics: Metrics
  readonly #constant: Labels
  /** Of each set of attributes; whoever measures makes a set once. */
  readonly #labels = new WeakMap<Attributes, Labels>()
  readonly #readers = new Map<BatchObservableCallback, () => void>()

  /** @param constant labels of every series */
  constructor(metrics: Metrics, constant: Labels) {
    this.#metrics = metrics
    this.#constant = constant
  }

  createHistogram(name: string, options?: InstrumentOptions): Histogram {
    const histogram = this.#metrics.metric('histogram', name, options) as PromHistogram
    return {
      record: (value, attributes = {}) => histogram.observe(this.#labelsOf(attributes), value),
      forget: (attributes) => histogram.remove(this.#labelsOf(attributes)),
    }
  }

  createObservableCounter(name: string, options?: InstrumentOptions): Observable {
    return this.#metrics.metric('counter', name, options)
  }

  createObservableUpDownCounter(name: string, options?: InstrumentOptions): Observable {
    return this.#metrics.metric('upDownCounter', name, options)
  }

  createObservableGauge(name: string, options?: InstrumentOptions): Observable {
    return this.#metrics.metric('gauge', name, options)
  }

  addBatchObservableCallback(callback: BatchObservableCallback): void {
    const observe = (metric: Counter | Gauge, value: number, attributes: Attributes = {}): void =>
      void metric.inc(this.#labelsOf(attributes), value)
    const reader = (): void => callback({ observe })
    this.#readers.set(callback, reader)
    this.#metrics.read(reader)
  }

  removeBatchObservableCallback(callback: BatchObservableCallback): void {
    const reader = this.#readers.get(callback)
    if (reader !== undefined) this.#metrics.unread(reader)
    this.#readers.delete(callback)
  }

  #labelsOf(attributes: Attributes): Labels {
    const known = this.#labels.get(attributes)
    if (known !== undefined) return known
    const own = Object.entries(attributes).map(([name, value]) => [labelName(name), value])
    const labels: Labels = { ...this.#constant, ...Object.fromEntries(own) }
    this.#labels.set(attributes, labels)
    return labels
  }
}
