/**
 * The `through` option: what stands between a pool and its servers, by name.
 */
import { OptionError } from '../errors.js'
import {
  firstToEnd,
  type MiddleboxName,
  middleboxes,
  middleboxNames,
  type NamedMiddlebox,
  named,
} from '../liveness/middleboxes.js'
import { type LivenessOption, planOf } from '../liveness/presets.js'
import { probedAfter } from '../liveness/system.js'
import { nearest, show } from './checks.js'

/** The names, as a list. */
export function resolveThrough(value: unknown): readonly MiddleboxName[] {
  const names: readonly unknown[] = Array.isArray(value) ? value : [value]
  for (const name of names) if (!isName(name)) throw unknownName(name)
  return names as MiddleboxName[]
}

const isName = (name: unknown): boolean => typeof name === 'string' && Object.hasOwn(middleboxes, name)

function unknownName(name: unknown): OptionError {
  if (typeof name !== 'string')
    return new OptionError('through', `Option "through" must be a name or a list of names; it has ${show(name)}.`)
  const meant = nearest(name, middleboxNames)
  const hint = meant === undefined ? `Known names: ${middleboxNames.join(', ')}.` : `Did you mean "${meant}"?`
  return new OptionError('through', `Option "through" knows nothing of "${name}". ${hint}`)
}

/** The one that ends an idle connection first, probed as `liveness` has it; undefined where none does. */
export function idleLimitOf(through: readonly MiddleboxName[], liveness: LivenessOption): NamedMiddlebox | undefined {
  return through.length === 0 ? undefined : firstToEnd(through.map(named), probedAfter(planOf(liveness)))
}
