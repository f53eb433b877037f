/**
 * Request bodies as undici takes them, sorted by whether they can be sent a second time.
 */
import { Readable } from 'node:stream'
import { RememberedBody } from '../replay/remembered-body.js'

export const isStream = (body: unknown): body is Readable => body instanceof Readable

/** Iterables of one piece, to undici: not to be read by iterating. */
const wholes: readonly unknown[] = ['FormData', 'Blob', 'File']

/** The body in a form that remembers what was read of it, where it would be gone otherwise; else the body itself. */
export function remembered(body: unknown): unknown {
  return isOnceOnly(body) ? new RememberedBody(body) : body
}

/** Whether a body can be sent, or sent again, from its beginning. */
export function isRepeatable(body: unknown): boolean {
  if (body instanceof RememberedBody) return body.repeatable
  if (isStreamLike(body)) return isStream(body) && !body.readableDidRead && !body.destroyed
  return !isOnceOnly(body)
}

/** An iterable that is no piece of data, which may end with its first reading. */
function isOnceOnly(body: unknown): body is AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof body !== 'object' || body === null || body instanceof RememberedBody || isStreamLike(body)) return false
  if (ArrayBuffer.isView(body) || wholes.includes((body as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]))
    return false
  return Symbol.asyncIterator in body || Symbol.iterator in body
}

const isStreamLike = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && 'pipe' in body && typeof body.pipe === 'function'
