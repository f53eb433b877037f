/**
 * What is needed of an OpenTelemetry `Meter`, as structural types: keepwise does not depend on OpenTelemetry. The `Meter` of
 * `@opentelemetry/api` fits.
 */

export type Attributes = Readonly<Record<string, string | number>>

export interface InstrumentOptions {
  readonly description?: string
  /** As UCUM writes it: `s`, `{connection}`. */
  readonly unit?: string
  readonly advice?: {
    readonly explicitBucketBoundaries?: number[]
    /** The attributes that it is recorded with: the specification's advisory parameter of that name. */
    readonly attributes?: readonly string[]
  }
}

export interface Histogram {
  record(value: number, attributes?: Attributes): void
  /** Drops what was recorded with exactly these attributes: for meters that can. */
  forget?(attributes: Attributes): void
}

/** Of the meter's own making: told apart by identity alone. */
export type Observable = object

export interface BatchObservableResult {
  observe(observable: never, value: number, attributes?: Attributes): void
}

export type BatchObservableCallback = (result: BatchObservableResult) => void

export interface Meter {
  createHistogram(name: string, options?: InstrumentOptions): Histogram
  createObservableCounter(name: string, options?: InstrumentOptions): Observable
  createObservableUpDownCounter(name: string, options?: InstrumentOptions): Observable
  createObservableGauge(name: string, options?: InstrumentOptions): Observable
  addBatchObservableCallback(callback: BatchObservableCallback, observables: never[]): void
  removeBatchObservableCallback(callback: BatchObservableCallback, observables: never[]): void
}

/** The methods that are called, for a check of what somebody passes as a meter. */
export const meterMethods = [
  'createHistogram',
  'createObservableCounter',
  'createObservableUpDownCounter',
  'createObservableGauge',
  'addBatchObservableCallback',
  'removeBatchObservableCallback',
] as const satisfies readonly (keyof Meter)[]
