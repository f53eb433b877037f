/**
 * Single headers of a request, in any of the forms that undici takes.
 */

/**
 * A header of a request in any of the forms that undici takes: flat array, object, or pairs.
 *
 * @param name in lower case
 */
export function requestHeader(headers: unknown, name: string): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined
  if (Array.isArray(headers) && !Array.isArray(headers[0])) {
    for (let index = 0; index < headers.length; index += 2)
      if (isNamed(headers[index], name)) return asString(headers[index + 1])
    return undefined
  }
  const pairs = Symbol.iterator in headers ? (headers as Iterable<[unknown, unknown]>) : Object.entries(headers)
  for (const [key, value] of pairs) if (isNamed(key, name)) return asString(value)
  return undefined
}

/** Whether headers were given as an iterator, which is empty once it was read. */
export const areOnceOnly = (headers: unknown): headers is Iterator<unknown> & Iterable<unknown> =>
  typeof headers === 'object' && headers !== null && 'next' in headers && typeof headers.next === 'function'

const isNamed = (key: unknown, name: string): boolean =>
  typeof key === 'string' && key.length === name.length && key.toLowerCase() === name

const asString = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
