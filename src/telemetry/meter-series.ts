/**
 * All that is measured on one meter: its instruments, made once, and the numbers of each name that pools have.
 *
 * Shared by every copy of this package that is loaded, ESM and CommonJS among them: of two callbacks that observe the same
 * attributes a meter keeps one, so pools of two copies that have the same name must be summed here as well.
 */
import type { BatchObservableResult, Meter } from '../meter.js'
import { type HistogramKey, type MadeInstruments, makeInstruments, type ObservableKey } from './instruments.js'
import { PoolSeries } from './pool-series.js'

/** Goes up with every change of what copies share. */
const SHAPE = 1

const KEY = Symbol.for(`keepwise.meters.${SHAPE}`)

const holder = globalThis as { [KEY]?: WeakMap<Meter, MeterSeries> }
holder[KEY] ??= new WeakMap()
const meters: WeakMap<Meter, MeterSeries> = holder[KEY]

export class MeterSeries {
  readonly instruments: MadeInstruments
  readonly #meter: Meter
  readonly #named = new Map<string, { readonly series: PoolSeries; uses: number }>()

  private constructor(meter: Meter) {
    this.#meter = meter
    this.instruments = makeInstruments(meter)
  }

  /** What is measured on a meter. */
  static of(meter: Meter): MeterSeries {
    let series = meters.get(meter)
    if (series === undefined) {
      series = new MeterSeries(meter)
      meters.set(meter, series)
    }
    return series
  }

  /** The numbers of all pools of a name; `leave` is to be called once for each time. */
  enter(name: string): PoolSeries {
    const entry = this.#named.get(name) ?? { series: new PoolSeries(name), uses: 0 }
    entry.uses++
    if (this.#named.size === 0) this.#meter.addBatchObservableCallback(this.#tell, this.#observables)
    this.#named.set(name, entry)
    return entry.series
  }

  /** The last one who leaves takes the numbers along. */
  leave(name: string): void {
    const entry = this.#named.get(name)
    if (entry === undefined || --entry.uses > 0) return
    this.#named.delete(name)
    if (this.#named.size === 0) this.#meter.removeBatchObservableCallback(this.#tell, this.#observables)
    for (const { attributes } of entry.series.servers)
      for (const [key, recorded] of Object.entries(attributes.recorded))
        for (const each of recorded) this.instruments.histograms[key as HistogramKey].forget?.(each)
  }

  get #observables(): never[] {
    return Object.values(this.instruments.observables) as never[]
  }

  readonly #tell = (result: BatchObservableResult): void => {
    const { observables } = this.instruments
    const observe = (key: ObservableKey, value: number, attributes: object): void =>
      result.observe(observables[key] as never, value, attributes as never)
    for (const { series } of this.#named.values()) series.tell(observe)
  }
}
