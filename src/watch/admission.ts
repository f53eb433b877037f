/**
 * Who may look, and at what: a pure function of a request's first lines.
 *
 * The endpoint listens on a loopback address, but that keeps out neither the other users of the machine nor the pages in a
 * browser on it. Against the first its address has a token that cannot be guessed. Against the second, too, and since a page
 * may have its own name lead to 127.0.0.1 (DNS rebinding), the name that was asked for must be one of loopback.
 */
import { createHash, timingSafeEqual } from 'node:crypto'

export type Admission =
  | { readonly what: 'page' | 'events' }
  | { readonly what: 'state'; readonly after: number | undefined }
  | Refusal

export interface Refusal {
  readonly what: 'refused'
  readonly status: 400 | 403 | 404 | 405
  readonly text: string
}

interface Asked {
  readonly method: string | undefined
  /** As it stands in the request: path and query. */
  readonly url: string | undefined
  /** The header `Host`. */
  readonly host: string | undefined
}

export function admit({ method, url = '', host }: Asked, token: string): Admission {
  if (!isLoopback(host)) return refused(403, 'Ask for it by a loopback address: 127.0.0.1, [::1] or localhost.')
  const [, given = '', rest] = /^\/([^/?#]*)\/([^#]*)$/.exec(url) ?? []
  if (rest === undefined || !isSame(given, token))
    return refused(404, 'There is nothing here. Is the address complete?')
  const [path, query] = rest.split(/\?(.*)/s) as [string, string?]
  if (!['', 'state', 'events'].includes(path)) return refused(404, 'There is nothing here.')
  if (method !== 'GET' && method !== 'HEAD') return refused(405, 'It can only be looked at: GET or HEAD.')
  if (path === '') return { what: 'page' }
  if (path === 'events') return { what: 'events' }
  const after = new URLSearchParams(query).get('after')
  if (after === null) return { what: 'state', after: undefined }
  if (!/^\d{1,16}$/.test(after)) return refused(400, '"after" is the number of a record.')
  return { what: 'state', after: Number(after) }
}

const refused = (status: Refusal['status'], text: string): Refusal => ({ what: 'refused', status, text })

/** Whatever the port: a tunnel has another one. */
function isLoopback(host: string | undefined): boolean {
  return host !== undefined && /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?$/i.test(host)
}

/** In a time that tells nothing of the token. */
const isSame = (given: string, token: string): boolean => timingSafeEqual(digest(given), digest(token))

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
