/**
 * `error.type`: what a request or a dial failed with, in one word of a closed list. Pure.
 */

/** What an error is whose code is not in the list. */
export const OTHER = '_OTHER'

/** By whom the codes are given; all of them stand in docs/metrics.md. */
export const errorTypes = {
  keepwise: [
    'ERR_KEEPWISE_ACQUIRE_TIMEOUT',
    'ERR_KEEPWISE_QUEUE_FULL',
    'ERR_KEEPWISE_CONNECT',
    'ERR_KEEPWISE_CONNECTION',
    'ERR_KEEPWISE_PEER_DEAD',
    'ERR_KEEPWISE_CLOSED',
  ],
  undici: [
    'UND_ERR_ABORT',
    'UND_ERR_ABORTED',
    'UND_ERR_BODY_TIMEOUT',
    'UND_ERR_CLOSED',
    'UND_ERR_CONNECT_TIMEOUT',
    'UND_ERR_DESTROYED',
    'UND_ERR_HEADERS_OVERFLOW',
    'UND_ERR_HEADERS_TIMEOUT',
    'UND_ERR_INFO',
    'UND_ERR_INVALID_ARG',
    'UND_ERR_NOT_SUPPORTED',
    'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
    'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
    'UND_ERR_RES_EXCEEDED_MAX_SIZE',
    'UND_ERR_RESPONSE',
    'UND_ERR_SOCKET',
  ],
  system: [
    'EACCES',
    'EADDRINUSE',
    'EADDRNOTAVAIL',
    'EAI_AGAIN',
    'EAI_FAIL',
    'ECONNABORTED',
    'ECONNREFUSED',
    'ECONNRESET',
    'EHOSTDOWN',
    'EHOSTUNREACH',
    'EMFILE',
    'ENETDOWN',
    'ENETUNREACH',
    'ENFILE',
    'ENOBUFS',
    'ENOENT',
    'ENOTFOUND',
    'EPERM',
    'EPIPE',
    'EPROTO',
    'ESERVFAIL',
    'ETIMEDOUT',
    'ETIMEOUT',
  ],
  tls: [
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'CERT_REVOKED',
    'CERT_SIGNATURE_FAILURE',
    'CERT_UNTRUSTED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ],
  node: ['ABORT_ERR', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_PREMATURE_CLOSE'],
  /** Of errors that have no code. The first one stands for all codes of the HTTP parser: `HPE_…`. */
  names: ['HTTPParserError', 'AbortError', 'TimeoutError'],
} as const

const known: ReadonlySet<unknown> = new Set(Object.values(errorTypes).flat())

/**
 * The code of an error if it is known, else its name if that is, else the same of its cause.
 *
 * @param error whatever was thrown: a caller may abort with anything
 */
export function errorTypeOf(error: unknown): string {
  return typeOf(error) ?? typeOf((error as Error | null | undefined)?.cause) ?? OTHER
}

function typeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code, name } = error as { code?: unknown; name?: unknown }
  if (known.has(code)) return code as string
  // The parser has some forty codes for what is no HTTP: which one it was stands in the error.
  if (typeof code === 'string' && code.startsWith('HPE_')) return 'HTTPParserError'
  return known.has(name) ? (name as string) : undefined
}
