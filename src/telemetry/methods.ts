/**
 * `http.request.method`: the methods that are told apart. A name that somebody made up must not become a series of its own.
 */
import { OTHER } from './error-type.js'

/** RFC 9110, RFC 5789 (PATCH), and QUERY, as the semantic conventions have them. */
export const knownMethods: readonly string[] = [
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'QUERY',
  'TRACE',
]

/** Where the conventions let a user have a list of their own: names with commas between them. */
export const METHODS_VARIABLE = 'OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS'

/** Says of a method what it is called in the numbers. Methods are case-sensitive. */
export function methodNames(environment: NodeJS.ProcessEnv): (method: string) => string {
  const own = environment[METHODS_VARIABLE]?.split(',').map((method) => method.trim())
  const known = new Set(own ?? knownMethods)
  return (method) => (known.has(method) ? method : OTHER)
}
