/**
 * The real SDK of OpenTelemetry as tests need it: a meter, and what it says of it when it is collected.
 */
import type { Meter } from '@opentelemetry/api'
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type HistogramMetricData,
  MeterProvider,
  type MetricData,
  MetricReader,
} from '@opentelemetry/sdk-metrics'

class ManualReader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE })
  }

  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

type Given = Readonly<Record<string, string | number>>

interface Point {
  readonly attributes: Given
  /** Of a histogram, how many were recorded. */
  readonly value: number
  /** Of a histogram, their sum. */
  readonly sum: number
}

/** What was collected at one moment. */
export class Measurements {
  readonly metrics = new Map<string, MetricData>()

  constructor(metrics: readonly MetricData[]) {
    for (const metric of metrics) this.metrics.set(metric.descriptor.name, metric)
  }

  /** Points of a metric that have all of these attributes. */
  points(name: string, given: Given = {}): Point[] {
    const metric = this.metrics.get(name)
    if (metric === undefined) return []
    const points: Point[] =
      metric.dataPointType === DataPointType.HISTOGRAM
        ? metric.dataPoints.map(({ attributes, value: { count, sum } }) => point(attributes, count, sum ?? 0))
        : metric.dataPoints.map(({ attributes, value }) => point(attributes, value as number, value as number))
    return points.filter(({ attributes }) => Object.entries(given).every(([key, value]) => attributes[key] === value))
  }

  /** The sum of these points; of a histogram, how many were recorded. */
  value(name: string, given?: Given): number {
    return this.points(name, given).reduce((sum, { value }) => sum + value, 0)
  }

  /** The sum of what was recorded. */
  sum(name: string, given?: Given): number {
    return this.points(name, given).reduce((total, { sum }) => total + sum, 0)
  }

  /** The values of an attribute, those that are not zero, sorted. */
  by(name: string, attribute: string, given?: Given): Record<string, number> {
    const found: Record<string, number> = {}
    for (const { attributes, value } of this.points(name, given))
      if (value !== 0) found[String(attributes[attribute])] = (found[String(attributes[attribute])] ?? 0) + value
    return Object.fromEntries(Object.entries(found).sort())
  }

  /** Of the buckets of a histogram that something was recorded in. */
  boundaries(name: string): number[] {
    const { dataPoints } = this.metrics.get(name) as HistogramMetricData
    return (dataPoints[0] as DataPoint<Histogram>).value.buckets.boundaries
  }
}

const point = (attributes: object, value: number, sum: number): Point => ({
  attributes: attributes as Given,
  value,
  sum,
})

/** A meter of its own, with nothing on it. */
export class TestMeter {
  readonly #reader = new ManualReader()
  readonly #provider = new MeterProvider({ readers: [this.#reader] })
  readonly meter: Meter = this.#provider.getMeter('test')

  async collect(): Promise<Measurements> {
    const { resourceMetrics, errors } = await this.#reader.collect()
    if (errors.length > 0) throw errors[0]
    return new Measurements(resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics))
  }
}
