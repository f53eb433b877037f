/**
 * What can be said of a request, and of the first bytes of an answer, from their headers. Pure.
 */
import { IDEMPOTENCY_KEY, isIdempotent } from '../replay/permission.js'
import type { NodeRequest } from './node-request.js'

/** Bytes of an answer in which its status and its `Connection` are looked for. */
const HEAD = 2048

const IDEMPOTENCY_KEY_LINE = new RegExp(`\\r\\n${IDEMPOTENCY_KEY}:[ \\t]*[^ \\t\\r]`, 'i')

// Headers that were given as an array are nowhere but in what was written.

/** Whether a repetition of the request does no harm. */
export function isHarmless(request: NodeRequest): boolean {
  if (isIdempotent(request.method) || request.getHeader(IDEMPOTENCY_KEY)) return true
  return IDEMPOTENCY_KEY_LINE.test(request._header ?? '')
}

/** Whether the request says that it is the last one on its connection. */
export function saysClose(request: NodeRequest): boolean {
  const value = request.getHeader('connection')
  if (value !== undefined) return /\bclose\b/i.test(String(value))
  return request.getHeader('host') === undefined && /\r\nconnection:[^\r]*\bclose\b/i.test(request._header ?? '')
}

export function hasBody(request: NodeRequest): boolean {
  return /\r\n(transfer-encoding:|content-length:[ \t]*[1-9])/i.test(request._header ?? '')
}

/** Whether an answer is a 408 (Request Timeout) after which the server closes. Asked for every answer on a used connection. */
export function isRequestTimeout(bytes: Uint8Array): boolean {
  if (bytes[9] !== 0x34 || bytes[10] !== 0x30 || bytes[11] !== 0x38) return false // '408'
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD)).toString('latin1')
  return /^HTTP\/1\.[01] 408 /.test(head) && /\r\nconnection:[ \t]*close[ \t]*\r\n/i.test(head)
}
