/**
 * Asking for the addresses of a name: with the caller's own `lookup`, or with dns.lookup, and always for all of them.
 */
import dns, { type LookupAddress, type LookupOptions } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'

export type Told = Parameters<LookupFunction>[2]
/** One address, or all of them. */
export type Answer = Parameters<Told>[1]

/**
 * Asks for all addresses of a name, whether or not all were wanted. A lookup that cannot tell them all, be it that it
 * gives one or something unreadable, is asked as it would have been.
 */
export function askForAll(
  base: LookupFunction | undefined,
  hostname: string,
  options: LookupOptions,
  told: Told,
): void {
  // Looked up now, not when this was loaded: somebody may have put another one in its place.
  const ask = base ?? (dns.lookup as LookupFunction)
  if (options.all) ask(hostname, options, told)
  else
    ask(hostname, { ...options, all: true }, (error, answer, family) => {
      if (error || addressesOf(answer).length > 0) told(error, answer, family)
      else ask(hostname, options, told)
    })
}

/** The addresses in an answer; none if it is not as it should be. */
export function addressesOf(answer: unknown): string[] {
  if (typeof answer === 'string') return isIP(answer) === 0 ? [] : [answer]
  if (!Array.isArray(answer)) return []
  const addresses = answer.map((each: Partial<LookupAddress> | undefined) => each?.address)
  return addresses.every((address) => typeof address === 'string' && isIP(address) !== 0) ? (addresses as string[]) : []
}
