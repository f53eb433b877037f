/** Whom the doctor examines: one URL, and of its addresses one. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { serverNameOf, withoutPort } from '../wire/target.js'

export interface DoctorTarget {
  readonly url: string
  readonly origin: string
  readonly secure: boolean
  /** Without brackets. */
  readonly hostname: string
  readonly port: number
  /** As it stands in a `Host` header. */
  readonly host: string
  readonly path: string
  /** For TLS; null for an address. */
  readonly servername: string | null
}

/** Of one address. */
export interface Address {
  readonly address: string
  readonly family: number
}

/**
 * @param text a URL; without a scheme it is taken for http
 * @throws TypeError for what is no http or https URL
 */
export function doctorTarget(text: string): DoctorTarget {
  const url = new URL(/^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  const { protocol, hostname, port, host, origin, pathname, search } = url
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new TypeError(`Only http and https URLs can be examined, not "${protocol}"`)
  if (url.username !== '' || url.password !== '')
    throw new TypeError('A URL with a user or a password is not taken: use --header "Authorization: …"')
  const secure = protocol === 'https:'
  return {
    url: `${origin}${pathname}${search}`,
    origin,
    secure,
    hostname: hostname.startsWith('[') ? withoutPort(hostname) : hostname,
    port: port === '' ? (secure ? 443 : 80) : Number(port),
    host,
    path: `${pathname}${search}`,
    servername: secure ? serverNameOf(host) : null,
  }
}

/** The addresses of a target, and how long it took to ask for them; undefined where nobody has to be asked. */
export async function addressesOf({
  hostname,
}: DoctorTarget): Promise<{ addresses: Address[]; took: number | undefined }> {
  const family = isIP(hostname)
  if (family !== 0) return { addresses: [{ address: hostname, family }], took: undefined }
  const startedAt = performance.now()
  const addresses = await lookup(hostname, { all: true })
  return { addresses, took: performance.now() - startedAt }
}
