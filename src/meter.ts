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

/** What is needed of an OpenTelemetry `Meter`: that of `@opentelemetry/api` fits. */
export interface Meter {
  /** For what is recorded as it happens. */
  createHistogram(name: string, options?: InstrumentOptions): Histogram
  /** For what only grows. */
  createObservableCounter(name: string, options?: InstrumentOptions): Observable
  /** For what grows and shrinks, and may be summed. */
  createObservableUpDownCounter(name: string, options?: InstrumentOptions): Observable
  /** For what may not be summed. */
  createObservableGauge(name: string, options?: InstrumentOptions): Observable
  /** Has a function called that tells all observables when somebody collects. */
  addBatchObservableCallback(callback: BatchObservableCallback, observables: never[]): void
  /** Takes it off. */
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
