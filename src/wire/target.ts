/**
 * Whom a request speaks to, and the key under which connections to it are pooled: everything that changes who is spoken
 * to or how. Options that hold for the whole pool (local address, TLS options, socket path) need not be in it.
 */
import { isIP } from 'node:net'
import type { Target } from './link.js'

/**
 * @param origin an absolute http or https URL; only its origin counts
 * @param servername TLS server name asked for by the request, or by the pool's options; undefined for the URL's own
 * @throws TypeError for what is no such URL
 */
export function targetOf(origin: string | URL, servername: string | undefined): Target {
  const url = typeof origin === 'string' ? new URL(origin) : origin
  const { protocol, hostname, port } = url
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new TypeError(`Only http and https origins can be pooled, not "${url.protocol}" (${url.href})`)
  const name = protocol === 'https:' ? (servername ?? serverNameOf(hostname)) : null
  return { origin: url.origin, protocol, hostname, port, servername: name || null }
}

/** `https://example.com` and, where another server name than the URL's was asked for, that too. */
export function keyOf({ origin, hostname, servername }: Target): string {
  return servername === null || servername === hostname ? origin : `${origin} as ${servername}`
}

/** The TLS server name of a host as it stands in a URL or a Host header: never an address (RFC 6066 3). */
export function serverNameOf(host: string): string | null {
  const name = withoutPort(host)
  return name === '' || isIP(name) !== 0 ? null : name.toLowerCase()
}

/** A host as it stands in a URL or a Host header, without its port, and without the brackets of an IPv6 address. */
export function withoutPort(host: string): string {
  const end = host.startsWith('[') ? host.indexOf(']') : host.indexOf(':')
  return host.slice(host.startsWith('[') ? 1 : 0, end < 0 ? undefined : end)
}
