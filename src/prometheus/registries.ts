/**
 * Which meters stand over which registry. Shared by every copy of this package that is loaded: pools of two copies can be
 * collected in one registry.
 */
import { OptionError } from '../errors.js'
import { PrometheusMeter } from './meter.js'
import { type AnyRegistry, type Labels, Metrics } from './metrics.js'

/** Goes up with every change of what copies share. */
const SHAPE = 1

const KEY = Symbol.for(`keepwise.registries.${SHAPE}`)

interface Shelf {
  readonly metrics: Metrics
  /** By their constant labels. */
  readonly meters: Map<string, PrometheusMeter>
  /** Pools that are collected. */
  uses: number
}

const holder = globalThis as { [KEY]?: WeakMap<AnyRegistry, Map<string, Shelf>> }
holder[KEY] ??= new WeakMap()
const registries: WeakMap<AnyRegistry, Map<string, Shelf>> = holder[KEY]

export interface LentMeter {
  readonly meter: PrometheusMeter
  /** Takes the metrics out of the registry if nobody else uses them. */
  giveBack(): void
}

export function lendMeter(registry: AnyRegistry, prefix: string, labels: Labels): LentMeter {
  const shelves = registries.get(registry) ?? new Map<string, Shelf>()
  registries.set(registry, shelves)
  const shelf = shelfOf(shelves, registry, prefix, Object.keys(labels).sort())
  shelf.uses++
  const key = JSON.stringify(Object.entries(labels).sort())
  const meter = shelf.meters.get(key) ?? new PrometheusMeter(shelf.metrics, labels)
  shelf.meters.set(key, meter)
  return {
    meter,
    giveBack() {
      if (--shelf.uses > 0) return
      shelf.metrics.remove()
      if (shelves.get(prefix) === shelf) shelves.delete(prefix)
    },
  }
}

function shelfOf(shelves: Map<string, Shelf>, registry: AnyRegistry, prefix: string, labelNames: string[]): Shelf {
  const known = shelves.get(prefix)
  // Somebody may have cleared the registry: then what was there has no readers any more.
  if (known?.metrics.isRegistered) {
    const { labelNames: before } = known.metrics.options
    if (before.join() !== labelNames.join())
      throw new OptionError(
        'labels',
        `Pools in one registry need labels of the same names: there is one with [${before}], and this one has ` +
          `[${labelNames}]. Give all of them the same names, or this one a prefix or a registry of its own.`,
      )
    return known
  }
  const shelf = { metrics: new Metrics({ registry, prefix, labelNames }), meters: new Map(), uses: 0 }
  shelves.set(prefix, shelf)
  return shelf
}
