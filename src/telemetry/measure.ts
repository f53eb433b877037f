/**
 * Measures a pool on a meter of OpenTelemetry, or on anything that is like one. Durations are recorded as things happen; all
 * else is read from the pool's own books when the meter collects, and costs nothing in between.
 */
import type { InnerEvents } from '../events.js'
import { guard } from '../events.js'
import type { Meter } from '../meter.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { RequestEnded } from '../pool/request-watch.js'
import { errorTypeOf } from './error-type.js'
import { MeterSeries } from './meter-series.js'
import { methodNames } from './methods.js'

/** Meters that measure a pool, and how many wanted it: one that is attached twice counts nothing twice. */
const attached = new WeakMap<PoolCore, Map<Meter, { uses: number; detach(): void }>>()

/** @returns ends it; to call it twice does nothing */
export function measure(core: PoolCore, meter: Meter): () => void {
  const meters = attached.get(core) ?? new Map()
  attached.set(core, meters)
  const entry = meters.get(meter) ?? { uses: 0, detach: attach(core, meter) }
  meters.set(meter, entry)
  entry.uses++
  let isUndone = false
  return () => {
    if (isUndone) return
    isUndone = true
    if (--entry.uses > 0) return
    meters.delete(meter)
    entry.detach()
  }
}

function attach(core: PoolCore, meter: Meter): () => void {
  const { clock, events, identity } = core
  const all = MeterSeries.of(meter)
  const series = all.enter(identity.name)
  const { requestDuration, connectionDuration, dialDuration, waitDuration } = all.instruments.histograms
  const nameOf = methodNames(process.env)
  let isOver = false

  const began = (origin: string, method: string): RequestEnded => {
    const attributes = series.of(origin).attributes.method(nameOf(method))
    const startedAt = clock.now()
    attributes.active++
    return (status, error) => {
      attributes.active--
      if (isOver) return
      const outcome = attributes.outcome(status, error === undefined ? undefined : errorTypeOf(error))
      try {
        requestDuration.record((clock.now() - startedAt) / 1000, outcome)
      } catch (failure) {
        guard('request', () => {
          throw failure
        })
      }
    }
  }
  const listeners: Partial<InnerEvents> = {
    open: ({ connection, dialTime }) =>
      dialDuration.record(dialTime / 1000, series.of(connection.origin).attributes.plain),
    dialFailed: ({ origin, dialTime, error }) =>
      dialDuration.record(dialTime / 1000, series.of(origin).attributes.failed(errorTypeOf(error))),
    served: ({ origin, waited }) => waitDuration.record(waited / 1000, series.of(origin).attributes.plain),
    close: ({ connection }) =>
      connectionDuration.record(connection.age / 1000, series.of(connection.origin).attributes.connection),
  }

  series.add(core)
  const unwatch = core.requests.add({ began })
  const pairs = Object.entries(listeners) as [keyof InnerEvents, never][]
  for (const [event, listener] of pairs) events.on(event, listener)
  return () => {
    isOver = true
    unwatch()
    for (const [event, listener] of pairs) events.off(event, listener)
    series.remove(core)
    all.leave(identity.name)
  }
}
